"""In-memory ports, and a provider that plays a script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import parley_provider_sdk as sdk
from parley_provider_service.core.faults import MasterKeyMissing
from parley_provider_service.core.model import (
    Attempted,
    Config,
    Cost,
    Facts,
    Hold,
    Installed,
    Model,
    ModelChange,
    Progress,
    Settlement,
    UsageFilter,
    UsageGroup,
    UsageRecord,
    UsageSum,
)
from parley_provider_service.core.ports import CatalogStore, Ledger, Prices, Vault
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
    made = provider or ScriptedProvider()
    fields = {
        "provider": made,
        "configure": lambda wish: installed(wish.name, made, kind=name),
        **more,
    }
    fields = {"kind": name, **fields}
    return Installed(name, name.title(), f"parley-provider-{name}", "1.0", **fields)


@dataclass
class MemoryCatalogStore(CatalogStore):
    decided: dict[str, Config] = field(default_factory=dict)
    kept: dict[tuple[str, str], Model] = field(default_factory=dict)
    overrides: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    # Models that no vendor listed.
    by_hand: set[tuple[str, str]] = field(default_factory=set)
    away: bool = False

    @override
    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        self._reach()
        for one in installed:
            if not one.broken:
                self.decided.setdefault(one.name, Config())
        return dict(self.decided)

    @override
    async def add(self, name: str, config: Config, *, by: UUID) -> bool:
        self._reach()
        if name in self.decided:
            return False
        self.decided[name] = config
        return True

    @override
    async def change(self, name: str, changes: Mapping[str, Any], *, by: UUID) -> bool:
        self._reach()
        if name not in self.decided:
            return False
        if changes.get("is_default"):
            for other, config in self.decided.items():
                self.decided[other] = replace(config, is_default=None)
        self.decided[name] = replace(self.decided[name], **changes)
        return True

    @override
    async def remove(self, name: str) -> bool:
        self._reach()
        self.kept = {key: model for key, model in self.kept.items() if key[0] != name}
        return self.decided.pop(name, None) is not None

    @override
    async def reseal(self, sealed: Mapping[str, tuple[bytes, bytes]]) -> int:
        self._reach()
        hits = [n for n, (before, _) in sealed.items() if self.decided[n].sealed == before]
        for name in hits:
            self.decided[name] = replace(self.decided[name], sealed=sealed[name][1])
        return len(hits)

    @override
    async def models(self) -> Sequence[Model]:
        self._reach()
        return [self._laid_over(key, model) for key, model in self._in_order()]

    @override
    async def save(self, provider: str, listed: Sequence[Model]) -> Sequence[Model]:
        self._reach()
        if provider not in self.decided:
            return []
        new = {(provider, model.name): model for model in listed}
        for key, model in list(self.kept.items()):
            if key[0] == provider and key not in new and key not in self.by_hand:
                new[key] = replace(model, gone_at=model.gone_at or datetime.now(UTC))
            elif key[0] == provider and key not in new:
                new[key] = model
        self.kept = {key: m for key, m in self.kept.items() if key[0] != provider} | new
        return await self._of(provider)

    @override
    async def overlay(self, provider: str, model: str, change: ModelChange) -> Sequence[Model]:
        self._reach()
        key = (provider, model)
        if key not in self.kept:
            self.kept[key] = Model(provider, model, model)
            self.by_hand.add(key)
        said = {n: getattr(change, n) for n in OVERLAID if getattr(change, n) is not None}
        self.overrides[key] = self.overrides.get(key, {}) | said
        self._note(provider)
        return await self._of(provider)

    @override
    async def reset(self, provider: str, model: str) -> Sequence[Model] | None:
        self._reach()
        key = (provider, model)
        if key in self.by_hand:
            self.by_hand.remove(key)
            del self.kept[key]
        elif key not in self.overrides:
            return None
        self.overrides.pop(key, None)
        self._note(provider)
        return await self._of(provider)

    def _in_order(self) -> list[tuple[tuple[str, str], Model]]:
        return sorted(self.kept.items(), key=lambda item: (item[0][0], item[1].gone_at is not None))

    def _laid_over(self, key: tuple[str, str], model: Model) -> Model:
        over = self.overrides.get(key, {})
        return replace(model, **over, overridden=bool(over) or key in self.by_hand)

    async def _of(self, provider: str) -> Sequence[Model]:
        return [model for model in await self.models() if model.provider == provider]

    def _note(self, provider: str) -> None:
        now = datetime.now(UTC)
        self.decided[provider] = replace(self.decided[provider], models_changed_at=now)

    def _reach(self) -> None:
        if self.away:
            raise DatabaseUnavailable


OVERLAID = ("display_name", "context_window", "max_output_tokens", "capabilities", "price")


@dataclass
class PlainVault(Vault):
    """Encrypts nothing, but keeps to the rules: which master key, whose, what."""

    newest: int = 1
    known: set[int] = field(default_factory=lambda: {1})

    @property
    @override
    def is_open(self) -> bool:
        return bool(self.known)

    @override
    def seal(self, owner: str, secret: str) -> bytes:
        if not self.known:
            raise MasterKeyMissing
        return f"{self.newest} {owner} {secret}".encode()

    @override
    def unseal(self, owner: str, sealed: bytes) -> str | None:
        key, whose, secret = sealed.decode().split(" ", 2)
        return secret if int(key) in self.known and whose == owner else None

    @override
    def is_stale(self, sealed: bytes) -> bool:
        return int(sealed.split()[0]) != self.newest


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
    progress: Progress
    settlement: Settlement | None = None
    settled_at: datetime | None = None
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))


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
        before = self.books.rows.get(hold.usage_id)
        if before is not None and not self._may_take_over(before, hold):
            return False
        progress = Progress(0, hold.provider, hold.model, hold.price)
        self.books.rows[hold.usage_id] = Row(hold, self.worker_id, time.monotonic(), progress)
        return True

    @override
    async def settle(self, settlement: Settlement) -> bool:
        await self.reachable.wait()
        row = self.books.rows.get(settlement.usage_id)
        if row is None or row.settlement is not None or row.worker_id != self.worker_id:
            return False
        row.settlement, row.settled_at = settlement, datetime.now(UTC)
        return True

    @override
    async def record(self, progress: Mapping[UUID, Progress]) -> frozenset[UUID]:
        self._reach()
        self.books.leases[self.worker_id] = time.monotonic() + self.lease_seconds
        held = set()
        for usage_id, made in progress.items():
            row = self.books.rows.get(usage_id)
            if row and row.settlement is None and row.worker_id == self.worker_id:
                row.progress = made
                held.add(usage_id)
        return frozenset(held)

    @override
    async def sweep(self) -> int:
        now, swept = time.monotonic(), 0
        for row in self.books.rows.values():
            dead = self.books.leases.get(row.worker_id, 0.0) <= now
            if row.settlement is None and dead and row.started_at < now - self.lease_seconds:
                hold, made = row.hold, row.progress
                usage = usage_so_far(None, hold.input_chars, made.output_chars)
                usage = usage or sdk.Usage(0, 0, source=sdk.UsageSource.ESTIMATED)
                cost = cost_of(usage, made.price)
                row.settlement = Settlement(
                    hold.usage_id, "interrupted", usage, cost, made.output_chars
                )
                row.settled_at = datetime.now(UTC)
                swept += 1
        return swept

    @override
    async def release(self) -> None:
        self.books.leases.pop(self.worker_id, None)

    @override
    async def find(self, owner_id: UUID | None, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        rows = self.books.rows
        return [
            record(rows[usage_id])
            for usage_id in sorted(set(usage_ids) & rows.keys())
            if owner_id in {None, rows[usage_id].hold.owner_id}
        ]

    @override
    async def page(
        self, which: UsageFilter, before: UUID | None, size: int
    ) -> Sequence[UsageRecord]:
        records = [record(row) for row in self.books.rows.values()]
        found = [one for one in records if fits(which, one)]
        found.sort(key=lambda one: one.usage_id, reverse=True)
        return [one for one in found if before is None or one.usage_id < before][:size]

    @override
    async def sums(self, which: UsageFilter, group_by: Sequence[UsageGroup]) -> Sequence[UsageSum]:
        lines = [
            line
            for row in self.books.rows.values()
            if row.settlement is not None
            for line in lines_of(row)
            if fits(which, line)
        ]
        sums: dict[tuple[Any, ...], UsageSum] = {}
        for line in lines:
            key = tuple(key_of(line, group) for group in group_by)
            sums[key] = added(sums.get(key), line, group_by)
        if not group_by and not sums:
            return [UsageSum()]
        return [sums[key] for key in sorted(sums)]

    def _may_take_over(self, row: Row, hold: Hold) -> bool:
        idle = row.settlement is None and not row.progress.output_chars
        return idle and (row.hold.owner_id, True) == (
            hold.owner_id,
            row.worker_id != self.worker_id,
        )

    def _reach(self) -> None:
        if not self.reachable.is_set():
            raise DatabaseUnavailable


def record(row: Row) -> UsageRecord:
    usage: sdk.Usage | None = None
    cost: Cost | None = None
    outcome = ""
    attempts: Sequence[Attempted] = ()
    who = (row.progress.provider, row.progress.model)
    if row.settlement is not None:
        usage, cost, outcome = row.settlement.usage, row.settlement.cost, row.settlement.outcome
        if row.settlement.attempts:
            last = row.settlement.attempts[-1]
            who = (last.provider, last.model)
        if len(row.settlement.attempts) > 1:
            attempts = tuple(row.settlement.attempts)
    return UsageRecord(
        row.hold.usage_id,
        row.settlement is not None,
        usage,
        cost,
        row.hold.owner_id,
        row.hold.key_id,
        *who,
        outcome=outcome,
        started_at=row.began_at,
        settled_at=row.settled_at,
        attempts=tuple(attempts),
    )


def lines_of(row: Row) -> Sequence[UsageRecord]:
    """What goes into the roll-ups: each attempt that used something; only the last is a request."""
    whole = record(row)
    attempts = row.settlement.attempts if row.settlement else ()
    if len(attempts) <= 1:
        return [whole]
    return [
        replace(
            whole,
            usage=one.usage,
            cost=one.cost,
            provider=one.provider,
            model=one.model,
            settled=one is attempts[-1],
        )
        for one in attempts
        if one.usage is not None or one is attempts[-1]
    ]


def fits(which: UsageFilter, one: UsageRecord) -> bool:
    assert one.started_at is not None
    return (
        which.owner_id in {None, one.owner_id}
        and which.provider in {None, one.provider}
        and which.model in {None, one.model}
        and (which.since is None or which.since <= one.started_at)
        and (which.until is None or one.started_at < which.until)
    )


def key_of(line: UsageRecord, group: UsageGroup) -> Any:
    assert line.started_at is not None
    keys = {
        UsageGroup.DAY: line.started_at.date(),
        UsageGroup.PROVIDER: line.provider,
        UsageGroup.MODEL: line.model,
        UsageGroup.USER: line.owner_id,
        UsageGroup.KEY: line.key_id,
    }
    return keys[group]


NAMES = {
    UsageGroup.DAY: "day",
    UsageGroup.PROVIDER: "provider",
    UsageGroup.MODEL: "model",
    UsageGroup.USER: "owner_id",
    UsageGroup.KEY: "key_id",
}


def added(before: UsageSum | None, line: UsageRecord, groups: Sequence[UsageGroup]) -> UsageSum:
    known: dict[str, Any] = {NAMES[group]: key_of(line, group) for group in groups}
    total, usage = before or UsageSum(**known), line.usage or sdk.Usage(0, 0)
    unpriced = line.usage is not None and line.cost is None
    return replace(
        total,
        requests=total.requests + line.settled,
        input_tokens=total.input_tokens + usage.input_tokens,
        output_tokens=total.output_tokens + usage.output_tokens,
        cached_input_tokens=total.cached_input_tokens + usage.cached_input_tokens,
        reasoning_tokens=total.reasoning_tokens + usage.reasoning_tokens,
        cost_nano_usd=total.cost_nano_usd + (line.cost.nano_usd if line.cost else 0),
        unpriced_requests=total.unpriced_requests + unpriced,
    )
