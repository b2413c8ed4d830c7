"""What is left of a caller's allowances: asked before a turn begins, and told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from parley_rpc.context import Caller
from starlette.types import Scope

from parley.context.v1 import context_pb2
from parley.provider.v1.usage_pb2 import Balance, GetAllowancesRequest, GetAllowancesResponse
from parley_gateway.api.convert import dollars, instant
from parley_gateway.api.dependencies import CALLER, READ_SECONDS, VERDICT, Gateway, gateway_of
from parley_gateway.api.door import Headers
from parley_gateway.api.middleware import exchange_of
from parley_gateway.api.schemas.allowances import Allowance, Meter
from parley_gateway.core.model import Verdict

MONEY = (context_pb2.METER_DAILY_COST, context_pb2.METER_MONTHLY_COST)
METERS: Mapping[int, Meter] = {
    context_pb2.METER_DAILY_COST: "daily_cost",
    context_pb2.METER_MONTHLY_COST: "monthly_cost",
    context_pb2.METER_TOKENS_PER_MINUTE: "tokens_per_minute",
    context_pb2.METER_CONCURRENT_TURNS: "concurrent_turns",
}


async def preflight(scope: Scope) -> bytes:
    """Return what a turn is refused with while there is nothing left for it; mostly nothing.

    Whoever has no allowances pays nothing for that. The provider service has the last word: what
    is left may be too little.
    """
    caller: Caller = scope[CALLER]
    if not caller.allowances:
        return b""
    known = await balances_of(gateway_of(scope), caller)
    exchange_of(scope).headers += token_headers(known.balances)
    return known.refusal


async def balances_of(gateway: Gateway, caller: Caller) -> GetAllowancesResponse:
    """Ask how the caller's allowances stand."""
    return await gateway.provider.unary(
        gateway.provider.stub.GetAllowances, GetAllowancesRequest(), caller, READ_SECONDS
    )


def token_headers(balances: Sequence[Balance]) -> Headers:
    """Tell what is left of the minute's tokens, of the tightest limit; nothing without one."""
    minutes = [
        (max(0, one.allowance.limit - one.used - one.held), one)
        for one in balances
        if one.allowance.meter == context_pb2.METER_TOKENS_PER_MINUTE
    ]
    if not minutes:
        return []
    left, tightest = min(minutes, key=lambda one: one[0])
    return [
        (b"x-ratelimit-limit-tokens", b"%d" % tightest.allowance.limit),
        (b"x-ratelimit-remaining-tokens", b"%d" % left),
        (b"x-ratelimit-reset-tokens", b"%ds" % max(1, math.ceil(tightest.seconds_left))),
    ]


async def _allowances(request: Request) -> list[Allowance]:
    caller: Caller = request.scope[CALLER]
    shown = list(hours(request.scope[VERDICT]))
    if caller.allowances:
        known = await balances_of(gateway_of(request.scope), caller)
        shown += [allowance(one) for one in known.balances if one.allowance.meter in METERS]
    return shown


# Everything that the caller's requests count against, and how it stands.
KnownAllowances = Annotated[list[Allowance], Depends(_allowances)]


def hours(verdict: Verdict) -> Iterator[Allowance]:
    """Yield the limits of requests per hour."""
    for one in verdict.standings:
        yield Allowance(
            scope=one.whose,
            meter="requests_per_hour",
            limit=one.limit,
            used=one.limit - one.remaining,
            held=0,
            left=one.remaining,
            resets_at=datetime.now(UTC) + timedelta(seconds=one.seconds_left),
        )


def allowance(balance: Balance) -> Allowance:
    """Return how an allowance stands; money in dollars."""
    meter, limit = balance.allowance.meter, balance.allowance.limit
    written = dollars if meter in MONEY else int
    left = max(0, limit - balance.used - balance.held)
    return Allowance(
        scope="key" if balance.allowance.scope.startswith("key:") else "user",
        meter=METERS[meter],
        limit=written(limit),
        used=written(balance.used),
        held=written(balance.held),
        left=written(left),
        resets_at=instant(balance.resets_at) if balance.HasField("resets_at") else None,
    )
