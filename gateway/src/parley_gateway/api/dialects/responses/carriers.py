"""What a vendor wants back with text or with a call: carried by reasoning items of their own.

Of all items of this dialect only reasoning has a field that clients give back unread.
"""

from __future__ import annotations

from enum import Enum, auto

# Vendors' own metadata is JSON, which never begins so.
TEXT = b"text\n"
CALL = b"call "


class Kind(Enum):
    """What metadata belongs to."""

    REASONING = auto()
    TEXT = auto()
    CALL = auto()


def for_text(metadata: bytes) -> bytes:
    """Mark metadata as that of the text before."""
    return TEXT + metadata


def for_call(call_id: str, metadata: bytes) -> bytes:
    """Mark metadata as that of a call."""
    return CALL + call_id.encode() + b"\n" + metadata


def opened(carried: bytes) -> tuple[Kind, str, bytes]:
    """Return what metadata belongs to, the call when it is one's, and the metadata."""
    if carried.startswith(TEXT):
        return Kind.TEXT, "", carried.removeprefix(TEXT)
    if carried.startswith(CALL):
        call_id, _, metadata = carried.removeprefix(CALL).partition(b"\n")
        return Kind.CALL, call_id.decode(errors="replace"), metadata
    return Kind.REASONING, "", carried
