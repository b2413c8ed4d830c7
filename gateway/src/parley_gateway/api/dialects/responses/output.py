"""The output of a response as it grows: its items, and the events that tell of them."""

from __future__ import annotations

from typing import Any

import orjson
from typing_extensions import override

from parley.provider.v1.reply_pb2 import Logprobs, TokenLogprob, ToolCall, ToolCallDelta
from parley_gateway.api.dialects import opaque
from parley_gateway.api.dialects.bodies import json_of
from parley_gateway.api.dialects.responses import answers, carriers, names

Document = dict[str, Any]
COMPLETED, RUNNING = "completed", "in_progress"


class Events:
    """Events that wait to be sent, each with its number."""

    def __init__(self) -> None:
        self.number = 0
        self.frames: list[bytes] = []

    def add(self, kind: str, fields: Document) -> None:
        """Add an event."""
        data = json_of({"type": kind, "sequence_number": self.number, **fields})
        self.frames.append(b"event: %s\ndata: %s\n\n" % (kind.encode(), data))
        self.number += 1

    def delta(self, head: bytes, text: str) -> None:
        """Add an event whose beginning is made already."""
        self.frames.append(
            b'%s%s,"sequence_number":%d}\n\n' % (head, orjson.dumps(text), self.number)
        )
        self.number += 1

    def taken(self) -> bytes:
        """Return what waits, which does so no longer."""
        frames = b"".join(self.frames)
        self.frames.clear()
        return frames


class Silence(Events):
    """Events that nobody hears."""

    @override
    def add(self, kind: str, fields: Document) -> None:
        """Add nothing."""

    @override
    def delta(self, head: bytes, text: str) -> None:
        """Add nothing."""


def head_of(kind: str, fields: Document) -> bytes:
    """Return the beginning of an event down to its `delta`."""
    data = orjson.dumps({"type": kind, **fields})[:-1]
    return b'event: %s\ndata: %s,"delta":' % (kind.encode(), data)


class Growing:
    """An item that is not whole yet."""

    def __init__(self, item: Document, index: int) -> None:
        self.item = item
        self.index = index
        self.texts: list[str] = []
        self.logprobs: list[Document] = []
        self.head = b""
        # What its vendor wants back with it.
        self.metadata = b""

    @property
    def place(self) -> Document:
        """Say in an event which item it is of."""
        return {"item_id": self.item["id"], "output_index": self.index}

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self.texts)


