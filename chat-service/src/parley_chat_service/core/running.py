"""A turn while this process works on it: what came, what is stored, who listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from uuid import UUID

from parley_chat_service.core.calls import Calls
from parley_chat_service.core.model import Choice, Position, Usage
from parley_chat_service.core.outline import Kind, Outline, Span
from parley_chat_service.core.showing import Showing
from parley_chat_service.core.turn import CallDelta, Piece

# Asked for with every delta, and slow to find in their class.
TEXT, REASONING = Kind.TEXT, Kind.REASONING


class RunningTurn(Showing):
    """Takes a reply in, hands it out in pieces to be stored, and shows what is stored.

    `watched` says that the first piece is urgent; `grew` is told when something has come after
    the last piece was taken.
    """

    def __init__(
        self, message_id: UUID, grew: Callable[[RunningTurn], None], *, watched: bool
    ) -> None:
        super().__init__()
        self.message_id = message_id
        self.grew = grew
        self.watched = watched
        self.begun = False
        # Whether the provider service was asked for the reply.
        self.asked = False
        self.usage: Usage | None = None
        # Who makes the reply, when it is not who was asked.
        self.answerer: Choice | None = None
        self.outline = Outline()
        self.calls = Calls()
        # Whether its work was ended from outside: by somebody's wish, or by force.
        self.stopped = False
        self.interrupted = False
        self._texts: list[str] = []
        self._reasonings: list[str] = []
        self._untaken = False
        self._untold: Choice | None = None
        self._position = Position()
        self._storing: asyncio.Future[None] | None = None
        self._scope: asyncio.Timeout | None = None

    def text(self, text: str, /) -> None:
        """Append text."""
        if self.outline.kind is not TEXT:
            self.outline.open(TEXT, self._here())
        self._texts.append(text)
        if not self._untaken:
            self._grow()

    def reasoning(self, text: str, /) -> None:
        """Append reasoning."""
        if self.outline.kind is not REASONING:
            self.outline.open(REASONING, self._here())
        self._reasonings.append(text)
        if not self._untaken:
            self._grow()

    def count(self, usage: Usage, /) -> None:
        """Note what is known of the usage."""
        self.usage = usage

    def attach(self, kind: Kind, metadata: bytes, /) -> None:
        """End the piece of this kind with what the vendor wants back with it."""
        if metadata:
            self.outline.attach(kind, metadata, self._here())

    def call(self, delta: CallDelta, /) -> None:
        """Take in a part of a call of a tool."""
        self.calls.add(delta)
        self.outline.call(delta.index, delta.metadata, self._here())

    def answered(self, choice: Choice, /) -> None:
        """Note who makes the reply instead of whom it asked."""
        self.answerer = self._untold = choice
        if not self._untaken:
            self._grow()

    @property
    def grown(self) -> bool:
        """Whether anything of the reply has come."""
        return bool(self._texts or self._reasonings or self.pieces or self.calls)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The pieces of the reply with their metadata, once it is whole and taken."""
        return self.outline.spans(self._position)

    def take_answerer(self) -> Choice | None:
        """Hand out, once, who makes the reply, when it is not who was asked."""
        untold, self._untold = self._untold, None
        return untold

    def take(self) -> Piece | None:
        """Hand out what has come since the last time, as one piece; None when nothing has."""
        self._untaken = False
        # PostgreSQL stores no NUL, and what is shown is what is stored.
        reasoning = "".join(self._reasonings).replace("\0", "")
        text = "".join(self._texts).replace("\0", "")
        self._reasonings.clear()
        self._texts.clear()
        if not text and not reasoning:
            return None
        before = self._position
        self._position = Position(before.reasoning + len(reasoning), before.text + len(text))
        piece = Piece(self.message_id, self._position, reasoning, text)
        self.pieces.append(piece)
        return piece

    def storing(self) -> None:
        """Note that a piece is on its way into the store."""
        self._storing = asyncio.get_running_loop().create_future()

    def stored(self, *, ours: bool) -> None:
        """Show what is stored; end when it was not, because the turn is not ours any more."""
        if self._storing is not None:
            self._storing.set_result(None)
            self._storing = None
        if ours:
            self.show()
        else:
            self.interrupt()

    async def settled(self) -> None:
        """Return when no piece is on its way into the store."""
        # One may have begun its way before we are told that the one before has ended its.
        while self._storing is not None:
            await self._storing

    @contextlib.contextmanager
    def working(self, scope: asyncio.Timeout) -> Iterator[None]:
        """Let `interrupt` end what is done inside, by running `scope` out of time."""
        self._scope = scope
        if self.interrupted or self.stopped:
            scope.reschedule(0)
        try:
            yield
        finally:
            self._scope = None

    def stop(self) -> None:
        """End the work on the reply because somebody wishes it; what came so far stays."""
        self.stopped = True
        self._cut()

    def interrupt(self) -> None:
        """End the work on the reply because it cannot go on; what came so far stays."""
        self.interrupted = True
        self._cut()

    def _cut(self) -> None:
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0)

    def _grow(self) -> None:
        self._untaken = True
        self.grew(self)

    def _here(self) -> Position:
        """Return the position behind all that has come, in what will be stored of it."""
        taken = self._position
        return Position(
            taken.reasoning + sum(map(storable, self._reasonings)),
            taken.text + sum(map(storable, self._texts)),
        )


def storable(text: str) -> int:
    """Count the code points of a text that are stored."""
    return len(text) - text.count("\0")
