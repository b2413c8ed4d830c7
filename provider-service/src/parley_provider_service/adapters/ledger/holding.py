"""Holds of those who have allowances: a statement each, for it locks what others wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from parley_provider_service.adapters.database import Database
from parley_provider_service.adapters.ledger.allowances import ADD, BALANCES, EXTEND, HOLD
from parley_provider_service.core.allowances import Allowance, Balance, Exhausted, Share

# Who waits for the same allowances waits here: there, each would keep a connection.
AT_ONCE = 2


class Holds:
    """Takes shares of allowances for the calls of one process, all of a call's or none."""

    def __init__(self, database: Database, worker_id: UUID) -> None:
        self.database = database.jobs
        self.worker_id = worker_id
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hold(self, call: Mapping[str, Any], shares: Sequence[Share]) -> bool:
        """Write a call's row with what it holds; False when its id was used; Exhausted."""
        values = {**call, **columns_of(shares)}
        async with self._turn:
            known, complete, held, *rows = read(await self.database.fetch(HOLD, values))
            if not (known or complete):
                await self.database.fetch(ADD, values)
                known, complete, held, *rows = read(await self.database.fetch(HOLD, values))
        if complete and not held:
            refuse(rows, shares)
        return bool(held)

    async def extend(self, usage_id: UUID, shares: Sequence[Share]) -> None:
        """Let a call hold so much at least; Exhausted."""
        values = {"usage_id": usage_id, "worker": self.worker_id, **columns_of(shares)}
        async with self._turn:
            rows = await self.database.fetch(EXTEND, values)
        refuse(rows, shares)

    async def balances(self, allowances: Sequence[Allowance]) -> Sequence[Balance]:
        """Return how allowances stand."""
        asked = [Share(allowance, 0) for allowance in allowances]
        rows = await self.database.fetch(BALANCES, columns_of(asked))
        found = {(scope, meter): state for scope, meter, *state in rows}
        return [balance(one, found[one.scope, one.meter.value]) for one in allowances]


def columns_of(shares: Sequence[Share]) -> dict[str, Any]:
    """Write what is to be held, of each allowance once."""
    return {
        "scopes": [share.allowance.scope for share in shares],
        "meters": [share.allowance.meter.value for share in shares],
        "limits": [share.allowance.limit for share in shares],
        "amounts": [share.amount for share in shares],
    }


def read(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what is the same in all rows, and behind it what each says of an allowance."""
    return [*rows[0][:3], *(row[3:] for row in rows)]


def refuse(rows: Sequence[Sequence[Any]], shares: Sequence[Share]) -> None:
    """Raise Exhausted with the allowances of which not enough is left, if any."""
    asked = {
        (one.allowance.scope, one.allowance.meter.value): one.allowance  # one of each
        for one in shares
    }
    short = [
        balance(asked[scope, meter], state) for scope, meter, *state, enough in rows if not enough
    ]
    if short:
        raise Exhausted(short)


def balance(allowance: Allowance, state: Sequence[Any]) -> Balance:
    """Read how an allowance stands."""
    used, held, resets_at, seconds_left = state
    return Balance(allowance, used, held, resets_at, max(seconds_left or 0.0, 0.0))
