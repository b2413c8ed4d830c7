"""A reply, cut into the blocks of the dialect as it comes."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from parley.provider.v1.reply_pb2 import GenerateReplyResponse, ToolCallDelta
from parley_gateway.api.dialects import opaque
from parley_gateway.api.dialects.messages.carried import Owner, written
from parley_gateway.api.dialects.messages.conversation import NO_OBJECT
from parley_gateway.api.dialects.ownership import NOTHING

TEXT = "text"
THINKING = "thinking"
TEXT_DELTA = b"text_delta"
THINKING_DELTA = b"thinking_delta"
SIGNATURE_DELTA = b"signature_delta"
INPUT_DELTA = b"input_json_delta"


class Sink(Protocol):
    """Takes the blocks of a reply, one after the other."""

    def open(self, block: dict[str, Any]) -> None:
        """Begin a block, the next one in number."""

    def grow(self, number: int, kind: bytes, text: str) -> None:
        """Add to a block, the last one or one before it."""

    def close(self, number: int) -> None:
        """End a block."""


class Call:
    """A call of a tool that has begun: its block, and what the client was told of its input."""

    def __init__(self, number: int, call_id: str) -> None:
        self.number = number
        self.call_id = call_id
        # Whether its arguments are those of a JSON object, as far as their first character says.
        self.is_object: bool | None = None
        # Arguments that the client is told in another form, when there are all of them.
        self.held = ""


class Pieces:
    """Cuts a reply into blocks. What ends a piece ends its block."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.count = 0
        # What the block is of that is open: text, thinking, or a call of some number.
        self.kind: str | int | None = None
        self.calls: dict[int, Call] = {}

    def take(self, event: GenerateReplyResponse) -> None:
        """Take in an event; those that hold nothing of the reply are left alone."""
        match event.WhichOneof("event"):
            case "text":
                self._say(TEXT, TEXT_DELTA, event.text)
            case "reasoning":
                self._say(THINKING, THINKING_DELTA, event.reasoning)
            case "tool_call":
                self._call(event.tool_call)
            case "text_metadata":
                self._end_text(event.text_metadata)
            case "reasoning_metadata":
                self._end_thinking(event.reasoning_metadata)

    def close(self) -> None:
        """End the block that is open."""
        if self.kind is None:
            return
        kind, self.kind = self.kind, None
        if isinstance(kind, int):
            self._release(self.calls[kind])
        self.sink.close(self.count - 1)

    def end(self) -> None:
        """End the reply."""
        self.close()
        for call in self.calls.values():
            self._release(call)

    def _say(self, kind: str, delta: bytes, text: str) -> None:
        if self.kind != kind:
            signed = {"signature": ""} if kind == THINKING else {}
            self._open(kind, {"type": kind, kind: "", **signed})
        self.sink.grow(self.count - 1, delta, text)

    def _open(self, kind: str | int, block: dict[str, Any]) -> None:
        self.close()
        self.kind = kind
        self.count += 1
        self.sink.open(block)

    def _carry(self, owner: Owner, metadata: bytes, call_id: str = "") -> None:
        data = written(owner, metadata, call_id)
        self._open("redacted_thinking", {"type": "redacted_thinking", "data": data})
        self.close()

    def _end_text(self, metadata: bytes) -> None:
        owner = Owner.TEXT if self.kind == TEXT else Owner.BLANK
        self.close()
        if metadata != NOTHING:
            self._carry(owner, metadata)

    def _end_thinking(self, metadata: bytes) -> None:
        if self.kind == THINKING:
            self.sink.grow(self.count - 1, SIGNATURE_DELTA, opaque.wrapped(metadata))
            self.close()
        else:
            self._carry(Owner.THINKING, metadata)

    def _call(self, part: ToolCallDelta) -> None:
        call = self.calls.get(part.index)
        if call is None:
            block = {"type": "tool_use", "id": part.tool_call_id, "name": part.name, "input": {}}
            self._open(part.index, block)
            call = self.calls[part.index] = Call(self.count - 1, part.tool_call_id)
        if part.arguments:
            self._argue(call, part.arguments)
        if part.provider_metadata:
            self._carry(Owner.CALL, part.provider_metadata, call.call_id)

    def _argue(self, call: Call, text: str) -> None:
        """Tell arguments as they come, unless their beginning shows that they are no object.

        Those of a call whose block has ended already, because calls came mixed, are told with
        its number all the same.
        """
        if call.is_object is None:
            begun = (call.held + text).lstrip()
            if not begun:
                call.held += text
                return
            call.is_object = begun.startswith("{")
            text, call.held = (call.held + text, "") if call.is_object else (text, call.held)
        if call.is_object:
            self.sink.grow(call.number, INPUT_DELTA, text)
        else:
            call.held += text

    def _release(self, call: Call) -> None:
        if call.held and call.is_object is False:
            told = orjson.dumps({NO_OBJECT: call.held}).decode()
            self.sink.grow(call.number, INPUT_DELTA, told)
            call.held = ""
