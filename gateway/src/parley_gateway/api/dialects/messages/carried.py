"""What a vendor wants back with text and calls: carried behind them, where the dialect has a field.

Its blocks of text and of calls have none, and in a stream they have begun before the metadata
comes. Blocks of redacted thinking are given back unread by every client, so a further one of them
says what belongs to the block before it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from parley_gateway.api.dialects import opaque


class Owner(StrEnum):
    """To which block metadata belongs."""

    # The text before it.
    TEXT = "text"
    # Text that is empty, and no block for that.
    BLANK = "blank"
    # The call that is named.
    CALL = "call"
    # Thinking that cannot be read: the block itself.
    THINKING = ""


class Carried(NamedTuple):
    """Metadata, and what it belongs to."""

    owner: Owner
    call_id: str
    metadata: bytes


def written(owner: Owner, metadata: bytes, call_id: str = "") -> str:
    """Write metadata as the data of a block of redacted thinking."""
    word = opaque.wrapped(metadata)
    if owner is Owner.CALL:
        return f"{owner}:{call_id}:{word}"
    return f"{owner}:{word}" if owner else word


def read(data: str) -> Carried:
    """Read the data of such a block; no metadata when it was made elsewhere."""
    place, _, word = data.rpartition(":")
    kind, _, call_id = place.partition(":")
    if kind not in tuple(Owner):
        return Carried(Owner.THINKING, "", b"")
    return Carried(Owner(kind), call_id, opaque.unwrapped(word))
