"""The vendor's signatures: what it wants back, unchanged, with the part that it signed."""

from __future__ import annotations

import orjson

FIELD = "thoughtSignature"
# Ends a piece of text that is not signed, so that the signed one after it stays a part of its own.
UNSIGNED = b"{}"
# What the vendor documents for calls that none of its models made, such as another vendor's.
FOREIGN = "skip_thought_signature_validator"


def kept(signature: str) -> bytes:
    """Returns what is stored with a piece."""
    return orjson.dumps({FIELD: signature})


def given(metadata: bytes) -> str:
    """Returns the signature that is stored with a piece; nothing when it is another vendor's."""
    if not metadata:
        return ""
    try:
        known = orjson.loads(metadata)
    except orjson.JSONDecodeError:
        return ""
    signature = known.get(FIELD) if isinstance(known, dict) else None
    return signature if isinstance(signature, str) else ""
