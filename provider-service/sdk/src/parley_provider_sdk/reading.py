"""Reads a reply as its bytes come in: cut into events, understood one by one, given out together.

A plugin subclasses Reading and says what one event means; the rest is alike for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from parley_provider_sdk.errors import ProviderError
from parley_provider_sdk.failures import bad_response, broken_off
from parley_provider_sdk.types import (
    Finished,
    FinishReason,
    Logprobs,
    Message,
    ReasoningDelta,
    ReplyEvent,
    ReplyRequest,
    TextDelta,
    TextPart,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    UsageSource,
    UsageUpdate,
)

__all__ = [
    "EVENT_LIMIT",
    "Cutter",
    "EventTooLarge",
    "LineCutter",
    "Reading",
    "SSECutter",
    "estimate",
]

# The largest honest event is a tool call's arguments in one piece; the rest is below 1 KB.
EVENT_LIMIT = 1 << 20
# What a reading may trip over when an event has not the shape that the wire has.
_NOT_THE_WIRE = (ValueError, TypeError, AttributeError, LookupError)


class EventTooLarge(ValueError):  # noqa: N818  (named for what it means)
    """An event has more bytes than any honest one."""


class Cutter(Protocol):
    """Takes bytes as they come and gives back whole events."""

    def feed(self, chunk: bytes) -> list[bytes] | None:
        """Returns the events that are whole now; None when not even a line is. EventTooLarge."""

    def rest(self) -> bytes:
        """Returns what is left at the end of the stream, where a wire lets the last mark out."""


class SSECutter:
    """Cuts server-sent events, and gives back the data of each.

    Bytes become text only within an event, so a character split between two reads stays whole.
    Comments, other fields and events without data are left out, as the format's definition says.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes] | None:
        if b"\n" not in chunk:
            self._rest += chunk
            self._check()
            return None
        lines = (self._rest + chunk).split(b"\n") if self._rest else chunk.split(b"\n")
        self._rest = bytearray(lines.pop())
        events: list[bytes] = []
        for line in lines:
            text = line.removesuffix(b"\r")
            if not text:
                self._end(events)
            elif text.startswith(b"data:"):
                # One space after the colon belongs to the format, every other to the data.
                self._data.append(bytes(text[6:] if text[5:6] == b" " else text[5:]))
                self._size += len(text)
                self._check()
        self._check()
        return events

    def rest(self) -> bytes:
        """Returns nothing: an event without its empty line is none, says the definition."""
        return b""

    def _end(self, events: list[bytes]) -> None:
        if self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data = []
            self._size = 0

    def _check(self) -> None:
        if self._size + len(self._rest) > self._limit:
            raise EventTooLarge


class LineCutter:
    """Cuts lines, each an event of its own (newline-delimited JSON). Empty ones are left out."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes] | None:
        self._rest += chunk
        events: list[bytes] | None = None
        if b"\n" in chunk:
            *lines, rest = self._rest.split(b"\n")
            self._rest = bytearray(rest)
            events = [line for one in lines if (line := bytes(one).strip())]
        if len(self._rest) > self._limit or any(len(one) > self._limit for one in events or ()):
            raise EventTooLarge
        return events

    def rest(self) -> bytes:
        """Returns the last line, which may end with the stream instead of a line's end."""
        return bytes(self._rest).strip()


