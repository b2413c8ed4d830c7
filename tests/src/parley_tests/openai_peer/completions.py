"""The bytes of a reply of `/chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from parley_provider_sdk.testing import Script

from parley_tests.openai_peer.content import output_tokens, pieces, prompt_tokens, weighed

_CHUNK = b'"id":"chatcmpl-peer","object":"chat.completion.chunk","created":1700000000,"model":'
# What nobody knows: a comment, an event, and a field in every other.
_UNKNOWN_EVENT = b': keep-alive\n\nevent: novel\ndata: {"object":"novel","choices":[]}\n\n'
_UNKNOWN_FIELD = b'"novel":{"deep":[1,null]},'
# A script's word for texts that are a refusal.
_REFUSAL = "refusal"


def events(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> list[bytes]:
    """Returns the events of a stream: the opening one, one for each token, and the end."""
    with_usage = script.usage and bool((body.get("stream_options") or {}).get("include_usage"))
    before, field = (_UNKNOWN_EVENT, _UNKNOWN_FIELD) if script.unknown else (b"", b"")
    prefix = before + b"data: {" + field + _CHUNK + orjson.dumps(body["model"]) + b',"choices":['
    suffix = (b'],"usage":null}' if with_usage else b"]}") + b"\n\n"
    end = b"".join(prefix + _choice(one) + suffix for one in _call_deltas(script))
    end += prefix + _choice(b"{}", orjson.dumps(_finish_reason(script))) + suffix
    if with_usage:
        counts = orjson.dumps(_usage(body, texts, script))
        end += prefix + b'],"usage":' + counts + b"}\n\n"
    opening = b'{"role":"assistant","content":"","refusal":null}'
    deltas = [opening, *_deltas("reasoning_content", script.reasoning)]
    made = [prefix + _choice(one) + suffix for one in deltas]
    weights = [b"null"] * len(texts)
    if body.get("logprobs"):
        weights = [orjson.dumps(_logprobs(body, [text], script)) for text in texts]
    for delta, weight in zip(_deltas(_field(script), texts), weights, strict=True):
        made.append(prefix + _choice(delta, weights=weight) + suffix)
    return [*made, end + b"data: [DONE]\n\n"]


def whole(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> bytes:
    """Returns a reply in one piece."""
    calls = [_call(call) for call in script.calls]
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if texts or not calls:
        message[_field(script)] = "".join(texts)
    if script.reasoning:
        message["reasoning_content"] = "".join(script.reasoning)
    if calls:
        message["tool_calls"] = calls
    weights = _logprobs(body, texts, script) if texts else None
    choice = {"index": 0, "message": message, "logprobs": weights}
    answer: dict[str, Any] = {
        "id": "chatcmpl-peer",
        "object": "chat.completion",
        "created": 1700000000,
        "model": body["model"],
        "choices": [{**choice, "finish_reason": _finish_reason(script)}],
    }
    if script.unknown:
        answer["novel"] = message["novel"] = {"deep": [1, None]}
    if script.usage:
        answer["usage"] = _usage(body, texts, script)
    return orjson.dumps(answer)


def _logprobs(
    body: Mapping[str, Any], texts: Sequence[str], script: Script
) -> dict[str, Any] | None:
    if not body.get("logprobs"):
        return None
    tokens = weighed(texts, body.get("top_logprobs") or 0)
    return {"content": None, "refusal": None, _field(script): tokens}


def _field(script: Script) -> str:
    return "refusal" if script.finish_reason == _REFUSAL else "content"


def _finish_reason(script: Script) -> str:
    if script.finish_reason and script.finish_reason != _REFUSAL:
        return script.finish_reason
    return "tool_calls" if script.calls else "stop"


def _deltas(field: str, texts: Sequence[str]) -> list[bytes]:
    start = b'{"' + field.encode() + b'":'
    return [start + orjson.dumps(text) + b"}" for text in texts]


def _call(call: Mapping[str, str], arguments: str | None = None) -> dict[str, Any]:
    text = call["arguments"] if arguments is None else arguments
    function = {"name": call["name"], "arguments": text}
    return {"id": call["tool_call_id"], "type": "function", "function": function}


def _call_deltas(script: Script) -> list[bytes]:
    """Returns the deltas of all calls: each begins with its id and name, and goes on without."""
    made = []
    for index, call in enumerate(script.calls):
        opening = {"index": index, **_call(call, "")}
        rest = [
            {"index": index, "function": {"arguments": piece}}
            for piece in pieces(call["arguments"])
        ]
        made += [orjson.dumps({"tool_calls": [one]}) for one in (opening, *rest)]
    return made


def _usage(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> dict[str, Any]:
    given, made = prompt_tokens(body["messages"]), output_tokens(texts, script)
    thought = {"reasoning_tokens": len(script.reasoning), "audio_tokens": 0}
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": thought,
    }


def _choice(delta: bytes, finish_reason: bytes = b"null", *, weights: bytes = b"null") -> bytes:
    rest = b',"logprobs":' + weights + b',"finish_reason":' + finish_reason + b"}"
    return b'{"index":0,"delta":' + delta + rest
