"""A reply as its readers see it: the pieces that are stored, and then how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from parley_rpc.faults import Fault

from parley_chat_service.core.model import Message, Position
from parley_chat_service.core.turn import BEGINNING, Delta, End, Piece


class Showing:
    """Pieces of one reply, each shown when it is stored, to any number of readers.

    Readers hold nothing but their place in the text: a slow one costs no memory, and catches up
    in one step.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.shown = 0
        self.ending: Message | Fault | None = None
        self.readers = 0
        # When the last reader left, in monotonic seconds; at first when it was made.
        self.left_at = time.monotonic()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def position(self) -> Position:
        """The position behind all that is shown."""
        return self.pieces[self.shown - 1].end if self.shown else BEGINNING

    def show(self, pieces: Sequence[Piece] = ()) -> None:
        """Add pieces, and show all there are."""
        self.pieces += pieces
        self.shown = len(self.pieces)
        self._wake()

    def finish(self, ending: Message | Fault, *, stored: bool) -> None:
        """Show how it ended, after the rest of the text when that is stored."""
        self.ending = ending
        if stored:
            self.shown = len(self.pieces)
        self._wake()

    async def finished(self) -> None:
        """Return when the reply has ended."""
        while self.ending is None:
            await self._change()

    async def listen(
        self, after: Position = BEGINNING, *, deltas: bool
    ) -> AsyncGenerator[Delta | End, None]:
        """Yield the reply from a position on, as it is stored; raise the fault it ends with."""
        self.readers += 1
        try:
            at = 0
            while True:
                if deltas and at < self.shown:
                    fresh = self.pieces[at : self.shown]
                    at = self.shown
                    delta = rest(joined(fresh), after)
                    if delta is not None:
                        yield delta
                elif self.ending is None:
                    await self._change()
                else:
                    break
        finally:
            self.readers -= 1
            self.left_at = time.monotonic()
        if isinstance(self.ending, Fault):
            raise self.ending
        yield End(self.ending, whole=not deltas)

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def joined(pieces: Sequence[Piece]) -> Delta:
    """Make one delta of pieces that follow each other."""
    if len(pieces) == 1:
        return Delta(pieces[0].reasoning, pieces[0].text, pieces[0].end)
    reasoning = "".join(piece.reasoning for piece in pieces)
    return Delta(reasoning, "".join(piece.text for piece in pieces), pieces[-1].end)


def rest(delta: Delta, after: Position) -> Delta | None:
    """Return what of a delta lies behind a position; None when nothing does."""
    if after == BEGINNING:
        return delta
    reasoning = tail(delta.reasoning, delta.end.reasoning - after.reasoning)
    text = tail(delta.text, delta.end.text - after.text)
    return Delta(reasoning, text, delta.end) if reasoning or text else None


def tail(text: str, length: int) -> str:
    """Return the last so many code points of a text, or all of it."""
    return text[max(0, len(text) - length) :]