class Reading:
    """The state of one reply. What it has read waits until `take` fetches it.

    A subclass overrides `read`, `read_whole` and `end`, and says what it read with `say`, `think`,
    `call`, `attach` and `weigh`. Whatever it trips over (ValueError, TypeError, KeyError …) is
    BadResponse.
    """

    def __init__(self, request: ReplyRequest, cutter: Cutter) -> None:
        self.request = request
        # Why it cannot go on; what was read before is still to be taken.
        self.failure: ProviderError | None = None
        # The mark of the end was read; whatever follows is not.
        self.done = False
        # Bytes of text, reasoning and arguments so far.
        self.output = 0
        # The text of `stop` that ended the reply, where the vendor says so.
        self.stop_sequence = ""
        self._cutter = cutter
        self._is_wire = False
        self._spoke = False
        self._usage: Usage | None = None
        self._events: list[ReplyEvent] = []
        self._kind: type[TextDelta | ReasoningDelta] = TextDelta
        self._texts: list[str] = []
        self._tokens: list[TokenLogprob] = []
        self._calls: dict[object, int] = {}

    def read(self, event: bytes) -> None:
        """Understands one event of a stream; sets `done` at its mark. Raises ProviderError."""
        raise NotImplementedError

    def read_whole(self, body: bytes) -> None:
        """Understands a reply that came in one piece; sets `done`. Raises ProviderError."""
        raise NotImplementedError

    def reason(self) -> FinishReason | None:
        """Returns why the vendor said that it stopped; None when it has not."""
        raise NotImplementedError

    @property
    def usage(self) -> Usage | None:
        """What the vendor counted last. Set it when it counts: it covers all that was read before.

        A reply that ends early is charged by the last count and an estimate of what came after.
        """
        return self._usage

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        if usage is not None and usage != self._usage:
            self._flush()
            self._events.append(UsageUpdate(usage))
        self._usage = usage

    @property
    def has_spoken(self) -> bool:
        """Says that the reply has begun; counts of tokens alone are no beginning."""
        return self._spoke

    def feed(self, chunk: bytes) -> bool:
        """Reads on in a stream. Returns whether it showed a sign of life: a whole line."""
        try:
            events = self._cutter.feed(chunk)
            for event in events or ():
                self._is_wire = True
                self.read(event)
                if self.done:
                    break
        except ProviderError as failure:
            self.failure = failure
        except _NOT_THE_WIRE:
            self.failure = bad_response()
            return False
        return events is not None

    def feed_end(self) -> None:
        """Reads what the end of the stream has made whole."""
        rest = b"" if self.done or self.failure else self._cutter.rest()
        if rest:
            self.feed(b"\n")
        if not self.failure:
            self._flush()
            if self._tokens:
                self._weigh()

    def feed_whole(self, body: bytes) -> None:
        """Reads a reply that came in one piece."""
        try:
            self.read_whole(body)
        except ProviderError as failure:
            self.failure = failure
        except _NOT_THE_WIRE:
            self.failure = bad_response()
        else:
            self._is_wire = True
            self.failure = None if self.done else bad_response()

    def take(self) -> list[ReplyEvent]:
        """Returns what was read since the last time. Texts that came together stay together.

        Of counts that follow each other only the last is kept, and the end repeats that one.
        """
        self._flush()
        if self._tokens and self.done:
            self._weigh()
        events, self._events = self._events, []
        is_counted = [isinstance(event, UsageUpdate) for event in events]
        if True not in is_counted:
            return events
        replaced = [*is_counted[1:], self.done]
        return [
            event
            for event, count, again in zip(events, is_counted, replaced, strict=True)
            if not (count and again)
        ]

    def end(self) -> Finished:
        """Returns the end of the reply. Raises BadResponse when it broke off before."""
        if not self._is_wire:
            raise bad_response()
        reason = self.reason()
        # Some servers send no mark; they have said why they stopped, and closed properly.
        if reason is None and not self.done:
            raise broken_off()
        return Finished(
            reason or FinishReason.OTHER,
            self.usage or estimate(self.request, self.output),
            self.stop_sequence,
        )

    def say(self, text: object) -> None:
        """Takes in text. TypeError when it is none."""
        self._add(TextDelta, text)

    def think(self, text: object) -> None:
        """Takes in reasoning. TypeError when it is no text."""
        self._add(ReasoningDelta, text)

    def weigh(self, tokens: Sequence[TokenLogprob]) -> None:
        """Takes in probabilities of tokens, given out behind the text that came with them."""
        self._tokens.extend(tokens)

    def attach(self, kind: type[TextDelta | ReasoningDelta], metadata: bytes) -> None:
        """Ends the piece of this kind with what the vendor wants back with it."""
        self._flush()
        self._spoke = True
        self._events.append(kind("", metadata))

    def call(
        self,
        key: object,
        *,
        call_id: str = "",
        name: str = "",
        arguments: str = "",
        metadata: bytes = b"",
    ) -> None:
        """Takes in a part of a tool call, which the wire calls `key`; ids and names only once."""
        self._flush()
        self._spoke = True
        is_new = key not in self._calls
        index = self._calls.setdefault(key, len(self._calls))
        self.output += len(arguments.encode())
        known = (call_id, name) if is_new else ("", "")
        self._events.append(ToolCallDelta(index, *known, arguments, metadata))

    def _add(self, kind: type[TextDelta | ReasoningDelta], text: object) -> None:
        if not isinstance(text, str):
            raise TypeError
        if not text:
            return
        self._spoke = True
        if kind is not self._kind:
            self._flush()
            self._kind = kind
        self._texts.append(text)

    def _flush(self) -> None:
        if self._texts:
            text = "".join(self._texts)
            self._texts.clear()
            self.output += len(text.encode())
            self._events.append(self._kind(text))
            if self._tokens and self._kind is TextDelta:
                self._weigh()

    def _weigh(self) -> None:
        self._events.append(Logprobs(tuple(self._tokens)))
        self._tokens.clear()


def estimate(request: ReplyRequest, output: int, known: Mapping[str, int] | None = None) -> Usage:
    """Estimates what the vendor did not count: a token for every four bytes of text, rounded up.

    Four more for each message. Images and files are not estimated. `known` are figures that it did
    count, by their names in Usage.
    """
    given = len(request.system.encode()) + sum(map(_bytes_of, request.messages))
    counts = {
        "input_tokens": -(-given // 4) + 4 * len(request.messages),
        "output_tokens": -(-output // 4),
        **(known or {}),
    }
    return Usage(**counts, source=UsageSource.ESTIMATED)


def _bytes_of(message: Message) -> int:
    return sum(len(part.text.encode()) for part in message.parts if isinstance(part, TextPart))
