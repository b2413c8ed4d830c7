"""Routes of the ledger: what was used, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from google.protobuf.timestamp_pb2 import Timestamp
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import usage_pb2
from parley_gateway.api import convert_usage, examples
from parley_gateway.api.dependencies import (
    NOBODY,
    READ_SECONDS,
    ActingCaller,
    ActingIdentity,
    AskedPage,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import Responses, refusals
from parley_gateway.api.schemas import usage
from parley_gateway.api.schemas.fields import Moment, Text, Uuid
from parley_gateway.core.model import Scope
from parley_gateway.core.users import owner_or

CSV = "text/csv"
WORD = "(day|provider|model|user|key)"
AS_CSV: Responses = {
    200: {
        "description": "The sums, as JSON or as CSV.",
        "content": {CSV: {"schema": {"type": "string"}, "example": examples.USAGE_CSV}},
    }
}
Route = guarded(reading=frozenset({Scope.READ}), changing=NOBODY)
router = APIRouter(route_class=Route, tags=["Usage"])


@dataclass(frozen=True, slots=True)
class Span:
    """Whose rows of which time are asked for; nothing means all that the caller may see."""

    user_id: str
    key_id: str
    since: Timestamp | None
    until: Timestamp | None


async def _span(
    by: ActingIdentity,
    since: Annotated[
        Moment | None,
        Query(alias="from", description="Leaves out what began earlier: a time, or a date in UTC."),
    ] = None,
    until: Annotated[
        Moment | None,
        Query(alias="to", description="Leaves out what began then or later."),
    ] = None,
    user_id: Annotated[Uuid | None, Query(description="Whose; others' for administrators.")] = None,
    key_id: Annotated[Text, Query(description="Of this key only.", max_length=200)] = "",
) -> Span:
    if user_id is not None:
        owner_or(by, user_id)
    if since is not None and until is not None and until <= since:
        raise InvalidArgument.of("to", "It must be later than `from`.")
    return Span(str(user_id or ""), key_id, stamp(since), stamp(until))


AskedSpan = Annotated[Span, Depends(_span)]


@router.get(
    "/usage",
    summary="Sum up usage",
    operation_id="summarize_usage",
    response_model=usage.UsageReport,
    response_model_exclude_unset=True,
    responses=AS_CSV | refusals("invalid_argument", "permission_denied"),
)
async def summarize_usage(
    gateway: UsedGateway,
    caller: ActingCaller,
    span: AskedSpan,
    group_by: Annotated[
        str,
        Query(
            pattern=f"^({WORD}(,{WORD})*)?$",
            max_length=100,
            description="What the sums are divided by, a comma between two: `day`, `provider`, "
            "`model`, `user`, `key`. None asks for the total alone.",
        ),
    ] = "",
    format: Annotated[  # noqa: A002  (its name in the query)
        Literal["json", "csv"] | None, Query(description="Else as `Accept` says.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> usage.UsageReport | Response:
    """Sum up what calls took and cost: the caller's own, for administrators everybody's.

    Sums are kept by day in UTC, so `from` and `to` count as days: the day of `from` is in, that
    of `to` only when it is later than the day's begin.
    """
    groups = list(dict.fromkeys(group_by.split(","))) if group_by else []
    request = usage_pb2.SummarizeUsageRequest(
        group_by=[convert_usage.GROUPS[group][1] for group in groups],
        to=span.until,
        user_id=span.user_id,
        key_id=span.key_id,
        **{"from": span.since},  # a word of Python's
    )
    answer = await gateway.provider.unary(
        gateway.provider.stub.SummarizeUsage, request, caller, READ_SECONDS
    )
    if format == "csv" or (format is None and CSV in accept):
        name = {"Content-Disposition": 'attachment; filename="usage.csv"'}
        return Response(convert_usage.table(answer, groups), media_type=CSV, headers=name)
    return convert_usage.report(answer, groups)


@router.get(
    "/usage/records",
    summary="List calls",
    operation_id="list_usage_records",
    responses=refusals("invalid_argument", "permission_denied"),
)
async def list_usage_records(
    gateway: UsedGateway,
    caller: ActingCaller,
    span: AskedSpan,
    page: AskedPage,
    provider: Annotated[Text, Query(description="Of this one only.", max_length=200)] = "",
    model: Annotated[Text, Query(description="Of this one only.", max_length=200)] = "",
) -> usage.UsageRecordPage:
    """List single calls, newest first: the caller's own, for administrators everybody's."""
    request = usage_pb2.ListUsageRecordsRequest(
        page_size=page.size,
        page_token=page.token,
        to=span.until,
        user_id=span.user_id,
        key_id=span.key_id,
        provider=provider,
        model=model,
        **{"from": span.since},  # a word of Python's
    )
    answer = await gateway.provider.unary(
        gateway.provider.stub.ListUsageRecords, request, caller, READ_SECONDS
    )
    return usage.UsageRecordPage(
        records=[convert_usage.record(row) for row in answer.records],
        next_page_token=answer.next_page_token or None,
    )


def stamp(time: datetime | None) -> Timestamp | None:
    """Write a time as the contract has it."""
    if time is None:
        return None
    written = Timestamp()
    written.FromDatetime(time)
    return written
