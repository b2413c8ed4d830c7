"""The ledger in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import parley_provider_sdk as sdk
from parley_provider_service.core.allowances import Allowance, Balance, Exhausted, Meter, Share
from parley_provider_service.core.model import (
    Attempted,
    Cost,
    Hold,
    Progress,
    Settlement,
    UsageRecord,
)
from parley_provider_service.core.ports import MOST_SUMS, Ledger
from parley_provider_service.core.pricing import cost_of, usage_so_far
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum
from parley_rpc.faults import DatabaseUnavailable
from typing_extensions import override


@dataclass
class Row:
    hold: Hold
    worker_id: UUID
    started_at: float
    progress: Progress
    settlement: Settlement | None = None
    settled_at: datetime | None = None
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    held: dict[Allowance, int] = field(default_factory=dict)
    windows: dict[Allowance, datetime] = field(default_factory=dict)


@dataclass
class Purse:
    start: datetime
    used: int = 0
    held: int = 0


def window_of(meter: Meter, now: datetime) -> datetime:
    minute = now.replace(second=0, microsecond=0)
    day = minute.replace(hour=0, minute=0)
    starts = {
        Meter.TOKENS_PER_MINUTE: minute,
        Meter.DAILY_COST: day,
        Meter.MONTHLY_COST: day.replace(day=1),
    }
    return starts.get(meter, datetime.fromtimestamp(0, UTC))


def end_of(meter: Meter, start: datetime) -> datetime | None:
    ends = {
        Meter.TOKENS_PER_MINUTE: start + timedelta(minutes=1),
        Meter.DAILY_COST: start + timedelta(days=1),
        Meter.MONTHLY_COST: (start + timedelta(days=31)).replace(day=1),
    }
    return ends.get(meter)


@dataclass
class Books:
    """What all processes share."""

    rows: dict[UUID, Row] = field(default_factory=dict)
    leases: dict[UUID, float] = field(default_factory=dict)
    purses: dict[tuple[str, Meter], Purse] = field(default_factory=dict)
    # By hand; None is the present.
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def purse(self, allowance: Allowance) -> Purse:
        """An allowance in its present window."""
        start = window_of(allowance.meter, self.now())
        kept = self.purses.get((allowance.scope, allowance.meter))
        if kept is None or kept.start < start:
            kept = self.purses[allowance.scope, allowance.meter] = Purse(start)
        return kept

    def balance(self, allowance: Allowance) -> Balance:
        kept = self.purse(allowance)
        end = end_of(allowance.meter, kept.start)
        left = (end - self.now()).total_seconds() if end else 0.0
        return Balance(allowance, kept.used, kept.held, end, left)

    def short(self, shares: Sequence[Share], held: Mapping[Any, int]) -> Sequence[Balance]:
        """The allowances that have not enough left for what is to be held, `held` being there."""
        balances = [self.balance(one.allowance) for one in shares]
        return [
            balance
            for one, balance in zip(shares, balances, strict=True)
            if balance.used + balance.held + one.amount - held.get(one.allowance, 0)
            > one.allowance.limit
        ]

    def charge(self, row: Row) -> None:
        """Let go what a call held, and count what it used."""
        assert row.settlement
        lines = lines_of(row)
        cost = sum(line.cost.nano_usd for line in lines if line.cost)
        usages = [line.usage for line in lines if line.usage]
        tokens = sum(one.input_tokens + one.output_tokens for one in usages)
        for allowance, amount in row.held.items():
            kept = self.purse(allowance)
            if kept.start == row.windows[allowance]:
                kept.held -= amount
                kept.used += {Meter.TOKENS_PER_MINUTE: tokens, Meter.CONCURRENT_TURNS: 0}.get(
                    allowance.meter, cost
                )


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
        row = Row(hold, self.worker_id, time.monotonic(), progress)
        if before is not None:
            row.held, row.windows = before.held, before.windows
        else:
            self._take(row, hold.shares)
        self.books.rows[hold.usage_id] = row
        return True

    @override
    async def extend(self, usage_id: UUID, shares: Sequence[Share]) -> None:
        self._reach()
        row = self.books.rows[usage_id]
        if row.settlement is None and row.worker_id == self.worker_id:
            self._take(row, shares)

    @override
    async def balances(self, allowances: Sequence[Allowance]) -> Sequence[Balance]:
        self._reach()
        return [self.books.balance(one) for one in allowances]

    def _take(self, row: Row, shares: Sequence[Share]) -> None:
        short = self.books.short(shares, row.held)
        if short:
            raise Exhausted(short)
        for one in shares:
            kept, before = self.books.purse(one.allowance), row.held.get(one.allowance, 0)
            row.held[one.allowance] = max(one.amount, before)
            row.windows.setdefault(one.allowance, kept.start)
            kept.held += max(one.amount - before, 0)

    @override
    async def settle(self, settlement: Settlement) -> bool:
        await self.reachable.wait()
        row = self.books.rows.get(settlement.usage_id)
        if row is None or row.settlement is not None or row.worker_id != self.worker_id:
            return False
        row.settlement, row.settled_at = settlement, datetime.now(UTC)
        self.books.charge(row)
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
                self.books.charge(row)
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
        return [sums[key] for key in sorted(sums)][: MOST_SUMS + 1]

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
        and which.key_id in {None, one.key_id}
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
        cache_write_tokens=total.cache_write_tokens + usage.cache_write_tokens,
        long_cache_write_tokens=total.long_cache_write_tokens + usage.long_cache_write_tokens,
    )
