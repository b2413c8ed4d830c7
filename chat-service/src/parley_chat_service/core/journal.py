"""Store, then show: one writer for the text of all turns of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable

from parley_chat_service.core.ports import TurnStore
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.turn import Piece
from parley_chat_service.core.worker import Worker

SHORTEST_SECONDS = 0.02
LONGEST_SECONDS = 0.1
# Nobody waits for what is not watched, and its ending may save it this way altogether.
UNHURRIED_SECONDS = 0.5
# The writer rests so many times as long as it wrote.
RESTS = 3


class Journal:
    """Writes what all turns grew by in one statement, and then lets them show it.

    The first piece of a watched turn is written at once, the others together every 20 ms, or
    up to 100 ms when writing takes long; of a turn that nobody watches every half second. Who
    answers in place of whom a turn asked is written before its text.
    """

    def __init__(self, store: TurnStore, worker: Worker) -> None:
        self.store = store
        self.worker = worker
        self._waiting: list[RunningTurn] = []
        self._urgent = False
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0
        self._writing = False
        self._not_before = 0.0

    def note(self, turn: RunningTurn) -> None:
        """Take note that a turn has grown; called once until its piece is taken."""
        self._waiting.append(turn)
        if turn.watched and not turn.pieces:
            self._urgent = True
        if not self._writing:
            self._arm(0.0 if turn.watched else UNHURRIED_SECONDS)

    async def run(self) -> None:
        """Write for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._due.wait()
            self._disarm()
            began = loop.time()
            self._writing = True
            await self._write()
            self._writing = False
            now = loop.time()
            pause = min(max(SHORTEST_SECONDS, (now - began) * RESTS), LONGEST_SECONDS)
            self._not_before = now + pause
            if self._waiting:
                self._arm(0.0)

    async def _write(self) -> None:
        turns: list[RunningTurn] = []
        pieces: list[Piece] = []
        waiting, self._waiting, self._urgent = self._waiting, [], False
        await self._tell_answerers(waiting)
        for turn in waiting:
            piece = turn.take()
            if piece is not None:
                turn.storing()
                turns.append(turn)
                pieces.append(piece)
        if not pieces:
            return
        ours = await self._append(pieces)
        for turn in turns:
            turn.stored(ours=turn.message_id in ours)

    async def _tell_answerers(self, turns: Sequence[RunningTurn]) -> None:
        """Store who answers instead of whom a turn asked, before anything is shown of it."""
        answerers = {
            turn.message_id: answerer for turn in turns if (answerer := turn.take_answerer())
        }
        if answerers:
            with contextlib.suppress(DatabaseUnavailable):
                await self.worker.insist(
                    lambda: self.store.answered(self.worker.worker_id, answerers)
                )

    async def _append(self, pieces: Sequence[Piece]) -> frozenset[UUID]:
        try:
            return await self.worker.insist(
                lambda: self.store.append(self.worker.worker_id, pieces)
            )
        except DatabaseUnavailable:
            return frozenset()

    def _arm(self, patience: float) -> None:
        if self._urgent:
            self._due.set()
            return
        loop = asyncio.get_running_loop()
        when = max(self._not_before, loop.time() + patience)
        # The handle is not asked for its time: uvloop's does not know it.
        if self._timer is None or when < self._due_at:
            self._cancel_timer()
            self._timer = loop.call_at(when, self._due.set)
            self._due_at = when

    def _disarm(self) -> None:
        self._due.clear()
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
