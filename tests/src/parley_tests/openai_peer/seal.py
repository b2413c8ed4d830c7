"""Encrypted reasoning: nobody can read it, and whoever changes it is found out."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

_SECRET = "the peer's own"


def sealed(item_id: str, thought: str) -> str:
    """Returns what stands in an item for its reasoning."""
    text = f"{item_id}\n{thought}".encode()
    return urlsafe_b64encode(_digest(text) + text).decode()


def is_intact(item: Mapping[str, Any]) -> bool:
    """Says that an item holds the reasoning that was sealed for it."""
    try:
        opened = urlsafe_b64decode(item.get("encrypted_content") or "")
    except ValueError:
        return False
    digest, text = opened[:32], opened[32:]
    return digest == _digest(text) and text.startswith(f"{item['id']}\n".encode())


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(_SECRET.encode() + text).digest()
