"""The bytes of the vendor's wire."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from parley_provider_sdk.testing import Answer, Dialect, Received, Script, words
from typing_extensions import override

from parley_tests.ollama_peer import models
from parley_tests.ollama_peer.models import MODELS, PeerModel

__all__ = [
    "ERRORS",
    "MODELS",
    "OllamaDialect",
    "PeerModel",
    "VendorError",
    "prompt_tokens",
    "reply_text",
]

VERSION = "0.32.4"
_CREATED = "2026-08-21T18:48:22.196249Z"
_CHAT = "/api/chat"
_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
_LOGS = (
    "this may be due to resource limitations or an internal error, "
    "check ollama server logs for details"
)


class VendorError(NamedTuple):
    """One of the vendor's failures, in its own words."""

    status: int
    error: str


ERRORS: Mapping[str, VendorError] = MappingProxyType(
    {
        # What proxies say; the full key comes back on purpose.
        "authentication": VendorError(401, "unauthorized: {key}"),
        "bad_think": VendorError(
            400,
            'invalid think value: "odd" (must be "high", "medium", "low", "max", true, or false)',
        ),
        "invalid_name": VendorError(400, "invalid model name"),
        "model_required": VendorError(400, "model is required"),
        "model_not_found": VendorError(404, "model '{model}' not found"),
        "not_pulled": VendorError(404, 'model "{model}" not found, try pulling it first'),
        "no_tools": VendorError(400, "registry.ollama.ai/library/{model} does not support tools"),
        "no_thinking": VendorError(400, '"{model}" does not support thinking'),
        "no_chat": VendorError(400, '"{model}" does not support chat'),
        "input_too_long": VendorError(400, "the input length exceeds the context length"),
        "context_size": VendorError(
            400,
            "request (9217 tokens) exceeds the available context size (8192 tokens), "
            "try increasing it",
        ),
        "prompt_too_long": VendorError(
            400,
            "the prompt is longer than the context length currently available to the model; "
            "shorten the prompt, adjust the context length in settings, or use a model with a "
            "longer context length",
        ),
        "too_many_images": VendorError(
            500, "this model only supports one image while more than one image requested"
        ),
        "canceled": VendorError(499, "request canceled"),
        # Of models that run in the vendor's cloud.
        "usage_limit": VendorError(429, "you (peer) have reached your hourly usage limit"),
        "server_busy": VendorError(
            503, "server busy, please try again.  maximum pending requests exceeded"
        ),
        "unavailable": VendorError(503, "Service Unavailable"),
        "runner_died": VendorError(500, f"model runner has unexpectedly stopped, {_LOGS}"),
        "no_memory": VendorError(
            500, "model requires more system memory (15.9 GiB) than is available (7.2 GiB)"
        ),
        "slow_load": VendorError(
            500, "timed out waiting for llama-server to start: context deadline exceeded"
        ),
        "remote_away": VendorError(502, "remote model is unavailable"),
        "midway": VendorError(500, "an error was encountered while running the model"),
    }
)


class OllamaDialect(Dialect):
    """Ollama's wire; the package's docstring says where its details come from.

    Two things this wire cannot do as a script says: a stream has no opening event, so it begins
    with a line without text, as some models' do; and the arguments of a tool call are an object,
    so they come whole.
    """

    models = tuple(MODELS)
    stream_type = "application/x-ndjson"

    def __init__(self, *, cuts: bool = False) -> None:
        """With `cuts` it cuts what is too long without a word, as old servers do."""
        self._cuts = cuts

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        """A request that the server refuses is answered by `other`."""
        if path != _CHAT or not isinstance(body, dict) or self._refused(body):
            return None
        name = str(body["model"])
        return models.full(name) if models.full(name) in MODELS else name

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return body.get("stream") is not False

    @override
    def last_text(self, body: Any) -> str:
        return _last_text(body["messages"])

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        thoughts = _thoughts(body, script)
        said = [_line(_part(body, {"thinking": text}), script) for text in thoughts]
        said += _contents(body, texts, script)
        calls = b"".join(
            _line(_part(body, {"tool_calls": [one]}), script) for one in _calls(script)
        )
        end = _line({**_part(body, {}), **self._counts(body, len(said), script)}, script)
        return [_line(_part(body, {}), script), *said, calls + end]

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        thoughts = _thoughts(body, script)
        said: dict[str, Any] = {"content": "".join(texts)}
        if thoughts:
            said["thinking"] = "".join(thoughts)
        if script.calls:
            said["tool_calls"] = list(_calls(script))
        counts = self._counts(body, len(thoughts) + len(texts), script)
        weighed = {"logprobs": _logprobs(body, texts)} if texts and body.get("logprobs") else {}
        return _json(_odd({**_part(body, said), **weighed, **counts}, script))

    @override
    def failure(self, name: str, **words: str) -> Answer:
        error = ERRORS[name]
        said = error.error.format(**{"key": "", "model": "llama-peer", **words})
        return Answer(error.status, _json({"error": said}))

    @override
    def error_event(self, name: str) -> bytes:
        return self.failure(name).body + b"\n"

    @override
    def other(self, asked: Received) -> Answer | None:
        match asked.method, asked.path:
            case "GET", "/api/version":
                return Answer(200, _json({"version": VERSION}))
            case "GET", "/api/tags":
                return Answer(200, _json(models.tags()))
            case "POST", "/api/show" | "/api/embed" | "/api/chat":
                return self._asked(asked.path, asked.body)
        return None

    def _asked(self, path: str, body: Any) -> Answer:
        if not isinstance(body, dict):
            return Answer(400, _json({"error": "missing request body"}))
        if path == _CHAT:
            return self.failure(self._refused(body), model=str(body.get("model", "")))
        name = body.get("model") or body.get("name") or ""
        if models.full(name) not in MODELS:
            return self.failure("model_not_found", model=name)
        return Answer(200, _json(models.show(name))) if path == "/api/show" else _embedded(body)

    def _refused(self, body: Mapping[str, Any]) -> str:
        """Returns the failure that a request meets; empty when it is taken or the model unknown."""
        name = body.get("model")
        if not name:
            return "model_required"
        if models.full(name) not in MODELS:
            return ""
        if body.get("think") not in (None, False, True, "low", "medium", "high", "max"):
            return "bad_think"
        if body.get("think") and not models.can(name, "thinking"):
            return "no_thinking"
        if not models.can(name, "completion"):
            return "no_chat"
        return "no_tools" if self._lacks_tools(body) else self._too_long(body)

    def _lacks_tools(self, body: Mapping[str, Any]) -> bool:
        return bool(body.get("tools")) and not models.can(body["model"], "tools")

    def _too_long(self, body: Mapping[str, Any]) -> str:
        is_cut = self._cuts or body.get("truncate") is not False
        return "" if is_cut or prompt_tokens(body["messages"]) < _num_ctx(body) else "context_size"

    def _counts(self, body: Mapping[str, Any], said: int, script: Script) -> dict[str, Any]:
        made: dict[str, Any] = {
            "done": True,
            "done_reason": script.finish_reason or "stop",
            "total_duration": 4883583458,
            "load_duration": 1334875,
        }
        if script.usage:
            read = min(prompt_tokens(body["messages"]), _num_ctx(body))
            made |= {"prompt_eval_count": read, "prompt_eval_duration": 342546000}
            # What is 0 is left out.
            made |= {"eval_count": said, "eval_duration": 4535599000} if said else {}
        return made


