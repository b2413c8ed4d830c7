"""Server-sent events, read as they come: however the bytes are cut."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name, its data lines joined by newlines, and the last id seen so far."""

    name: str
    data: str
    id: str


class EventParser:
    """Turns chunks of bytes into events. One parser reads one stream.

    `last_id` is the id that a stream before this one ended with.
    """

    def __init__(self, last_id: str = "") -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._line = ""
        self._after_return = False
        self._name = ""
        self._data: list[str] = []
        self._id = last_id

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yields the events that this chunk completes."""
        text = self._decoder.decode(chunk)
        if not text:
            return
        if self._after_return:  # a CRLF cut in two is one line end
            text = text.removeprefix("\n")
            self._after_return = False
        self._after_return = text.endswith("\r")
        *lines, self._line = _LINE_END.split(self._line + text)
        for line in lines:
            if line:
                self._read(line)
            elif event := self._dispatch():
                yield event

    def _read(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self) -> ServerSentEvent | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return ServerSentEvent(name or "message", "\n".join(data), self._id) if data else None
