"""The vendor's dialect, and the peer that speaks it."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from parley_provider_sdk.testing import Answer, Dialect, Peer, Received, Script
from typing_extensions import override

from parley_tests.openai_peer import checks, completions, responses
from parley_tests.openai_peer.content import last_text, messages_of, prompt_tokens
from parley_tests.openai_peer.failures import ERRORS, answer_of, error_body

MODELS = ("gpt-peer", "gpt-peer-mini", "o9-peer")
# What the real one takes at once, and how many numbers a vector has unless it is told.
_TEXTS, _DIMENSIONS = 2048, 3
_REPLIES = ("/chat/completions", "/responses")
# What a failure within a stream is called that `/responses` alone has: `error:server_error` is an
# event of that type, `failed:server_error` a response that failed.
_ERROR, _FAILED = "error:", "failed:"


class OpenAIDialect(Dialect):
    """Both wires of OpenAI's; the package says where their details come from."""

    prefix = "/v1"
    models: Sequence[str] = MODELS

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        """A request that is refused gets no reply; `other` says why."""
        if path not in _REPLIES or checks.refusal(path, body):
            return None
        return str(body["model"])

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return bool(body.get("stream"))

    @override
    def last_text(self, body: Any) -> str:
        return last_text(messages_of(body))

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        if "messages" in body:
            return completions.events(body, texts, script)
        return responses.events(body, texts, script)

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        if "messages" in body:
            return completions.whole(body, texts, script)
        return responses.whole(body, texts, script)

    @override
    def failure(self, name: str, **words: str) -> Answer:
        return answer_of(ERRORS["invalid_api_key" if name == "authentication" else name], **words)

    @override
    def error_event(self, name: str) -> bytes:
        if name.startswith(_FAILED):
            code = name.removeprefix(_FAILED)
            return responses.failed_event(code, ERRORS[code].message)
        if name.startswith(_ERROR):
            code = name.removeprefix(_ERROR)
            facts = {"code": code, "message": ERRORS[code].message, "param": None}
            data = {"type": "error", "sequence_number": 99, **facts}
            return b"event: error\ndata: " + orjson.dumps(data) + b"\n\n"
        return b"data: " + orjson.dumps(error_body(name)) + b"\n\n"

    @override
    def other(self, asked: Received) -> Answer | None:
        body = asked.body
        if body and (error := checks.refusal(asked.path, body)):
            return answer_of(error)
        match asked.method, asked.path:
            case "GET", "/models":
                return Answer(200, _models())
            case "POST", "/responses/input_tokens":
                count = prompt_tokens(messages_of(body))
                answer = {"object": "response.input_tokens", "input_tokens": count}
                return Answer(200, orjson.dumps(answer))
            case "POST", "/embeddings":
                return self._vectors(body)
        return None

    def _vectors(self, body: Any) -> Answer:
        if body["model"] not in self.models:
            return self.failure("model_not_found", model=body["model"])
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if len(texts) > _TEXTS or not all(texts):
            return self.failure("bad_request")
        kind, size = body.get("encoding_format", "float"), body.get("dimensions", _DIMENSIONS)
        rows = [
            {"object": "embedding", "index": index, "embedding": _vector(text, kind, size)}
            for index, text in enumerate(texts)
        ]
        count = sum(1 + len(text) // 4 for text in texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        answer = {"object": "list", "data": rows, "model": body["model"], "usage": usage}
        return Answer(200, orjson.dumps(answer))


class OpenAIPeer(Peer):
    """The peer; `async with` starts and stops it."""

    def __init__(
        self, *, api_key: str = "", script: Script | None = None, record: bool = True
    ) -> None:
        super().__init__(OpenAIDialect(), key=api_key, script=script, record=record)


def _models() -> bytes:
    facts = {"object": "model", "created": 1700000000, "owned_by": "peer"}
    return orjson.dumps({"object": "list", "data": [{"id": name, **facts} for name in MODELS]})


def _vector(text: str, kind: str, size: int) -> list[float] | str:
    """Returns numbers that tell texts apart, and that four bytes hold exactly."""
    numbers = [(zlib.crc32(f"{number}{text}".encode()) & 255) / 256 for number in range(size)]
    raw = struct.pack(f"<{size}f", *numbers)
    return b64encode(raw).decode() if kind == "base64" else numbers
