"""A reply as chunks of a stream: what stays the same in all of them is written once."""

from __future__ import annotations

from typing import Any

import orjson

from parley.provider.v1.reply_pb2 import (
    Finished,
    GenerateReplyResponse,
    ToolCallDelta,
)
from parley_gateway.api.dialects.completions.layout import OURS, Kind, carried
from parley_gateway.api.dialects.completions.reply import Reply, counted, details, token
from parley_gateway.api.dialects.opaque import wrapped

Json = dict[str, Any]
DONE = b"data: [DONE]\n\n"
# Stands in for what differs while the rest is written.
HOLE = "\0"
HOLE_BYTES = orjson.dumps(HOLE)


class Chunks:
    """Writes one choice of a stream; what it says was read before (`Reply`)."""

    def __init__(
        self, frame: Json, reply: Reply, index: int = 0, *, has_logprobs: bool = False
    ) -> None:
        """`frame` is what all chunks of the stream say, but for the model."""
        self.reply = reply
        self.index = index
        self._frame = frame
        self._has_logprobs = has_logprobs
        self._has_role = False
        # Text that waits for the probabilities of its tokens.
        self._waiting: str | None = None
        # Pieces of reasoning that were told with what their vendor wants back.
        self._told = 0
        self._head = self._tail = b""

    def write(self, event: GenerateReplyResponse) -> bytes:
        """Take in an event and return the chunks for it, mostly one."""
        kind = event.WhichOneof("event")
        if kind == "text":
            return self.text(event.text)
        if kind == "reasoning":
            return self.reasoning(event.reasoning)
        return self.rarer(kind, event)

    def rarer(self, kind: str | None, event: GenerateReplyResponse) -> bytes:
        """Take in what does not come with every token."""
        if kind == "tool_call":
            return self.settled() + self.call(event.tool_call)
        if kind == "finished":
            return self.settled() + self.end(event.finished)
        self.reply.add(event)
        if kind == "answerer" and self._has_role:
            self._prepare()
        if kind == "logprobs":
            return self.likely(event)
        if kind == "reasoning_metadata":
            return self.told()
        return b""

    def role(self, content: str | None = "") -> bytes:
        """Return the chunk that begins the choice; nothing when it was written."""
        if self._has_role:
            return b""
        self._has_role = True
        self._prepare()
        return self._delta({"role": "assistant", "content": content, "refusal": None})

    def text(self, text: str) -> bytes:
        """Write text."""
        self.reply.say(Kind.TEXT, text)
        begun = self.role() if not self._has_role else b""
        if self._has_logprobs:
            before, self._waiting = self._waiting, text
            return begun if before is None else begun + self._delta({"content": before})
        return b'%s%s{"content":%s}%s' % (begun, self._head, orjson.dumps(text), self._tail)

    def reasoning(self, text: str) -> bytes:
        """Write reasoning."""
        self.reply.say(Kind.REASONING, text)
        begun = self.role(None) if not self._has_role else b""
        thought = orjson.dumps(text)
        return b'%s%s{"reasoning_content":%s}%s' % (begun, self._head, thought, self._tail)

    def call(self, part: ToolCallDelta) -> bytes:
        """Write a part of a call."""
        is_first = bool(part.name)
        piece = self.reply.call(part)
        function: Json = {"arguments": part.arguments}
        made: Json = {"index": part.index}
        if is_first:
            made |= {"id": piece.call_id, "type": "function"}
            function = {"name": piece.name, **function}
        made["function"] = function
        if part.provider_metadata:
            carrier = made if not self.reply.is_legacy else function
            carrier["extra_content"] = {OURS: wrapped(part.provider_metadata)}
        if self.reply.is_legacy:
            # This form has room for one.
            delta: Json = {} if part.index else {"function_call": function}
        else:
            delta = {"tool_calls": [made]}
        return self.role(None) + self._delta(delta)

    def likely(self, event: GenerateReplyResponse) -> bytes:
        """Write the probabilities of tokens, with their text where that waits."""
        text, self._waiting = self._waiting, None
        told = {"content": list(map(token, event.logprobs.tokens)), "refusal": None}
        delta = {} if text is None else {"content": text}
        return self.role() + self._whole(delta, told, None)

    def settled(self) -> bytes:
        """Write text that still waits."""
        text, self._waiting = self._waiting, None
        return b"" if text is None else self._delta({"content": text})

    def told(self) -> bytes:
        """Write pieces of reasoning with what their vendor wants back."""
        thoughts = self.reply.of(Kind.REASONING)
        new = list(details(thoughts[self._told :], self._told))
        self._told = len(thoughts)
        return self.role(None) + (self._delta({"reasoning_details": new}) if new else b"")

    def end(self, finished: Finished) -> bytes:
        """Write the end of the choice."""
        self.reply.finish(finished)
        last = self.role()
        if self._told:
            last += self.told() if len(self.reply.of(Kind.REASONING)) > self._told else b""
        if carrier := carried(self.reply.pieces):
            last += self._delta({"extra_content": carrier})
        if refusal := self.reply.refusal:
            last += self._delta({"refusal": refusal})
        return last + self._whole({}, None, self.reply.finish_reason)

    def _prepare(self) -> None:
        """Write what stands around each delta."""
        around = self._whole(HOLE, None, None)
        self._head, _, self._tail = around.partition(HOLE_BYTES)

    def _delta(self, delta: Json) -> bytes:
        return b"%s%s%s" % (self._head, orjson.dumps(delta), self._tail)

    def _whole(self, delta: object, logprobs: Json | None, reason: str | None) -> bytes:
        choice = {
            "index": self.index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": reason,
        }
        return written({**self._frame, "model": self.reply.model, "choices": [choice]})


def written(chunk: Json) -> bytes:
    """Write a chunk."""
    return b"data: %s\n\n" % orjson.dumps(chunk)


def last_chunk(frame: Json, replies: list[Reply]) -> bytes:
    """Write the chunk that tells what all choices used."""
    usages = [reply.finished.usage for reply in replies if reply.finished]
    return written({**frame, "model": replies[0].model, "choices": [], "usage": counted(usages)})
