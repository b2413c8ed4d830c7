"""The calls of the ledger: the caller's own rows, for administrators everybody's."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypedDict, Unpack

from parley_client.answers import Answer
from parley_client.call import Call, Paging, into, known, page_of
from parley_client.ledger import UsageRecord, UsageReport
from parley_client.types import Page


class UsageSpan(TypedDict, total=False):
    """Whose usage of which time: `since` is in, `until` is not.

    A date means its begin in UTC; a datetime must know its zone.
    """

    since: date | None
    until: date | None
    user_id: str | None
    key_id: str | None


class UsageFilter(UsageSpan, Paging, total=False):
    """Which calls."""

    provider: str | None
    model: str | None


def summarize_usage(group_by: Sequence[str] = (), **span: Unpack[UsageSpan]) -> Call[UsageReport]:
    """Asks for sums, divided by any of day, provider, model, user, key; the total alone by none."""
    return Call("GET", "/usage", into(UsageReport), _query(span, group_by=group_by))


def summarize_usage_as_csv(group_by: Sequence[str] = (), **span: Unpack[UsageSpan]) -> Call[str]:
    """Asks for sums as a table that spreadsheets read."""
    return Call("GET", "/usage", _text, {**_query(span, group_by=group_by), "format": "csv"})


def list_usage_records(**query: Unpack[UsageFilter]) -> Call[Page[UsageRecord]]:
    """Asks for single calls, newest first."""
    return Call("GET", "/usage/records", page_of(UsageRecord, "records"), _query(query))


def _query(span: Mapping[str, Any], *, group_by: Sequence[str] = ()) -> dict[str, Any]:
    values = {"group_by": ",".join(group_by) or None, **span}
    for ours, theirs in (("since", "from"), ("until", "to")):
        time: date | None = values.pop(ours, None)
        values[theirs] = time.isoformat() if time else None
    return known(values)


def _text(answer: Answer) -> str:
    return answer.body.decode()
