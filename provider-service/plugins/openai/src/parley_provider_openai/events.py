"""Cuts a stream of bytes into server-sent events."""

from __future__ import annotations


class EventTooLarge(ValueError):  # noqa: N818  (named for what it means)
    """An event has more bytes than any honest one."""


class EventCutter:
    """Takes bytes as they come and gives back the data of whole events.

    Bytes become text only within an event, so a character split between two reads stays whole.
    Comments, other fields and unknown events are left out, as the format's definition says.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes] | None:
        """Returns the data of the events that are whole now; None when not even a line is."""
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

    def _end(self, events: list[bytes]) -> None:
        if self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data = []
            self._size = 0

    def _check(self) -> None:
        if self._size + len(self._rest) > self._limit:
            raise EventTooLarge
