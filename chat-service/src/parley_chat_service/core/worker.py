"""A process that runs turns: its lease, its turns, and what dead ones left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable
from uuid_utils.compat import uuid7

from parley_chat_service.core.ports import WorkerStore
from parley_chat_service.core.running import RunningTurn

RENEW_EVERY_SECONDS = 2.0
SWEEPS = 2
LEASE_SECONDS = 9.0
# Less than the lease: who cannot renew is done before others think it dead.
HELD_SECONDS = 7.5
RETRY_EVERY_SECONDS = 0.2
# Longer than a statement can take: a turn that began while the sweep did is not a stray.
STRAY_SECONDS = 15.0
END_WITHIN_SECONDS = 1.5

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Worker:
    """Holds a lease while it lives, and gives up its turns when it cannot renew it.

    `turns` holds every turn from before it is stored until its ending is, so that a running
    reply that belongs to this worker and is not in it has been left behind.
    """

    def __init__(self, store: WorkerStore) -> None:
        self.worker_id: UUID = uuid7()
        self.store = store
        self.turns: dict[UUID, RunningTurn] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._lapse: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """Whether the lease holds; without it nothing may be begun."""
        return self._lapse is not None

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a turn that no caller can end by leaving."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def stop(self, message_id: UUID) -> None:
        """Stop a turn, because somebody wishes it, if it is one of ours."""
        turn = self.turns.get(message_id)
        if turn is not None:
            turn.stop()

    def interrupt(self, message_id: UUID) -> None:
        """End a turn, because it cannot go on, if it is one of ours."""
        turn = self.turns.get(message_id)
        if turn is not None:
            turn.interrupt()

    async def insist(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Repeat a call until the database answers; give up when the lease is lost."""
        while True:
            try:
                return await call()
            except DatabaseUnavailable:
                if not self.held:
                    raise
                await asyncio.sleep(RETRY_EVERY_SECONDS)

    async def run(self) -> None:
        """Renew the lease for ever, and sweep up after dead workers, twice as often.

        A process that was frozen meanwhile renews before it does anything else.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._renew()
                due = loop.time() + RENEW_EVERY_SECONDS
                while loop.time() < due:
                    await self.store.sweep(self.worker_id, list(self.turns), STRAY_SECONDS)
                    await asyncio.sleep(RENEW_EVERY_SECONDS / SWEEPS)
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_EVERY_SECONDS)

    async def drain(self, grace: float) -> None:
        """Give running turns `grace` seconds to end, and interrupt the others."""
        await self._ended(grace)
        self._interrupt_all()
        await self._ended(END_WITHIN_SECONDS)

    async def _ended(self, within: float) -> None:
        """Wait until no turn runs, those included that begin meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.tasks:
                    await asyncio.wait(self.tasks)

    async def release(self) -> None:
        """End the lease, so that whatever was left behind is swept up at once."""
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None
        with contextlib.suppress(DatabaseUnavailable):
            await self.store.release(self.worker_id)

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        running = [turn.message_id for turn in self.turns.values() if turn.begun]
        lost = await self.store.renew(self.worker_id, LEASE_SECONDS, running)
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = loop.call_at(began + HELD_SECONDS, self._lost)
        for message_id in lost:
            self.interrupt(message_id)

    def _lost(self) -> None:
        self._lapse = None
        fields = {"turns": len(self.turns)}
        logger.warning("lease lost", extra={"fields": fields})
        self._interrupt_all()

    def _interrupt_all(self) -> None:
        for turn in self.turns.values():
            turn.interrupt()