class Output:
    """The items of one response."""

    def __init__(self, of: str, events: Events, *, logprobs: bool = False) -> None:
        # What the response shows, in whose name its items are called.
        self.of = of
        self.events = events
        self.items: list[Document] = []
        self.counts: dict[str, int] = {}
        self.message: Growing | None = None
        self.thought: Growing | None = None
        self.calls: dict[int, Growing] = {}
        # Text is held back until its probabilities are there when they are asked for.
        self.awaits_logprobs = logprobs
        self.held = ""

    def text(self, piece: str) -> None:
        """Add to what the model says."""
        message = self.message or self._begin_message()
        message.texts.append(piece)
        if self.awaits_logprobs:
            self._release()
            self.held = piece
        else:
            self.events.delta(message.head, piece)

    def reasoning(self, piece: str) -> None:
        """Add to what the model thinks."""
        thought = self.thought or self._begin_thought()
        if not thought.texts:
            part = {"type": "summary_text", "text": ""}
            self.events.add(
                "response.reasoning_summary_part.added",
                {**thought.place, "summary_index": 0, "part": part},
            )
        thought.texts.append(piece)
        self.events.delta(thought.head, piece)

    def logprobs(self, found: Logprobs) -> None:
        """Add the probabilities of the text before."""
        if self.message is None:
            return
        made = [logprob(token) for token in found.tokens]
        self.message.logprobs += made
        self._release(made)

    def tool_call(self, delta: ToolCallDelta) -> None:
        """Add to a call of a tool."""
        call = self.calls.get(delta.index)
        if call is None:
            self._close_message()
            self._close_thought()
            begun = ToolCall(tool_call_id=delta.tool_call_id, name=delta.name)
            call = self._add("fc", lambda name: answers.call_item(name, RUNNING, begun))
            call.head = head_of("response.function_call_arguments.delta", call.place)
            self.calls[delta.index] = call
        if delta.arguments:
            call.texts.append(delta.arguments)
            self.events.delta(call.head, delta.arguments)
        if delta.provider_metadata:
            call.metadata = delta.provider_metadata

    def text_metadata(self, metadata: bytes) -> None:
        """End a piece of text, and hand out what its vendor wants back with it."""
        self.close()
        self._carry(carriers.for_text(metadata))

    def reasoning_metadata(self, metadata: bytes) -> None:
        """End a piece of reasoning likewise."""
        thought = self.thought or self._begin_thought()
        thought.metadata = metadata
        self._close_thought()

    def close(self, status: str = COMPLETED) -> None:
        """End what is not whole yet."""
        self._close_thought()
        self._close_message(status)
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.item |= {"status": status, "arguments": call.text}
            whole = {**call.place, "name": call.item["name"], "arguments": call.text}
            self.events.add("response.function_call_arguments.done", whole)
            self._done(call)
        for call in calls.values():
            if call.metadata:
                self._carry(carriers.for_call(call.item["call_id"], call.metadata))

    def end(self, status: str = COMPLETED) -> None:
        """End all of it; a whole response says something, if only nothing."""
        if status == COMPLETED and not any(item["type"] != "reasoning" for item in self.items):
            self._begin_message()
        self.close(status)

    def refuse(self) -> None:
        """Call what was said a refusal."""
        for item in self.items:
            if item["type"] == "message":
                item["content"] = [answers.refusal_part(one["text"]) for one in item["content"]]

    def _begin_message(self) -> Growing:
        self._close_thought()
        if self.calls:
            self.close()
        message = self._add("msg", lambda name: answers.message_item(name, RUNNING, []))
        message.head = head_of(
            "response.output_text.delta", {**message.place, "content_index": 0, "logprobs": []}
        )
        part = {**message.place, "content_index": 0, "part": answers.text_part("")}
        self.events.add("response.content_part.added", part)
        self.message = message
        return message

    def _begin_thought(self) -> Growing:
        if self.message or self.calls:
            self.close()
        thought = self._add("rs", lambda name: answers.reasoning_item(name, ""))
        thought.head = head_of(
            "response.reasoning_summary_text.delta", {**thought.place, "summary_index": 0}
        )
        self.thought = thought
        return thought

    def _close_message(self, status: str = COMPLETED) -> None:
        message, self.message = self.message, None
        if message is None:
            return
        self._release(to=message)
        part = answers.text_part(message.text, message.logprobs)
        place = {**message.place, "content_index": 0}
        done = {"text": message.text, "logprobs": message.logprobs}
        self.events.add("response.output_text.done", place | done)
        self.events.add("response.content_part.done", place | {"part": part})
        message.item |= {"status": status, "content": [part]}
        self._done(message)

    def _close_thought(self) -> None:
        thought, self.thought = self.thought, None
        if thought is None:
            return
        text = thought.text
        if text:
            place = {**thought.place, "summary_index": 0}
            part = {"type": "summary_text", "text": text}
            self.events.add("response.reasoning_summary_text.done", place | {"text": text})
            self.events.add("response.reasoning_summary_part.done", place | {"part": part})
            thought.item["summary"] = [part]
        thought.item["encrypted_content"] = opaque.wrapped(thought.metadata) or None
        self._done(thought)

    def _carry(self, metadata: bytes) -> None:
        carrier = self._add("rs", lambda name: answers.reasoning_item(name, ""))
        carrier.item["encrypted_content"] = opaque.wrapped(metadata)
        self._done(carrier)

    def _add(self, kind: str, made: Any) -> Growing:
        number = self.counts.get(kind, 0)
        self.counts[kind] = number + 1
        growing = Growing(made(names.item_id(kind, self.of, number)), len(self.items))
        self.items.append(growing.item)
        self.events.add(
            "response.output_item.added", {"output_index": growing.index, "item": growing.item}
        )
        return growing

    def _done(self, growing: Growing) -> None:
        whole = {"output_index": growing.index, "item": growing.item}
        self.events.add("response.output_item.done", whole)

    def _release(self, logprobs: list[Document] | None = None, to: Growing | None = None) -> None:
        held, self.held = self.held, ""
        message = to or self.message
        if message is not None and (held or logprobs):
            delta = {"content_index": 0, "delta": held, "logprobs": logprobs or []}
            self.events.add("response.output_text.delta", message.place | delta)


def logprob(token: TokenLogprob) -> Document:
    """Return the probability of a token, and of others in its place."""
    others = [one_logprob(other) for other in token.top]
    return {**one_logprob(token), "top_logprobs": others}


def one_logprob(token: TokenLogprob) -> Document:
    """Return the probability of a token."""
    spelled = token.bytes or token.token.encode()
    return {"token": token.token, "bytes": list(spelled), "logprob": token.logprob}
