"""Allowances: between the contract's messages and the core's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parley_rpc.status import to_status

from parley.context.v1 import context_pb2
from parley.provider.v1 import usage_pb2
from parley_provider_service.core.allowances import Allowance, Balance, Meter, refusal

# Where the service's faults come from (api/server.py).
DOMAIN = "provider.parley"

METERS = {
    context_pb2.METER_DAILY_COST: Meter.DAILY_COST,
    context_pb2.METER_MONTHLY_COST: Meter.MONTHLY_COST,
    context_pb2.METER_TOKENS_PER_MINUTE: Meter.TOKENS_PER_MINUTE,
    context_pb2.METER_CONCURRENT_TURNS: Meter.CONCURRENT_TURNS,
}
OF_METER = {meter: number for number, meter in METERS.items()}


def from_allowances(allowances: Iterable[context_pb2.Allowance]) -> Sequence[Allowance]:
    """Read what a call counts against, of each the strictest.

    What only a newer gateway speaks of is for a newer service.
    """
    read: dict[tuple[str, Meter], Allowance] = {}
    for one in allowances:
        meter = METERS.get(one.meter)
        if meter is None:
            continue
        known = read.get((one.scope, meter))
        limit = one.limit if known is None else min(one.limit, known.limit)
        read[one.scope, meter] = Allowance(one.scope, meter, limit)
    return tuple(read.values())


def to_allowances(balances: Sequence[Balance]) -> usage_pb2.GetAllowancesResponse:
    """Write how allowances stand, and what whoever asks for a reply would hear."""
    written = usage_pb2.GetAllowancesResponse(balances=[to_balance(one) for one in balances])
    used_up = [balance for balance in balances if not balance.left]
    if used_up:
        written.refusal = to_status(refusal(used_up), DOMAIN).SerializeToString()
    return written


def to_balance(balance: Balance) -> usage_pb2.Balance:
    """Write how an allowance stands."""
    allowance = balance.allowance
    written = usage_pb2.Balance(
        allowance=context_pb2.Allowance(
            scope=allowance.scope, meter=OF_METER[allowance.meter], limit=allowance.limit
        ),
        used=balance.used,
        held=balance.held,
        seconds_left=balance.seconds_left,
    )
    if balance.resets_at is not None:
        written.resets_at.FromDatetime(balance.resets_at)
    return written
