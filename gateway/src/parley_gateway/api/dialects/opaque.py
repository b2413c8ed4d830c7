"""What a vendor wants back with a piece of a reply, as one word that a client carries around.

Only its provider looks inside; clients of every dialect have a field that they give back unread.
"""

from __future__ import annotations

import base64
import binascii

PREFIX = "parley1."


def wrapped(metadata: bytes) -> str:
    """Write metadata as one word; nothing for none."""
    return PREFIX + base64.urlsafe_b64encode(metadata).decode() if metadata else ""


def unwrapped(word: object) -> bytes:
    """Read such a word; nothing for one that was made elsewhere."""
    if not isinstance(word, str) or not word.startswith(PREFIX):
        return b""
    try:
        return base64.b64decode(word.removeprefix(PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
