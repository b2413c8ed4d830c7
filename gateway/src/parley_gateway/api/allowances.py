"""What the services behind the gateway count a call against."""

from __future__ import annotations

from collections.abc import Iterator

from parley.context.v1 import context_pb2
from parley.context.v1.context_pb2 import Allowance
from parley_gateway.core.model import Identity, Quota


def allowances_of(identity: Identity) -> list[Allowance]:
    """Return the limits and budgets of a user and of the key that was shown."""
    user, key = f"user:{identity.user_id}", f"key:{identity.key_id}"
    return [*limits_of(user, identity.user_quota), *limits_of(key, identity.key_quota)]


def limits_of(scope: str, quota: Quota) -> Iterator[Allowance]:
    """Yield what is limited; requests per hour are the gateway's own matter."""
    limits = {
        context_pb2.METER_DAILY_COST: quota.daily_nano_usd,
        context_pb2.METER_MONTHLY_COST: quota.monthly_nano_usd,
        context_pb2.METER_TOKENS_PER_MINUTE: quota.tokens_per_minute,
        context_pb2.METER_CONCURRENT_TURNS: quota.concurrent_turns,
    }
    for meter, limit in limits.items():
        if limit is not None:
            yield Allowance(scope=scope, meter=meter, limit=limit)
