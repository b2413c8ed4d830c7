"""The bytes of a reply of `/responses`: items, and the events that tell how each of them grows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk.testing import Script

from parley_tests.openai_peer.content import (
    messages_of,
    output_tokens,
    pieces,
    prompt_tokens,
    weighed,
)
from parley_tests.openai_peer.seal import sealed

JSON: TypeAlias = dict[str, Any]

_ID = "resp_peer"
_MESSAGE_ID = "msg_peer"
# The words of a script that end a response before it is complete, and the one for a refusal.
_INCOMPLETE = ("max_output_tokens", "content_filter")
_REFUSAL = "refusal"
_LOGPROBS = "message.output_text.logprobs"


class _Stream:
    """Numbers the events of a response."""

    def __init__(self, script: Script) -> None:
        self._unknown = script.unknown
        self._number = 0

    def event(self, kind: str, **fields: Any) -> bytes:
        # Nothing comes before the first, `response.created`.
        if not (self._unknown and self._number):
            return self._event(kind, fields)
        novel = self._event("response.novel.delta", {"delta": "?", "output_index": 0})
        return b": keep-alive\n\n" + novel + self._event(kind, {**fields, "novel": [1, None]})

    def _event(self, kind: str, fields: JSON) -> bytes:
        data = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def events(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> list[bytes]:
    """Returns the events of a stream: the opening ones, one for each text, and the end."""
    stream, items = _Stream(script), _items(body, texts, script)
    begun = _response(body, status="in_progress")
    made = [
        stream.event("response.created", response=begun)
        + stream.event("response.in_progress", response=begun)
    ]
    rest = b""
    for index, item in enumerate(items):
        if item["type"] == "function_call":
            rest += _call_events(stream, index, item)
            continue
        told = script.reasoning if item["type"] == "reasoning" else texts
        opening, deltas, closing = _text_events(stream, index, item, told)
        # What surrounds the texts goes out with them: the events of a script are its texts.
        for delta in deltas:
            made.append(rest + opening + delta)
            rest = opening = b""
        rest += opening + closing
    ended = _ended(body, texts, script, items)
    return [*made, rest + stream.event(f"response.{ended['status']}", response=ended)]


def whole(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> bytes:
    """Returns a reply in one piece."""
    ended = _ended(body, texts, script, _items(body, texts, script))
    return orjson.dumps({**ended, "novel": [1, None]} if script.unknown else ended)


def failed_event(code: str, message: str) -> bytes:
    """Returns the event of a response that failed in the middle."""
    response = _response({"model": "gpt-peer"}, status="failed")
    response["error"] = {"code": code, "message": message}
    data = {"type": "response.failed", "sequence_number": 99, "response": response}
    return b"event: response.failed\ndata: " + orjson.dumps(data) + b"\n\n"


def _items(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> list[JSON]:
    items = [_reasoning(script.reasoning)] if script.reasoning else []
    if texts or not script.calls:
        is_weighed = _LOGPROBS in (body.get("include") or ())
        weights = weighed(texts, body.get("top_logprobs") or 0) if is_weighed else []
        items.append(_message(texts, script, weights))
    return items + [_call(call) for call in script.calls]


def _reasoning(texts: Sequence[str]) -> JSON:
    thought = "".join(texts)
    item_id = f"rs_{hashlib.sha256(thought.encode()).hexdigest()[:16]}"
    summary = [{"type": "summary_text", "text": thought}]
    content = sealed(item_id, thought)
    return {"id": item_id, "type": "reasoning", "summary": summary, "encrypted_content": content}


def _message(texts: Sequence[str], script: Script, weights: list[JSON]) -> JSON:
    text = "".join(texts)
    part: JSON = {"type": "output_text", "text": text, "annotations": [], "logprobs": weights}
    if script.finish_reason == _REFUSAL:
        part = {"type": "refusal", "refusal": text}
    status = "incomplete" if script.finish_reason in _INCOMPLETE else "completed"
    item = {"id": _MESSAGE_ID, "type": "message", "role": "assistant", "status": status}
    # Models that reason say which of their messages is the answer.
    phase = {"phase": "final_answer"} if script.reasoning else {}
    return {**item, **phase, "content": [part]}


def _call(call: Mapping[str, str]) -> JSON:
    return {
        "id": f"fc_{call['tool_call_id']}",
        "type": "function_call",
        "status": "completed",
        "call_id": call["tool_call_id"],
        "name": call["name"],
        "arguments": call["arguments"],
    }


def _text_events(
    stream: _Stream, index: int, item: JSON, texts: Sequence[str]
) -> tuple[bytes, list[bytes], bytes]:
    """Returns what comes before an item's texts, the texts, and what comes after."""
    is_thought = item["type"] == "reasoning"
    part = item["summary"][0] if is_thought else item["content"][0]
    field = "refusal" if part["type"] == _REFUSAL else "text"
    kind = {"summary_text": "reasoning_summary_text"}.get(part["type"], part["type"])
    around = "reasoning_summary_part" if is_thought else "content_part"
    place = {"item_id": item["id"], "output_index": index}
    place |= {"summary_index": 0} if is_thought else {"content_index": 0}
    is_said = kind == "output_text"
    # The events' own form of them has no bytes.
    weights = [_without_bytes(one) for one in part["logprobs"]] if is_said else []
    extra: JSON = {"logprobs": weights} if is_said else {}
    begun = {**item, "summary" if is_thought else "content": []}
    if not is_thought:
        begun["status"] = "in_progress"
    opening = stream.event("response.output_item.added", output_index=index, item=begun)
    opening += stream.event(
        f"response.{around}.added",
        **place,
        part={**part, field: "", **({"logprobs": []} if is_said else {})},
    )
    deltas = []
    for number, text in enumerate(texts):
        own: JSON = {"logprobs": weights[number : number + 1]} if is_said else {}
        deltas.append(stream.event(f"response.{kind}.delta", **place, **own, delta=text))
    closing = stream.event(f"response.{kind}.done", **place, **extra, **{field: part[field]})
    closing += stream.event(f"response.{around}.done", **place, part=part)
    closing += stream.event("response.output_item.done", output_index=index, item=item)
    return opening, deltas, closing


