"""What was verified once, remembered for as long as the same keys are trusted."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

MOST_REMEMBERED = 4096

Known = TypeVar("Known")


class Memo(Generic[Known]):
    """A bounded memory that forgets the oldest first, and everything when trust changes."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self.most = most
        self._trusted: object = None
        self._known: dict[Hashable, Known] = {}

    def get(self, shown: Hashable, trusted: object) -> Known | None:
        """Return what is known of something that was shown while the same keys were trusted."""
        if trusted is not self._trusted:
            self._trusted = trusted
            self._known.clear()
        return self._known.get(shown)

    def keep(self, shown: Hashable, known: Known) -> None:
        """Remember something, in the place of what has been there longest."""
        if len(self._known) >= self.most:
            del self._known[next(iter(self._known))]
        self._known[shown] = known

    def __len__(self) -> int:
        return len(self._known)
