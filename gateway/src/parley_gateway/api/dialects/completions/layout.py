"""The pieces of a reply, whose order and metadata a message of this dialect has no fields for.

They travel as one opaque word in `extra_content`, and only when something would be lost without
it: when a vendor wants something back with text, or reasoning stands behind text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec

from parley.provider.v1.reply_pb2 import Part
from parley_gateway.api.dialects.opaque import unwrapped, wrapped

OURS = "parley"


class Kind(IntEnum):
    """What a piece of a reply is; in the order in which they stand in a message."""

    REASONING = 0
    TEXT = 1
    CALL = 2


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """A piece; of text, how much of it."""

    kind: Kind
    length: int = 0
    metadata: bytes = b""


@dataclass(slots=True)
class Piece:
    """A piece of a reply as it comes in."""

    kind: Kind
    texts: list[str] = field(default_factory=list)
    metadata: bytes = b""
    call_id: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        """What has come."""
        return "".join(self.texts)


@dataclass(frozen=True, slots=True)
class Said:
    """A message that comes back: its reasoning, its text, its calls."""

    thoughts: Sequence[Part]
    text: str
    calls: Sequence[Part]


def carried(pieces: Sequence[Piece]) -> dict[str, str] | None:
    """Return what carries the order and metadata of a reply's pieces; None when nothing must."""
    kinds = [piece.kind for piece in pieces]
    in_order = kinds == sorted(kinds) and kinds.count(Kind.TEXT) < 2
    has_metadata = any(piece.metadata for piece in pieces)
    is_needed = any(piece.metadata for piece in pieces if piece.kind is Kind.TEXT)
    if not is_needed and (in_order or not has_metadata):
        return None
    entries = [
        Entry(piece.kind, len(piece.text), piece.metadata)
        if piece.kind is Kind.TEXT
        else Entry(piece.kind)
        for piece in pieces
    ]
    return {OURS: wrapped(msgspec.json.encode(entries))}


def metadata_of(extra: Mapping[str, Any] | None) -> bytes:
    """Return the metadata that a field carries; nothing when it is not ours."""
    return unwrapped(extra.get(OURS)) if extra else b""


def ordered(said: Said, extra: Mapping[str, Any] | None) -> list[Part]:
    """Return the parts of a message in the order in which they were made, as far as is known."""
    entries = known(extra)
    if entries and fits(entries, said):
        return list(laid_out(entries, said))
    text = [Part(text=said.text)] if said.text or not (said.thoughts or said.calls) else []
    return [*said.thoughts, *text, *said.calls]


def known(extra: Mapping[str, Any] | None) -> list[Entry]:
    """Read what `carried` wrote; nothing when it is not ours."""
    try:
        return msgspec.json.decode(metadata_of(extra) or b"[]", type=list[Entry])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def fits(entries: Sequence[Entry], said: Said) -> bool:
    """Say whether a message still is what its pieces say: its client may have changed it."""
    kinds = [entry.kind for entry in entries]
    lengths = [entry.length for entry in entries if entry.kind is Kind.TEXT]
    return (
        kinds.count(Kind.REASONING) == len(said.thoughts)
        and kinds.count(Kind.CALL) == len(said.calls)
        and min(lengths, default=0) >= 0
        and sum(lengths) == len(said.text)
    )


def laid_out(entries: Sequence[Entry], said: Said) -> list[Part]:
    """Return the parts of a message as its pieces lie."""
    thoughts, calls, place = iter(said.thoughts), iter(said.calls), 0
    parts: list[Part] = []
    for entry in entries:
        if entry.kind is Kind.REASONING:
            parts.append(next(thoughts))
        elif entry.kind is Kind.CALL:
            parts.append(next(calls))
        else:
            text = said.text[place : place + entry.length]
            parts.append(Part(text=text, provider_metadata=entry.metadata))
            place += entry.length
    return parts
