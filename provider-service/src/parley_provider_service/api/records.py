"""The ledger: between the contract's messages and the core's values."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley_rpc.context import Caller
from parley_rpc.faults import InvalidArgument, PermissionDenied

from parley.provider.v1 import usage_pb2
from parley_provider_service.api.convert import to_cost, to_usage
from parley_provider_service.api.fields import from_time, from_uuid, owner_of
from parley_provider_service.core.model import Attempted, UsageRecord
from parley_provider_service.core.ports import MOST_SUMS
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum

# Rows that one answer may hold.
MOST_RECORDS = 500
GROUPS = {
    usage_pb2.USAGE_GROUP_DAY: UsageGroup.DAY,
    usage_pb2.USAGE_GROUP_PROVIDER: UsageGroup.PROVIDER,
    usage_pb2.USAGE_GROUP_MODEL: UsageGroup.MODEL,
    usage_pb2.USAGE_GROUP_USER: UsageGroup.USER,
    usage_pb2.USAGE_GROUP_KEY: UsageGroup.KEY,
}


def from_usage_ids(
    request: usage_pb2.ListUsageRequest | usage_pb2.GetUsageRequest,
) -> list[UUID]:
    """Read which rows are named; InvalidArgument."""
    if len(request.usage_ids) > MOST_RECORDS:
        raise InvalidArgument.of("usage_ids", f"must be at most {MOST_RECORDS}")
    return [from_uuid("usage_ids", text) for text in request.usage_ids]


def to_record(record: UsageRecord) -> usage_pb2.UsageRecord:
    """Write a row of the ledger."""
    written = usage_pb2.UsageRecord(
        usage_id=str(record.usage_id),
        settled=record.settled,
        user_id="" if record.owner_id is None else str(record.owner_id),
        key_id=record.key_id,
        provider=record.provider,
        model=record.model,
        outcome=record.outcome,
        attempts=[to_attempt(attempt) for attempt in record.attempts],
    )
    if record.usage is not None:
        written.usage.CopyFrom(to_usage(record.usage))
    if record.cost is not None:
        written.cost.CopyFrom(to_cost(record.cost))
    if record.started_at is not None:
        written.started_at.FromDatetime(record.started_at)
    if record.settled_at is not None:
        written.settled_at.FromDatetime(record.settled_at)
    return written


def to_attempt(attempt: Attempted) -> usage_pb2.Attempt:
    """Write one time that a vendor was asked."""
    written = usage_pb2.Attempt(
        provider=attempt.provider,
        model=attempt.model,
        outcome=attempt.outcome,
        duration_ms=attempt.duration_ms,
    )
    if attempt.usage is not None:
        written.usage.CopyFrom(to_usage(attempt.usage))
    if attempt.cost is not None:
        written.cost.CopyFrom(to_cost(attempt.cost))
    return written


def to_sum(one: UsageSum) -> usage_pb2.UsageSum:
    """Write one sum."""
    return usage_pb2.UsageSum(
        day="" if one.day is None else one.day.isoformat(),
        provider=one.provider,
        model=one.model,
        user_id="" if one.owner_id is None else str(one.owner_id),
        key_id=one.key_id,
        requests=one.requests,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        cached_input_tokens=one.cached_input_tokens,
        reasoning_tokens=one.reasoning_tokens,
        cost_nano_usd=one.cost_nano_usd,
        unpriced_requests=one.unpriced_requests,
        cache_write_tokens=one.cache_write_tokens,
        long_cache_write_tokens=one.long_cache_write_tokens,
    )


def from_groups(request: usage_pb2.SummarizeUsageRequest) -> list[UsageGroup]:
    """Read what sums are divided by; InvalidArgument."""
    groups = [GROUPS.get(group) for group in request.group_by]
    known = [group for group in groups if group is not None]
    if len(known) < len(groups) or len(set(known)) < len(known):
        raise InvalidArgument.of("group_by", "must be known groups, each at most once")
    return known


def few_enough(sums: Sequence[UsageSum]) -> Sequence[UsageSum]:
    """Return sums, when one answer may hold all of them; InvalidArgument."""
    if len(sums) > MOST_SUMS:
        advice = "ask for less time, for one user or key, or divide by less"
        raise InvalidArgument.of("group_by", f"makes more than {MOST_SUMS} sums: {advice}")
    return sums


def from_filter(
    request: usage_pb2.ListUsageRecordsRequest | usage_pb2.SummarizeUsageRequest, caller: Caller
) -> UsageFilter:
    """Read which rows are meant; PermissionDenied for those of others, InvalidArgument."""
    provider = model = None
    if isinstance(request, usage_pb2.ListUsageRecordsRequest):
        provider, model = kept("provider", request.provider), kept("model", request.model)
        for field, name in (("provider", provider), ("model", model)):
            if name and "\0" in name:
                raise InvalidArgument.of(field, "must not hold a NUL character")
    bounds = getattr(request, "from"), request.to  # the one is a word of Python's
    return UsageFilter(
        owner_id=owner_meant(request.user_id, caller),
        provider=provider,
        model=model,
        key_id=kept("key_id", request.key_id),
        since=from_time("from", bounds[0]) if request.HasField("from") else None,
        until=from_time("to", bounds[1]) if request.HasField("to") else None,
    )


def kept(field: str, text: str) -> str | None:
    """Read what is kept; None for all, InvalidArgument for what no database can hold."""
    if "\0" in text:
        raise InvalidArgument.of(field, "must not hold a NUL")
    return text or None


def owner_meant(user_id: str, caller: Caller) -> UUID | None:
    """Return whose rows are meant; None for everybody's."""
    own = owner_of(caller)
    if not user_id:
        return None if caller.is_admin else own
    asked = from_uuid("user_id", user_id)
    if asked != own and not caller.is_admin:
        raise PermissionDenied("Only an administrator may see others' usage.", role="admin")
    return asked
