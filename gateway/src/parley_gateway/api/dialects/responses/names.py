"""What responses and their items are called: made of the UUID of what they show, and read again."""

from __future__ import annotations

import re
from uuid import UUID

RESPONSE = re.compile(r"resp_([0-9a-f]{32})\Z")
ITEM = re.compile(r"(?:msg|rs|fc|fco)_([0-9a-f]{32})([0-9a-f]{4})\Z")
# Nothing is called so.
NOBODY = str(UUID(int=0))


def response_id(message_id: str) -> str:
    """Name a response after the message, or the call, that it shows."""
    return f"resp_{message_id.replace('-', '')}"


def message_id(response: str) -> str:
    """Return the message that a response shows; what nothing is called for any other text."""
    found = RESPONSE.match(response)
    return str(UUID(found[1])) if found else NOBODY


def item_id(kind: str, of: str, number: int) -> str:
    """Name an item: its kind, what it is a piece of, and which piece."""
    return f"{kind}_{of.replace('-', '')}{number:04x}"


def source_of(item: str) -> str:
    """Return the message that an item is a piece of; what nothing is called for any other text."""
    found = ITEM.match(item)
    return str(UUID(found[1])) if found else NOBODY
