"""The fields that many messages have: ids, callers, pages, times."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from parley_rpc.context import Caller, ServerContext
from parley_rpc.faults import InvalidArgument, Unauthenticated

Item = TypeVar("Item")
# What an answer is given to be written and sent.
ANSWER_SECONDS = 0.1


def from_uuid(field: str, text: str) -> UUID:
    """Read an id."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidArgument.of(field, "must be a UUID") from None


def owner_of(caller: Caller) -> UUID:
    """Read in whose name a call is made."""
    try:
        return UUID(caller.user_id)
    except ValueError:
        raise Unauthenticated("The user context names no user by a UUID.") from None


def seconds_left(context: ServerContext) -> float:
    """Return how long a vendor may be asked, so that the answer still reaches the caller."""
    return max((context.time_remaining() or 0.0) - ANSWER_SECONDS, 0.0)


def page_size(asked: int, most: int) -> int:
    """Read how much a page may hold; 0 means as much as it can."""
    if not 0 <= asked <= most:
        raise InvalidArgument.of("page_size", f"must be from 1 to {most}, or 0")
    return asked or most


def to_token(place: str) -> str:
    """Write a place in a list as an opaque token."""
    return base64.urlsafe_b64encode(place.encode()).decode()


def from_token(token: str) -> str:
    """Read a place in a list; empty is its beginning."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise InvalidArgument.of("page_token", "is not one that a former answer gave") from None


def cut(
    items: Sequence[Item], size: int, place: Callable[[Item], str]
) -> tuple[Sequence[Item], str]:
    """Return the first page of what is left, and the token of the next; empty at the end."""
    page = items[:size]
    return page, to_token(place(page[-1])) if len(items) > size else ""


def from_time(field: str, time: Timestamp) -> datetime:
    """Read a moment; InvalidArgument."""
    try:
        return time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of(field, "must be a time from year 1 to 9999") from None
