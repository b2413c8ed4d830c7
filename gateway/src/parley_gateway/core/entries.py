"""What the audit log says: who did what to what, from where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from parley_gateway.core.model import Identity

# What came of it when nothing was wrong; else it is the reason of the refusal.
DONE = "done"
# A change that another service was asked for; what came of it is told by a second entry.
ASKED = "asked"
# A key was shown for the first time in an hour, or one that is not valid was.
LOGIN = "login"
LONGEST_TARGET = 200


class Whence(NamedTuple):
    """Where a request came from, and its name."""

    ip: str = ""
    request_id: str = ""


NOWHERE = Whence()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. It holds no secret, and of what was sent names only."""

    action: str
    outcome: str = DONE
    actor: UUID | None = None
    key_id: str = ""
    target: str = ""
    whence: Whence = NOWHERE
    details: Mapping[str, object] = field(default_factory=dict)
    # None is the moment at which it is written.
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """An entry as it stands in the log."""

    entry_id: UUID
    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: None keeps all. `since` is in, `until` is not."""

    actor: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def made_by(by: Identity, action: str, target: str, whence: Whence, **details: object) -> Entry:
    """Make the entry of what somebody does."""
    return Entry(action, DONE, by.user_id, by.key_id, storable(target), whence, details)


def storable(text: str) -> str:
    """Return what can be stored of a text that anybody may have sent."""
    return text[:LONGEST_TARGET].replace("\0", "").encode(errors="replace").decode()
