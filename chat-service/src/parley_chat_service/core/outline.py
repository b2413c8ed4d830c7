"""Where the pieces of a reply begin and end, and what its vendor wants back with each."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from parley_chat_service.core.model import Position

# Bytes of metadata that one reply may have, and pieces that it may consist of.
LARGEST_METADATA = 1 << 20
MOST_SPANS = 1_000


class Kind(StrEnum):
    """What a piece consists of: named as in a Position."""

    TEXT = "text"
    REASONING = "reasoning"
    CALL = "call"


class Span(NamedTuple):
    """A piece of a reply: so many code points of its text, or of its reasoning, or one call.

    It begins where the one of its kind before it ended. `metadata` is what the vendor wants back
    with it: JSON that nobody here reads.
    """

    kind: Kind
    length: int
    metadata: bytes = b""


class Outline:
    """Notes the pieces of a reply as it comes.

    A piece ends where another kind begins, or with its metadata. All is given up when a reply
    has too much of it: a part of what a vendor wants back is worth nothing.
    """

    def __init__(self) -> None:
        # Of the piece that is open; None when none is.
        self.kind: Kind | None = None
        # Bytes of metadata that came.
        self.size = 0
        # Why the pieces were given up; empty while they are not.
        self.given_up = ""
        # Where its calls of tools stand among its pieces.
        self._calls: dict[int, int] = {}
        self._begun = Position()
        self._spans: list[Span] = []

    def open(self, kind: Kind, at: Position) -> None:
        """Begin a piece; the one that is open ends."""
        self._close(at)
        self.kind = kind
        self._begun = at

    def attach(self, kind: Kind, metadata: bytes, at: Position) -> None:
        """End the open piece of a kind, or else an empty one, with its metadata."""
        self.size += len(metadata)
        if self.kind is not kind:
            self.open(kind, at)
        self._close(at, metadata)
        if self.size > LARGEST_METADATA:
            self.give_up("size")

    def call(self, index: int, metadata: bytes, at: Position) -> None:
        """Note a part of a call of a tool; its first ends the open piece."""
        self.size += len(metadata)
        if index not in self._calls:
            self._close(at)
            self._calls[index] = len(self._spans)
            self._add(Span(Kind.CALL, 1))
        if metadata and not self.given_up:
            self._spans[self._calls[index]] = Span(Kind.CALL, 1, metadata)
        if self.size > LARGEST_METADATA:
            self.give_up("size")

    def give_up(self, reason: str) -> None:
        """Forget the pieces, and note no more."""
        self.given_up = self.given_up or reason
        self._spans.clear()

    def spans(self, end: Position) -> tuple[Span, ...]:
        """Return the pieces of a reply that is whole.

        None when nobody wants anything back and no tool is called.
        """
        self._close(end)
        return tuple(self._spans) if self.size or self._calls else ()

    def _close(self, at: Position, metadata: bytes = b"") -> None:
        kind, self.kind = self.kind, None
        if kind is None or self.given_up:
            return
        length = getattr(at, kind) - getattr(self._begun, kind)
        if length or metadata:
            self._add(Span(kind, length, metadata))

    def _add(self, span: Span) -> None:
        if self.given_up:
            return
        self._spans.append(span)
        if len(self._spans) > MOST_SPANS:
            self.give_up("pieces")