def _without_bytes(weight: JSON) -> JSON:
    top = [_without_bytes(one) for one in weight.get("top_logprobs", ())]
    made = {name: value for name, value in weight.items() if name != "bytes"}
    return {**made, "top_logprobs": top} if "top_logprobs" in made else made


def _call_events(stream: _Stream, index: int, item: JSON) -> bytes:
    begun = {**item, "arguments": "", "status": "in_progress"}
    kind, place = "response.function_call_arguments", {"item_id": item["id"], "output_index": index}
    made = [stream.event("response.output_item.added", output_index=index, item=begun)]
    made += [stream.event(f"{kind}.delta", **place, delta=one) for one in pieces(item["arguments"])]
    made.append(stream.event(f"{kind}.done", **place, arguments=item["arguments"]))
    made.append(stream.event("response.output_item.done", output_index=index, item=item))
    return b"".join(made)


def _ended(
    body: Mapping[str, Any], texts: Sequence[str], script: Script, items: list[JSON]
) -> JSON:
    response = _response(body, status="completed")
    response["output"] = items
    if script.finish_reason in _INCOMPLETE:
        response["status"] = "incomplete"
        response["incomplete_details"] = {"reason": script.finish_reason}
    if script.usage:
        response["usage"] = _usage(body, texts, script)
    return response


def _usage(body: Mapping[str, Any], texts: Sequence[str], script: Script) -> JSON:
    given, made = prompt_tokens(messages_of(body)), output_tokens(texts, script)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": len(script.reasoning)},
        "total_tokens": given + made,
    }


def _response(body: Mapping[str, Any], *, status: str) -> JSON:
    """Returns a response without its output: what was asked for, with the vendor's defaults."""
    return {
        "id": _ID,
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": {},
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }
