"""Reads a reply, streamed or whole, and remembers what its end needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from parley_provider_sdk import (
    Finished,
    ProviderError,
    ReasoningDelta,
    ReplyEvent,
    ReplyRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
)

from parley_provider_openai import errors, translate
from parley_provider_openai.events import EventCutter, EventTooLarge

# The largest honest event is a tool call's arguments in one piece; the rest is below 1 KB.
EVENT_LIMIT = 1 << 20
_DONE = b"[DONE]"


class Reading:
    """The state of one reply. What it has read waits until `take` fetches it."""

    def __init__(self, request: ReplyRequest, secret: str) -> None:
        self._request = request
        self._secret = secret
        self._cutter = EventCutter(EVENT_LIMIT)
        self._events: list[ReplyEvent] = []
        self._kind: type[TextDelta | ReasoningDelta] = TextDelta
        self._texts: list[str] = []
        self._calls: list[tuple[object, str]] = []
        self._reason: object = None
        self._refused = False
        self._usage: Usage | None = None
        self._output = 0
        self._is_wire = False
        # Why it cannot go on; what was read before is still to be taken.
        self.failure: ProviderError | None = None
        # The mark of the end was read; whatever follows is not.
        self.done = False

    @property
    def has_spoken(self) -> bool:
        """Says that the reply has begun."""
        return bool(self._texts or self._output or self._calls)

    def feed(self, chunk: bytes) -> bool:
        """Reads on in a stream. Returns whether it showed a sign of life: a whole line."""
        try:
            payloads = self._cutter.feed(chunk)
            for payload in payloads or ():
                self._is_wire = True
                if payload == _DONE:
                    self.done = True
                    break
                self._read(orjson.loads(payload), "delta")
        except ProviderError as failure:
            self.failure = failure
        except (EventTooLarge, orjson.JSONDecodeError, TypeError, AttributeError):
            # Not JSON, or not of the shape that the wire has.
            self.failure = errors.bad_response()
            return False
        return payloads is not None

    def feed_whole(self, body: bytes) -> None:
        """Reads a reply that came in one piece."""
        try:
            self._read(orjson.loads(body), "message")
        except ProviderError as failure:
            self.failure = failure
        except (orjson.JSONDecodeError, TypeError, AttributeError):
            self.failure = errors.bad_response()
        else:
            self.done = self._is_wire = self._reason is not None
            self.failure = None if self.done else errors.bad_response()

    def take(self) -> list[ReplyEvent]:
        """Returns what was read since the last time. Texts that came together stay together."""
        self._flush()
        events, self._events = self._events, []
        return events

    def end(self) -> Finished:
        """Returns the end of the reply. Raises BadResponse when it broke off before."""
        if not self._is_wire:
            raise errors.bad_response()
        # Some servers send no mark; they have said why they stopped, and closed properly.
        if not self.done and self._reason is None:
            raise errors.broken_off()
        reason = translate.finish_reason(self._reason, refused=self._refused)
        return Finished(reason, self._usage or translate.estimate(self._request, self._output))

    def _read(self, answer: Any, field: str) -> None:
        if "error" in answer and (error := errors.error_of(answer)):
            raise errors.from_event(error, self._secret)
        for choice in answer.get("choices") or ():
            said = choice.get(field)
            if said:
                self._read_said(said)
            if choice.get("finish_reason") is not None:
                self._reason = choice["finish_reason"]
        # Null in every event but the last; servers that count in each send growing counts.
        if answer.get("usage") is not None:
            self._usage = translate.usage(answer["usage"])

    def _read_said(self, said: Mapping[str, Any]) -> None:
        content = said.get("content")
        if content:
            self._say(TextDelta, content)
        # What compatible servers call it; OpenAI keeps its reasoning to itself on this wire.
        reasoning = said.get("reasoning_content") or said.get("reasoning")
        if reasoning:
            self._say(ReasoningDelta, reasoning)
        refusal = said.get("refusal")
        if refusal:
            self._refused = True
            self._say(TextDelta, refusal)
        for position, call in enumerate(said.get("tool_calls") or ()):
            self._read_call(call, position)

    def _read_call(self, call: Mapping[str, Any], position: int) -> None:
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        call_id = call.get("id") or ""
        key = call.get("index")
        index, is_new = self._place(position if key is None else key, call_id)
        self._flush()
        self._output += len(arguments.encode())
        if is_new:
            delta = ToolCallDelta(index, call_id, function.get("name") or "", arguments)
        else:
            delta = ToolCallDelta(index, arguments=arguments)
        self._events.append(delta)

    def _place(self, key: object, call_id: str) -> tuple[int, bool]:
        """Counts the calls from 0. Some servers give each the same index and tell them by id."""
        for index in reversed(range(len(self._calls))):
            known, known_id = self._calls[index]
            if known == key and call_id in ("", known_id):
                return index, False
        self._calls.append((key, call_id))
        return len(self._calls) - 1, True

    def _say(self, kind: type[TextDelta | ReasoningDelta], text: Any) -> None:
        if not isinstance(text, str):
            raise TypeError
        if kind is not self._kind:
            self._flush()
            self._kind = kind
        self._texts.append(text)

    def _flush(self) -> None:
        if self._texts:
            text = "".join(self._texts)
            self._texts.clear()
            self._output += len(text.encode())
            self._events.append(self._kind(text))
