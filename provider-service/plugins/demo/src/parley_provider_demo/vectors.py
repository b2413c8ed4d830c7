"""Vectors of texts: made of a hash, so they mean nothing and are always the same."""

from __future__ import annotations

import hashlib
import math
import struct

DIMENSIONS = 256


def vector(text: str, dimensions: int | None) -> list[float]:
    """Returns the vector of a text, of length 1."""
    count = DIMENSIONS if dimensions is None else dimensions
    raw = hashlib.shake_256(text.encode(errors="replace")).digest(4 * count)
    numbers = [number + 0.5 for number in struct.unpack(f"<{count}i", raw)]
    length = math.hypot(*numbers)
    return [number / length for number in numbers]
