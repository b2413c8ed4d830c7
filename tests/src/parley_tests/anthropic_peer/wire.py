"""The bytes of the vendor's wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parley_provider_sdk.testing import Answer, Dialect, Received, Script
from typing_extensions import override

from parley_tests.anthropic_peer import checks
from parley_tests.anthropic_peer.cache import PromptCache
from parley_tests.anthropic_peer.failures import ERRORS, body_of, error_body

MODELS = ("claude-sonnet-5-5", "claude-opus-5-5", "claude-opus-4-6", "claude-haiku-4-5")
REDACTED = "#redacted "
_PIECE = 7
_PING = {"type": "ping"}
_NOT_STOPPED = {"stop_reason": None, "stop_sequence": None}
# What an event and a delta may be that no client knows yet.
_UNKNOWN_EVENT = {"type": "weather", "index": 0, "delta": {"type": "rain_delta", "rain": "heavy"}}
_UNKNOWN_DELTA = {"type": "rain_delta", "rain": "heavy"}


class AnthropicDialect(Dialect):
    """Anthropic's Messages API; the package's docstring says where its details come from."""

    models = MODELS

    def __init__(self) -> None:
        self._cache = PromptCache()

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        return str(body["model"]) if path == "/v1/messages" else None

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return bool(body.get("stream"))

    @override
    def last_text(self, body: Any) -> str:
        users = [one for one in body["messages"] if one["role"] == "user"]
        texts = (block.get("text", "") for block in checks.blocks_of(users[-1]))
        return "".join(texts)

    @override
    def refuse(self, asked: Received) -> Answer | None:
        if asked.method != "POST" or not asked.path.startswith("/v1/messages"):
            return None
        counts = asked.path.endswith("/count_tokens")
        said = checks.refusal(asked.headers, asked.body, counts=counts)
        return Answer(400, _dumped(body_of("invalid_request_error", said))) if said else None

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        return _Stream(body, script, self._usage(body, 1)).events(texts)

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        message = _message(body["model"], _content(texts, script), _stopped(body, script))
        if script.usage:
            message["usage"] = {**self._usage(body, _said(texts, script)), **_details(script)}
        return _dumped({**message, "weather": "fine"} if script.unknown else message)

    @override
    def failure(self, name: str, **words: str) -> Answer:
        return Answer(ERRORS[name].status, _dumped(error_body(name, **words)))

    @override
    def error_event(self, name: str) -> bytes:
        return _event(error_body(name))

    @override
    def other(self, asked: Received) -> Answer | None:
        match asked.method, asked.path:
            case "GET", "/v1/models":
                return Answer(200, _dumped(_page(asked.query)))
            case "POST", "/v1/messages/count_tokens":
                return self._count(asked.body)
        return None

    def _usage(self, body: Any, output: int) -> dict[str, Any]:
        return {**self._cache.take(body, prompt_tokens(body)), "output_tokens": output}

    def _count(self, body: Any) -> Answer:
        if body["model"] not in MODELS:
            return self.failure("model_not_found", model=body["model"])
        return Answer(200, _dumped({"input_tokens": prompt_tokens(body)}))


def prompt_tokens(body: Any) -> int:
    """Counts the input as the peer does: four for each message, one for four characters."""
    texts = (
        block.get("text", "") for message in body["messages"] for block in checks.blocks_of(message)
    )
    system = sum(len(one["text"]) for one in checks.blocks_of({"content": body.get("system", "")}))
    return 4 * len(body["messages"]) + len("".join(texts)) // 4 + system


class _Stream:
    """Makes the events of one stream, block after block."""

    def __init__(self, body: Any, script: Script, usage: Mapping[str, Any]) -> None:
        self._body = body
        self._usage = usage
        self._script = script
        self._index = 0
        self._open = ""
        self._thought = ""

    def events(self, texts: Sequence[str]) -> list[bytes]:
        made = [self._opening()]
        made += [b"".join(self._think(text)) for text in self._script.reasoning]
        made += [b"".join(self._say(text)) for text in texts]
        made.append(b"".join(self._end(_said(texts, self._script))))
        return made

    def _opening(self) -> bytes:
        message = _message(self._body["model"], [], _NOT_STOPPED)
        if self._script.usage:
            message["usage"] = {**self._usage, "service_tier": "standard"}
        return _event({"type": "message_start", "message": message}) + _event(_PING)

    def _think(self, text: str) -> Iterator[bytes]:
        if text.startswith(REDACTED):
            yield from self._close()
            data = checks.encrypt(text.removeprefix(REDACTED))
            yield self._start({"type": "redacted_thinking", "data": data})
            yield from self._close()
            return
        if self._open != "thinking":
            yield from self._close()
            yield self._start({"type": "thinking", "thinking": "", "signature": ""})
            self._thought = ""
        self._thought += text
        yield self._delta({"type": "thinking_delta", "thinking": text})

    def _say(self, text: str) -> Iterator[bytes]:
        if self._open != "text":
            yield from self._close()
            yield self._start({"type": "text", "text": ""})
        if self._script.unknown:
            yield _event(_UNKNOWN_EVENT)
            yield self._delta(_UNKNOWN_DELTA)
        yield self._delta({"type": "text_delta", "text": text})

    def _end(self, said: int) -> Iterator[bytes]:
        yield from self._close()
        for call in self._script.calls:
            yield from self._call(call)
        delta = _stopped(self._body, self._script)
        event: dict[str, Any] = {"type": "message_delta", "delta": delta}
        if self._script.usage:
            event["usage"] = {"output_tokens": said, **_details(self._script)}
        yield _event(event)
        yield _event({"type": "message_stop"})

    def _call(self, call: Mapping[str, str]) -> Iterator[bytes]:
        facts = {"id": call["tool_call_id"], "name": call["name"], "input": {}}
        yield self._start({"type": "tool_use", **facts})
        text = call["arguments"]
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        for piece in ("", *pieces):
            yield self._delta({"type": "input_json_delta", "partial_json": piece})
        yield from self._close()

    def _start(self, block: Mapping[str, Any]) -> bytes:
        self._open = block["type"]
        return _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> Iterator[bytes]:
        if not self._open:
            return
        if self._open == "thinking":
            signature = checks.sign(self._thought)
            yield self._delta({"type": "signature_delta", "signature": signature})
        yield _event({"type": "content_block_stop", "index": self._index})
        self._open = ""
        self._index += 1


def _content(texts: Sequence[str], script: Script) -> list[dict[str, Any]]:
    """Returns the blocks of a whole reply: neighbouring texts of a kind are one block."""
    made: list[dict[str, Any]] = []
    for text in script.reasoning:
        if text.startswith(REDACTED):
            data = checks.encrypt(text.removeprefix(REDACTED))
            made.append({"type": "redacted_thinking", "data": data})
        elif made and made[-1]["type"] == "thinking":
            made[-1]["thinking"] += text
        else:
            made.append({"type": "thinking", "thinking": text})
    for block in made:
        if block["type"] == "thinking":
            block["signature"] = checks.sign(block["thinking"])
    if texts:
        made.append({"type": "text", "text": "".join(texts)})
    return made + [_tool_use(call) for call in script.calls]


def _tool_use(call: Mapping[str, str]) -> dict[str, Any]:
    facts = {"id": call["tool_call_id"], "name": call["name"]}
    return {"type": "tool_use", **facts, "input": json.loads(call["arguments"] or "{}")}


def _message(model: str, content: Sequence[Any], stopped: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"id": "msg_peer", "type": "message", "role": "assistant", "model": model}
    return {**facts, "content": content, **stopped}


def _stopped(body: Any, script: Script) -> dict[str, Any]:
    reason = script.finish_reason or ("tool_use" if script.calls else "end_turn")
    sequence = body["stop_sequences"][-1] if reason == "stop_sequence" else None
    return {"stop_reason": reason, "stop_sequence": sequence}


def _said(texts: Sequence[str], script: Script) -> int:
    return len(script.reasoning) + len(texts) + len(script.calls)


def _details(script: Script) -> dict[str, Any]:
    return {"output_tokens_details": {"thinking_tokens": len(script.reasoning)}}


def _page(query: Mapping[str, str]) -> dict[str, Any]:
    start = MODELS.index(query["after_id"]) + 1 if query.get("after_id") in MODELS else 0
    end = start + int(query.get("limit", 20))
    names = MODELS[start:end]
    return {
        "data": [_model(name) for name in names],
        "has_more": end < len(MODELS),
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def _model(name: str) -> dict[str, Any]:
    is_newest = name in checks.NEWEST
    thinking = {
        "adaptive": {"supported": name != "claude-haiku-4-5"},
        "between_tools": {"supported": name == "claude-sonnet-5-5"},
        "disabled": {"supported": not is_newest},
        "enabled": {"supported": not is_newest},
    }
    supported = ("batch", "citations", "image_input", "pdf_input", "structured_outputs")
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-09-28T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000 if is_newest else 200_000,
        "max_tokens": 128_000 if is_newest else 64_000,
        "capabilities": {
            **{one: {"supported": True} for one in supported},
            "thinking": {"supported": True, "types": thinking},
        },
    }


def _event(data: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), _dumped(data))


def _dumped(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
