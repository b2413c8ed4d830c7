"""Acme's wire from the other side, for a Peer: what a test or a demonstration talks to.

Acme is invented, and so is its wire; its README describes it. For a real vendor, say here which
page of its documentation, or which recorded answer, each detail is from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from parley_provider_sdk.testing import Answer, Dialect, Received, Script
from typing_extensions import override

# What it wants back with a thought and with a call.
THOUGHT_SEAL = "seal-of-a-thought"
CALL_SEAL = "seal-of-a-call"
# The status and the code of each failure, by our name for it.
FAILURES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "authentication": (401, "bad_key"),
        "model_not_found": (404, "no_such_model"),
        "bad_request": (400, "odd"),
        "context": (400, "too_long"),
        "quota": (403, "no_credit"),
        "rate": (429, "too_fast"),
        "busy": (503, "busy"),
        "failed": (500, "oops"),
        "timeout": (504, "slow"),
        "too_large": (413, "too_large"),
    }
)


class AcmeDialect(Dialect):
    """Acme's wire."""

    prefix = "/v1"
    models = ("acme-1", "acme-2")

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return headers.get("x-acme-key", "")

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        return str(body["model"]) if path == "/replies" else None

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return bool(body["stream"])

    @override
    def last_text(self, body: Any) -> str:
        pieces = body["turns"][-1]["pieces"]
        return "".join(piece["text"] for piece in pieces if piece["kind"] == "text")

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        thoughts = _thoughts(script)
        said = [*thoughts, *({"kind": "text", "text": text} for text in texts)]
        events = [{"type": "begin"}, *(_event(one) for one in said)]
        events += [_event(piece) for call in script.calls for piece in _call_pieces(call)]
        events.append({"type": "end", **_end(said, script)})
        written = [_sse(event) for event in events]
        if script.unknown:
            strange = b": a comment\n\n" + _sse({"type": "news", "text": "?"}) + b"event: x\n\n"
            written = [strange + _with_unknown(event) for event in events]
        return written

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        said = [*_thoughts(script), *({"kind": "text", "text": text} for text in texts)]
        calls = [{"kind": "call", **_named(call), "seal": CALL_SEAL} for call in script.calls]
        return json.dumps({"pieces": [*said, *calls], **_end(said, script)}).encode()

    @override
    def failure(self, name: str, **words: str) -> Answer:
        status, code = FAILURES[name]
        message = f"Not with {words.get('key', '')}."
        return Answer(status, json.dumps({"error": {"code": code, "message": message}}).encode())

    @override
    def error_event(self, name: str) -> bytes:
        _, code = FAILURES[name]
        return _sse({"type": "error", "error": {"code": code, "message": "In the middle."}})

    @override
    def other(self, asked: Received) -> Answer | None:
        if (asked.method, asked.path) != ("GET", "/models"):
            return None
        models = [{"id": name, "name": name.title(), "context": 100_000} for name in self.models]
        return Answer(200, json.dumps({"models": models}).encode())


def _sse(event: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _with_unknown(event: Mapping[str, Any]) -> bytes:
    return _sse({"version": [7], **event, "mood": {"good": True}})


def _event(piece: Mapping[str, Any]) -> dict[str, Any]:
    return {"type" if name == "kind" else name: value for name, value in piece.items()}


def _thoughts(script: Script) -> list[dict[str, str]]:
    thoughts = [{"kind": "thought", "text": text} for text in script.reasoning]
    if thoughts:
        thoughts[-1]["seal"] = THOUGHT_SEAL
    return thoughts


def _named(call: Mapping[str, str]) -> dict[str, str]:
    return {"id": call["tool_call_id"], "tool": call["name"], "input": call["arguments"]}


def _call_pieces(call: Mapping[str, str]) -> list[dict[str, str]]:
    """A call in pieces: who is called, the arguments bit by bit, the seal."""
    named = _named(call)
    text = named.pop("input")
    bits = [text[start : start + 7] for start in range(0, len(text), 7)]
    middle = [{"kind": "call", "id": named["id"], "input": bit} for bit in bits]
    return [
        {"kind": "call", **named},
        *middle,
        {"kind": "call", "id": named["id"], "seal": CALL_SEAL},
    ]


def _end(said: Sequence[Mapping[str, Any]], script: Script) -> dict[str, Any]:
    why = script.finish_reason or ("call" if script.calls else "finished")
    if not script.usage:
        return {"why": why}
    thought = len(script.reasoning)
    tokens = {"in": 5, "out": len(said) + len(script.calls), "thought": thought}
    return {"why": why, "tokens": tokens}
