"""Kills, freezes, restarts and cuts, as the plan says, and waits for its victims to recover."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from parley_tests.checker.cluster import DATABASE, REPLICAS, Cluster
from parley_tests.checker.plan import Fault

# How often each blow falls, out of their sum.
KINDS: Mapping[str, int] = {
    "kill": 60,
    "kill-database": 6,
    "kill-backend": 4,
    "freeze": 8,
    "freeze-database": 2,
    "restart": 6,
    "delay": 4,
    "stall": 4,
    "dribble": 2,
    "cut": 8,
    "reset": 6,
    "refuse": 3,
}
LINK_FAULTS = ("delay", "stall", "dribble", "cut", "reset", "refuse")
SERVICES = ("prompt", "provider", "chat", "gateway")
KILLS = {"kill", "kill-database", "kill-backend"}
RECOVERED_WITHIN_SECONDS = 40.0
LINK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Blow:
    """A fault as it fell."""

    fault: Fault
    at: float
    healed: float


def targets(links: Sequence[str], victims: Sequence[str]) -> dict[str, Sequence[str]]:
    """Say whom each kind of blow may strike: of the services those that are `victims`."""
    processes = [name for name in REPLICAS if name.rstrip("0123456789") in victims]
    return {
        "kill": processes,
        "freeze": processes,
        "restart": processes,
        **{kind: [DATABASE] for kind in ("kill-database", "kill-backend", "freeze-database")},
        **{kind: sorted(links) for kind in LINK_FAULTS},
    }


class Nemesis:
    """Strikes one blow after the other."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.blows: list[Blow] = []
        self.counts: Counter[str] = Counter()
        self._healing: set[asyncio.Task[None]] = set()

    @property
    def kills(self) -> int:
        """Processes that were killed with -9."""
        return sum(self.counts[kind] for kind in KILLS)

    async def run(self, faults: Iterator[Fault]) -> None:
        """Strike until cancelled; what a blow has broken is mended then."""
        try:
            for fault in faults:
                blow = asyncio.create_task(self._strike(fault))
                self._healing.add(blow)
                blow.add_done_callback(self._healing.discard)
                if fault.waits:
                    await asyncio.wait([blow])
                await asyncio.sleep(fault.pause)
        finally:
            for blow in list(self._healing):
                blow.cancel()
            self.cluster.heal()

    async def _strike(self, fault: Fault) -> None:
        began = time.monotonic()
        if await self._hit(fault):
            self.counts[fault.kind] += 1
            self.blows.append(Blow(fault, began, time.monotonic()))

    async def _hit(self, fault: Fault) -> bool:
        match fault.kind:
            case "kill" | "kill-database":
                return await self._end(fault.target, signal.SIGKILL)
            case "restart":
                # One that is only just starting has nobody yet to hear the signal.
                await self._recovered(fault.target)
                return await self._end(fault.target, signal.SIGTERM)
            case "kill-backend":
                done = self.cluster.kill_backend((fault.amount % 97) / 97)
                await self._recovered(fault.target)
                return done
            case "freeze" | "freeze-database":
                return await self._freeze(fault)
        return await self._spoil(fault)

    async def _end(self, name: str, number: signal.Signals) -> bool:
        starts = self.cluster.members[name].starts
        if not self.cluster.send(name, number):
            return False
        with contextlib.suppress(TimeoutError):
            await self.cluster.started_again(name, starts, RECOVERED_WITHIN_SECONDS)
        await self._recovered(name)
        return True

    async def _recovered(self, name: str) -> None:
        with contextlib.suppress(TimeoutError):
            await self.cluster.until(
                lambda: self.cluster.answers(name), name, RECOVERED_WITHIN_SECONDS
            )

    async def _freeze(self, fault: Fault) -> bool:
        if not self.cluster.freeze(fault.target, signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            self.cluster.freeze(fault.target, signal.SIGCONT)
        return True

    async def _spoil(self, fault: Fault) -> bool:
        amount = min(fault.amount, 1000) if fault.kind == "delay" else fault.amount
        self.cluster.set_link(fault.target, fault.kind, amount)
        try:
            await asyncio.sleep(min(fault.seconds, LINK_SECONDS))
        finally:
            self.cluster.set_link(fault.target, "none")
        return True
