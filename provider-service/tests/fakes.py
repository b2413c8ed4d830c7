"""In-memory ports, and a provider that plays a script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import parley_provider_sdk as sdk
from parley_provider_service.core.model import (
    Config,
    Cost,
    Facts,
    Hold,
    Installed,
    Model,
    Settlement,
    UsageRecord,
)
from parley_provider_service.core.ports import CatalogStore, Ledger, Prices
from parley_provider_service.core.pricing import cost_of, usage_so_far
from parley_rpc.faults import DatabaseUnavailable
from typing_extensions import override

USAGE = sdk.Usage(input_tokens=10, output_tokens=20)
DONE = sdk.Finished(sdk.FinishReason.STOP, USAGE)


@dataclass
class ScriptedProvider:
    """Says what its script says: events are sent, errors raised, functions awaited."""

    script: Sequence[Any] = (sdk.TextDelta("Hi."), DONE)
    listed: Any = (sdk.ModelInfo("small"), sdk.ModelInfo("large"))
    health: Any = field(default_factory=lambda: sdk.Health(healthy=True, detail="Well."))
    asked: list[sdk.ReplyRequest] = field(default_factory=list)
    listings: int = 0
    closed_streams: int = 0
    closed: bool = False
    # Replies in place of the script.
    stream: Callable[[sdk.ReplyRequest], Any] | None = None

    def chat_completion(self, request: sdk.ReplyRequest) -> Any:
        self.asked.append(request)
        return self.stream(request) if self.stream else self._play()

    async def _play(self) -> AsyncIterator[Any]:
        try:
            for step in self.script:
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step
        finally:
            self.closed_streams += 1

    async def list_models(self) -> Any:
        self.listings += 1
        return await said(self.listed)

    async def health_check(self) -> Any:
        return await said(self.health)

    async def aclose(self) -> None:
        self.closed = True


async def said(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return await answer() if callable(answer) else answer


def wait(seconds: float) -> Callable[[], Awaitable[None]]:
    """A step of a script that takes time."""
    return lambda: asyncio.sleep(seconds)


def installed(name: str = "acme", provider: Any = None, **more: Any) -> Installed:
    """A provider as its plugin brings it: configured, unless told otherwise."""
    fields = {"provider": provider or ScriptedProvider(), **more}
    return Installed(name, name.title(), f"parley-provider-{name}", "1.0", **fields)


@dataclass
class MemoryCatalogStore(CatalogStore):
    decided: dict[str, Config] = field(default_factory=dict)
    kept: dict[tuple[str, str], Model] = field(default_factory=dict)
    overrides: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    away: bool = False

    @override
    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        self._reach()
        for one in installed:
            if not one.broken:
                self.decided.setdefault(one.name, Config())
        return dict(self.decided)

    @override
    async def models(self) -> Sequence[Model]:
        self._reach()
        return [replace(m, **self.overrides.get(key, {})) for key, m in self.kept.items()]

    @override
    async def save(self, provider: str, listed: Sequence[Model]) -> Sequence[Model]:
        self._reach()
        self.kept = {key: m for key, m in self.kept.items() if key[0] != provider}
        self.kept |= {(provider, model.name): model for model in listed}
        return [model for model in await self.models() if model.provider == provider]

    def _reach(self) -> None:
        if self.away:
            raise DatabaseUnavailable


@dataclass
class KnownPrices(Prices):
    known: Mapping[str, Facts] = field(default_factory=dict)
    questions: int = 0

    @override
    async def facts(
        self, provider: str, base_url: str, models: Sequence[str]
    ) -> Mapping[str, Facts]:
        self.questions += 1
        return {name: self.known[name] for name in models if name in self.known}


@dataclass
class Row:
    hold: Hold
    worker_id: UUID
    started_at: float
    output_chars: int = 0
    settlement: Settlement | None = None


@dataclass
class Books:
    """What all processes share."""

    rows: dict[UUID, Row] = field(default_factory=dict)
    leases: dict[UUID, float] = field(default_factory=dict)


@dataclass
class MemoryLedger(Ledger):
    books: Books = field(default_factory=Books)
    lease_seconds: float = 10.0
    worker_id: UUID = field(default_factory=uuid4)
    reachable: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.reachable.set()

    @override
    async def hold(self, hold: Hold) -> bool:
        self._reach()
        if hold.usage_id in self.books.rows:
            return False
        self.books.rows[hold.usage_id] = Row(hold, self.worker_id, time.monotonic())
        return True

    @override
    async def settle(self, settlement: Settlement) -> bool:
        await self.reachable.wait()
        row = self.books.rows.get(settlement.usage_id)
        if row is None or row.settlement is not None:
            return False
        row.settlement = settlement
        return True

    @override
    async def record(self, output_chars: Mapping[UUID, int]) -> frozenset[UUID]:
        self._reach()
        self.books.leases[self.worker_id] = time.monotonic() + self.lease_seconds
        held = set()
        for usage_id, chars in output_chars.items():
            row = self.books.rows.get(usage_id)
            if row and row.settlement is None and row.worker_id == self.worker_id:
                row.output_chars = chars
                held.add(usage_id)
        return frozenset(held)

    @override
    async def sweep(self) -> int:
        now, swept = time.monotonic(), 0
        for row in self.books.rows.values():
            dead = self.books.leases.get(row.worker_id, 0.0) <= now
            if row.settlement is None and dead and row.started_at < now - self.lease_seconds:
                hold = row.hold
                usage = usage_so_far(None, hold.input_chars, row.output_chars)
                usage = usage or sdk.Usage(0, 0, source=sdk.UsageSource.ESTIMATED)
                cost = cost_of(usage, hold.price)
                row.settlement = Settlement(
                    hold.usage_id, "interrupted", usage, cost, row.output_chars
                )
                swept += 1
        return swept

    @override
    async def release(self) -> None:
        self.books.leases.pop(self.worker_id, None)

    @override
    async def find(self, owner_id: UUID, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        rows = self.books.rows
        return [
            record(rows[usage_id])
            for usage_id in sorted(set(usage_ids) & rows.keys())
            if rows[usage_id].hold.owner_id == owner_id
        ]

    def _reach(self) -> None:
        if not self.reachable.is_set():
            raise DatabaseUnavailable


def record(row: Row) -> UsageRecord:
    usage: sdk.Usage | None = None
    cost: Cost | None = None
    if row.settlement is not None:
        usage, cost = row.settlement.usage, row.settlement.cost
    return UsageRecord(row.hold.usage_id, row.settlement is not None, usage, cost)
