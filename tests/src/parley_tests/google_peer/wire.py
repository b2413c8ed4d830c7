"""The vendor's wire: which path asks for what, and how it is answered."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from parley_provider_sdk.testing import Answer, Dialect, Received, Script
from typing_extensions import override

from parley_tests.google_peer.failures import FAILURES, VendorError, body_of
from parley_tests.google_peer.replies import Reply, prompt_tokens, text_of
from parley_tests.google_peer.requests import complaint

MODELS = ("gemini-3-flash-peer", "gemini-2.5-flash-peer", "gemini-2.0-flash-peer")
# It is listed, but makes no replies.
EMBEDDER = "gemini-embedding-peer"
BLOCKED = "prompt_blocked"
# What it takes at once, and how many numbers a vector has unless it is told.
_TEXTS, _DIMENSIONS = 100, 3
_VERSION = "gemini-peer-001"
# The vendor may give fewer than it is asked for; the peer always does, so that there are pages.
_PAGE = 3
_METHOD = re.compile(r"/v1(?:beta)?/models/([^/:]+):(\w+)")
_LISTED = re.compile(r"/v1(?:beta)?/models(?:/([^/:]+))?")
_REPLIES = frozenset({"generateContent", "streamGenerateContent"})


class GoogleDialect(Dialect):
    """The Gemini wire; `parley_tests.google_peer` says where its details come from."""

    models = MODELS
    stream_type = "text/event-stream"

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return headers.get("x-goog-api-key") or query.get("key", "")

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        """Returns no model when the request is refused: `other` then says why."""
        found = _METHOD.fullmatch(path)
        if not found or found[2] not in _REPLIES or _refused(found[1], body):
            return None
        return found[1]

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return path.endswith(":streamGenerateContent")

    @override
    def last_text(self, body: Any) -> str:
        users = (turn for turn in reversed(body["contents"]) if turn.get("role", "user") == "user")
        return next((text_of(turn) for turn in users), "")

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        return Reply(_VERSION, body, texts, script).events()

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        return Reply(_VERSION, body, texts, script).whole()

    @override
    def failure(self, name: str, **words: str) -> Answer:
        if name == BLOCKED:
            return Answer(200, orjson.dumps({"promptFeedback": {"blockReason": "SAFETY"}}))
        return _failed(FAILURES[name], **words)

    @override
    def error_event(self, name: str) -> bytes:
        return b"data: " + orjson.dumps(body_of(FAILURES[name])) + b"\r\n\r\n"

    @override
    def other(self, asked: Received) -> Answer | None:
        if (found := _METHOD.fullmatch(asked.path)) and asked.method == "POST":
            return _asked(found[1], found[2], asked.body)
        if (listed := _LISTED.fullmatch(asked.path)) and asked.method == "GET":
            return _one(listed[1]) if listed[1] else _page(asked.query)
        return None


def _refused(model: str, body: Any) -> str | None:
    return complaint(body, signed=model.startswith("gemini-3"))


def _asked(model: str, method: str, body: Any) -> Answer:
    if method in _REPLIES:
        return _bad(_refused(model, body) or "")
    if method == "batchEmbedContents" and model == EMBEDDER:
        return _embedded(body["requests"])
    if method != "countTokens" or model not in MODELS:
        return _failed(FAILURES["model_not_found"], model=model)
    return _counted(model, body)


def _counted(model: str, body: Any) -> Answer:
    whole = body.get("generateContentRequest")
    if whole and body.get("contents"):
        return _bad("Only one of contents and generate_content_request can be set.")
    counted = whole or {"contents": body.get("contents")}
    if refused := complaint(counted, signed=False):
        return _bad(refused)
    if whole and whole.get("model") != f"models/{model}":
        return _bad("The model must match the one in generate_content_request.")
    count = prompt_tokens(counted)
    details = [{"modality": "TEXT", "tokenCount": count}]
    return Answer(200, orjson.dumps({"totalTokens": count, "promptTokensDetails": details}))


def _embedded(requests: Sequence[Mapping[str, Any]]) -> Answer:
    if len(requests) > _TEXTS:
        return _bad(f"* BatchEmbedContentsRequest.requests: at most {_TEXTS} requests")
    if any(one["model"] != f"models/{EMBEDDER}" for one in requests):
        return _bad("The model must match the one in each request.")
    made = []
    for one in requests:
        size, text = one.get("outputDimensionality", _DIMENSIONS), text_of(one["content"])
        seeds = (zlib.crc32(f"{number}{text}".encode()) for number in range(size))
        made.append({"values": [(seed & 255) / 256 for seed in seeds]})
    count = sum(1 + len(text_of(one["content"])) // 4 for one in requests)
    usage = {"promptTokenCount": count}
    return Answer(200, orjson.dumps({"embeddings": made, "usageMetadata": usage}))


def _page(query: Mapping[str, str]) -> Answer:
    names = (*MODELS, EMBEDDER)
    start = int(query.get("pageToken") or 0)
    end = start + min(int(query.get("pageSize") or 50), _PAGE)
    page: dict[str, Any] = {"models": [_facts(name) for name in names[start:end]]}
    if end < len(names):
        page["nextPageToken"] = str(end)
    return Answer(200, orjson.dumps(page))


def _one(name: str) -> Answer:
    if name not in (*MODELS, EMBEDDER):
        return _failed(FAILURES["model_not_found"], model=name)
    return Answer(200, orjson.dumps(_facts(name)))


def _facts(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "A model of the peer.",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    }
    if name == EMBEDDER:
        return {**facts, "supportedGenerationMethods": ["embedContent"], "outputTokenLimit": 1}
    # The vendor leaves out what is false.
    return facts if "2.0" in name else {**facts, "thinking": True}


def _bad(message: str) -> Answer:
    return _failed(VendorError(400, "INVALID_ARGUMENT", message))


def _failed(error: VendorError, **words: str) -> Answer:
    return Answer(error.code, orjson.dumps(body_of(error, **words)))
