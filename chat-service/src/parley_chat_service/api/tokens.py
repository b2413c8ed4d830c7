"""Page tokens: places in a list, opaque to those who carry them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

from parley_rpc.faults import InvalidArgument

from parley_chat_service.core.model import ChatCursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LARGEST = 2**63 - 1


def chat_token(cursor: ChatCursor) -> str:
    """Write a place in a list of chats."""
    micros = (cursor.updated_at - EPOCH) // MICROSECOND
    return written("chats", str(micros), cursor.chat_uid.hex)


def chat_cursor(token: str) -> ChatCursor:
    """Read a place in a list of chats."""
    micros, uid = read(token, "chats", 2)
    try:
        return ChatCursor(EPOCH + int(micros) * MICROSECOND, UUID(uid))
    except (ValueError, OverflowError):
        raise broken() from None


def message_token(seq: int, *, from_end: bool) -> str:
    """Write a place in a list of messages, which goes one way only."""
    return written("back" if from_end else "on", str(seq))


def message_cursor(token: str, *, from_end: bool) -> int:
    """Read a place in a list of messages."""
    (seq,) = read(token, "back" if from_end else "on", 1)
    if not seq.isdecimal() or int(seq) > LARGEST:
        raise broken()
    return int(seq)


def written(kind: str, *values: str) -> str:
    """Write values so that they look like nothing to be built by hand."""
    return base64.urlsafe_b64encode(".".join((kind, *values)).encode()).decode().rstrip("=")


def read(token: str, kind: str, count: int) -> list[str]:
    """Read the values of a token of one kind."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        found, *values = text.decode().split(".")
    except ValueError:
        raise broken() from None
    if found != kind or len(values) != count:
        raise broken()
    return values


def broken() -> InvalidArgument:
    """Return the fault of a token that we did not write."""
    return InvalidArgument.of("page_token", "must be a next_page_token of the same list")