def reply_text(asked: str, count: int = 64) -> str:
    """Returns the text that the peer answers a question with."""
    return "".join(words(asked, count))


def prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Counts the input as the peer does: four for each message and one for four characters."""
    return sum(4 + len(one.get("content") or "") // 4 for one in messages)


def _num_ctx(body: Mapping[str, Any]) -> int:
    asked = (body.get("options") or {}).get("num_ctx") or 4096
    return int(min(asked, MODELS[models.full(body["model"])].context_length))


def _last_text(messages: Sequence[Mapping[str, Any]]) -> str:
    users = (one.get("content") or "" for one in reversed(messages) if one["role"] == "user")
    return next(users, "")


def _thoughts(body: Mapping[str, Any], script: Script) -> Sequence[str]:
    return () if body.get("think") is False else script.reasoning


def _calls(script: Script) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(script.calls):
        arguments = orjson.loads(call["arguments"] or "{}")
        function = {"index": index, "name": call["name"], "arguments": arguments}
        # Older servers give no ids.
        named = {"id": call["tool_call_id"]} if call["tool_call_id"] else {}
        yield {**named, "function": function}


def _part(body: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "", **said}
    return {"model": body["model"], "created_at": _CREATED, "message": message, "done": False}


def _contents(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> list[bytes]:
    """Returns a line for each text, from one mould: there may be a hundred thousand."""
    if body.get("logprobs"):
        weights = [{"logprobs": _logprobs(body, [text])} for text in texts]
        parts = [_part(body, {"content": text}) for text in texts]
        both = zip(parts, weights, strict=True)
        return [_line({**part, **weight}, script) for part, weight in both]
    mould = _line(_part(body, {"content": "\0"}), script)
    before, after = mould.split(_json("\0"))
    return [before + _json(text) + after for text in texts]


def _logprobs(body: Mapping[str, Any], texts: Sequence[str]) -> list[dict[str, Any]]:
    top = range(body.get("top_logprobs") or 0)
    return [
        {**_weight(text, 0), "top_logprobs": [_weight(text, rank) for rank in top]}
        for text in texts
    ]


def _weight(text: str, rank: int) -> dict[str, Any]:
    token = f"{text}{rank}" if rank else text
    return {"token": token, "logprob": -0.25 * (rank + 1), "bytes": list(token.encode())}


def _line(answer: dict[str, Any], script: Script) -> bytes:
    line = _json(_odd(answer, script)) + b"\n"
    # A line that nobody knows, and an empty one.
    strange = _json({"peer_progress": {"status": "odd"}, "created_at": _CREATED}) + b"\n\n"
    return strange + line if script.unknown else line


def _odd(answer: dict[str, Any], script: Script) -> dict[str, Any]:
    if not script.unknown:
        return answer
    message = {**answer["message"], "peer_mood": ["odd"]}
    return {**answer, "message": message, "peer_field": {"odd": None}}


def _embedded(body: Mapping[str, Any]) -> Answer:
    name = body["model"]
    if not models.can(name, "embedding"):
        # The words that the server's runner has for it.
        return Answer(501, _json({"error": "this model does not support embeddings"}))
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    lengths = [len(text) // 4 + 1 for text in texts]
    if body.get("truncate") is False and max(lengths, default=0) > 512:
        return Answer(400, _json({"error": ERRORS["input_too_long"].error}))
    size = body.get("dimensions") or 3
    vectors = [
        [(zlib.crc32(f"{n}{text}".encode()) & 255) / 256 for n in range(size)] for text in texts
    ]
    made = {"model": name, "embeddings": vectors, "total_duration": 14143917}
    return Answer(200, _json({**made, "prompt_eval_count": sum(lengths)}))


def _json(answer: Any) -> bytes:
    """Writes JSON as Go does, which escapes what HTML would trip over."""
    text = orjson.dumps(answer)
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text
