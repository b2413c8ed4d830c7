"""Where a reader stands in a reply."""

import re
from typing import NamedTuple

_WRITTEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


class Position(NamedTuple):
    """How much of a reply was read, in code points; written `<reasoning>.<text>`."""

    reasoning: int = 0
    text: int = 0

    @property
    def written(self) -> str:
        """The position as ids of events have it."""
        return f"{self.reasoning}.{self.text}"

    @classmethod
    def parse(cls, written: str) -> "Position":
        """Reads a position; raises ValueError when it is none."""
        match = _WRITTEN.fullmatch(written)
        if match is None:
            raise ValueError(f"{written!r} is no position.")
        return cls(int(match[1]), int(match[2]))

    def behind(self, *, reasoning: str = "", text: str = "") -> "Position":
        """Returns the position behind some more of the reply."""
        return Position(self.reasoning + len(reasoning), self.text + len(text))

    def furthest(self, other: "Position") -> "Position":
        """Returns the position behind all that was read at either."""
        return Position(max(self.reasoning, other.reasoning), max(self.text, other.text))
