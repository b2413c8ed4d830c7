"""Wrong keys: who shows many different ones is guessing, and is told to come back later."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from parley_gateway.core.faults import TooManyAttempts

WINDOW_SECONDS = 300.0
MOST_PER_ADDRESS = 100
MOST_PER_KEY = 10
MOST_SUBJECTS = 2_000
TAG_BYTES = 8


@dataclass(slots=True)
class Record:
    """The different wrong keys of one subject, since when."""

    began: float
    tags: set[bytes] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Failures:
    """Counts different wrong keys, by the address that shows them and by the key they mean.

    A program that shows the same outdated key for ever is no guesser and keeps hearing that it
    is wrong. A guesser is refused for the rest of the window, and its keys are looked up one
    after the other, so that it cannot keep the database busy. Keys are always looked up, and one
    that is right always gets in: else a guesser could lock out its neighbours.

    Memory is bounded: what has not been counted for longest is forgotten.
    """

    def __init__(
        self,
        most_per_address: int = MOST_PER_ADDRESS,
        *,
        most_per_key: int = MOST_PER_KEY,
        most_subjects: int = MOST_SUBJECTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most_subjects = most_subjects
        self._most = {"address": most_per_address, "key": most_per_key}
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._records: dict[tuple[str, str], Record] = {}

    def turn(self, address: str) -> asyncio.Lock | None:
        """Return what a request has to wait for; None unless its address guesses."""
        record = self._current("address", address)
        if record is None or self._seconds_left("address", record) == 0:
            return None
        return record.turn

    def note(self, token: bytes, address: str, key_id: str | None) -> None:
        """Count a key that was wrong; TooManyAttempts when it was one of too many."""
        tag = hashlib.blake2b(token, digest_size=TAG_BYTES, key=self._salt).digest()
        waits = [self._count("address", address, tag)]
        if key_id:
            waits.append(self._count("key", key_id, tag))
        if wait := max(waits):
            raise TooManyAttempts(wait)

    def _count(self, kind: str, subject: str, tag: bytes) -> float:
        record = self._current(kind, subject) or Record(self._clock())
        wait = self._seconds_left(kind, record)
        if not wait:
            record.tags.add(tag)
        # Put last again: the first ones are the next to be forgotten.
        self._records.pop((kind, subject), None)
        while len(self._records) >= self.most_subjects:
            del self._records[next(iter(self._records))]
        self._records[kind, subject] = record
        return wait

    def _current(self, kind: str, subject: str) -> Record | None:
        record = self._records.get((kind, subject))
        if record is None or self._clock() >= record.began + WINDOW_SECONDS:
            return None
        return record

    def _seconds_left(self, kind: str, record: Record) -> float:
        """Return how long a subject has to wait, 0 while it has shown few enough."""
        if len(record.tags) < self._most[kind]:
            return 0.0
        return record.began + WINDOW_SECONDS - self._clock()
