"""Messages, as clients receive them: what they consist of, and the whole one."""

from __future__ import annotations

from typing import Any

import orjson

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import Finished, GenerateReplyResponse, Usage
from parley_gateway.api.dialects.messages.conversation import NO_OBJECT
from parley_gateway.api.dialects.messages.pieces import (
    INPUT_DELTA,
    SIGNATURE_DELTA,
    TEXT_DELTA,
    THINKING_DELTA,
    Pieces,
)

# All others are the end of a turn.
REASONS = {
    reply_pb2.FINISH_REASON_LENGTH: "max_tokens",
    reply_pb2.FINISH_REASON_TOOL: "tool_use",
    reply_pb2.FINISH_REASON_REFUSAL: "refusal",
    reply_pb2.FINISH_REASON_FILTERED: "refusal",
    reply_pb2.FINISH_REASON_PAUSED: "pause_turn",
}
FIELDS = {TEXT_DELTA: "text", THINKING_DELTA: "thinking", SIGNATURE_DELTA: "signature"}
Fields = dict[str, Any]


class Whole:
    """A reply that is told when it has ended."""

    def __init__(self, model: str) -> None:
        # Who answers, as far as is known.
        self.model = model
        self.content: list[Fields] = []
        self.pieces = Pieces(self)
        self.finished = Finished()
        # The texts of each block, by the field that they fill.
        self._texts: list[dict[bytes, list[str]]] = []

    def take(self, event: GenerateReplyResponse) -> None:
        """Take in an event."""
        self.pieces.take(event)
        if event.HasField("finished"):
            self.finished = event.finished
            self.model = name_of(event.finished, self.model)
            self.pieces.end()

    def open(self, block: Fields) -> None:
        """Begin a block."""
        self.content.append(block)
        self._texts.append({})

    def grow(self, number: int, kind: bytes, text: str) -> None:
        """Add to a block."""
        self._texts[number].setdefault(kind, []).append(text)

    def close(self, number: int) -> None:
        """End a block: more may follow all the same, so this waits for the end."""

    def message(self, message_id: str) -> Fields:
        """Return the message."""
        for block, texts in zip(self.content, self._texts, strict=True):
            fill(block, {kind: "".join(parts) for kind, parts in texts.items()})
        return {
            **beginning(message_id, self.model),
            "content": self.content,
            **ending(self.finished),
            "usage": usage(self.finished.usage),
        }


def fill(block: Fields, texts: dict[bytes, str]) -> None:
    """Put into a block what it grew by."""
    for kind, text in texts.items():
        if kind == INPUT_DELTA:
            block["input"] = input_of(text)
        else:
            block[FIELDS[kind]] = text


def input_of(text: str) -> Fields:
    """Return the input of a call, an object even when the model wrote none."""
    try:
        made = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError:
        made = None
    return made if isinstance(made, dict) else {NO_OBJECT: text}


def beginning(message_id: str, model: str) -> Fields:
    """Return the fields of a message that are known when it begins."""
    return {"id": message_id, "type": "message", "role": "assistant", "model": model}


def ending(finished: Finished) -> Fields:
    """Return the fields of a message that say why it ended."""
    reason = REASONS.get(finished.reason, "end_turn")
    stop = finished.stop_sequence or None
    made: Fields = {"stop_reason": "stop_sequence" if stop else reason, "stop_sequence": stop}
    if reason == "refusal":
        made["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return made


def usage(counts: Usage) -> Fields:
    """Return what a message used; what was cached counts apart, and what was written to a cache."""
    apart = counts.cached_input_tokens + counts.cache_write_tokens
    made: Fields = {
        "input_tokens": max(counts.input_tokens - apart, 0),
        "cache_creation_input_tokens": counts.cache_write_tokens,
        "cache_read_input_tokens": counts.cached_input_tokens,
        "output_tokens": counts.output_tokens,
    }
    if counts.cache_write_tokens:
        lasting = counts.long_cache_write_tokens
        made["cache_creation"] = {
            "ephemeral_5m_input_tokens": counts.cache_write_tokens - lasting,
            "ephemeral_1h_input_tokens": lasting,
        }
    if counts.reasoning_tokens:
        made["output_tokens_details"] = {"thinking_tokens": counts.reasoning_tokens}
    return made


def name_of(one: Finished | reply_pb2.ModelChoice, otherwise: str) -> str:
    """Return the model that answers, as a request would name it."""
    return f"{one.provider}/{one.model}" if one.provider else otherwise
