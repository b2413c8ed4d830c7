"""How a peer's replies go, and the words that it answers with when nothing is said of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

__all__ = ["DIRECTIVE", "Script", "directed", "words"]

DIRECTIVE = "#peer "
# Of one to four bytes a character, as real replies are.
_WORDS = [
    "the",
    "quick",
    "brown",
    "Füchse",
    "jump",
    "über",
    "世界",
    "and",
    "naïve",
    "cafés",
    "🚀",
    "sing",
    "“ode”",
    "—",
    "1",
    "€",
    "x",
]


@dataclass(frozen=True, slots=True)
class Script:
    """How replies go until the script is changed."""

    # The texts of the deltas; None means `count` words derived from the request.
    texts: tuple[str, ...] | None = None
    count: int = 64
    # Reasoning that comes before the text, and tool calls that come after it: each a mapping of
    # `tool_call_id`, `name` and `arguments`, whose JSON text is sent in pieces of seven characters.
    reasoning: tuple[str, ...] = ()
    calls: tuple[Mapping[str, str], ...] = ()
    # Seconds before the first token, and tokens per second after it; 0 means at once.
    delay: float = 0.0
    pace: float = 0.0
    # Waits for `release()` after so many tokens; the answer's head goes out before, 0 included.
    hold_after: int | None = None
    # Fails with one of the vendor's failures by name, before the head of the answer or, when
    # `error_after` is set, as an event after so many tokens.
    error: str = ""
    error_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    # Closes the connection after so many tokens, or ends the answer well but without its mark.
    cut_after: int | None = None
    cut_cleanly: bool = False
    # Writes seven bytes at a time, so that characters are split; or one byte, so many a second,
    # after so many tokens that are written whole.
    split: bool = False
    dribble: float = 0.0
    dribble_after: int = 0
    compress: bool = False
    usage: bool = True
    # The vendor's own word for why it stopped; empty means that it had said everything.
    finish_reason: str = ""
    # Puts fields and events that nobody knows between the others.
    unknown: bool = False
    # Answers with exactly this.
    raw: str | None = None
    raw_type: str = "text/event-stream"
    status: int = 200

    @property
    def is_plain(self) -> bool:
        """Says that all of a reply can be written at once."""
        stops = (self.hold_after, self.cut_after, self.error_after)
        return stops == (None, None, None) and not (self.pace or self.split or self.dribble)

    def changed(self, changes: Mapping[str, Any]) -> Script:
        """Returns the script with changes. ValueError for what a script does not have."""
        known = {one.name for one in fields(Script)}
        if unknown := sorted(set(changes) - known):
            raise ValueError(f"A script has no {unknown}, only {sorted(known)}.")
        made: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in changes.items()
        }
        return replace(self, **made)


def words(asked: str, count: int = 64) -> list[str]:
    """Returns the words that a peer answers a question with."""
    seed, size = zlib.crc32(asked.encode()), len(_WORDS)
    return [f"{_WORDS[(seed + number * (1 + seed % 7)) % size]} " for number in range(count)]


def directed(script: Script, text: str) -> Script:
    """Returns the script as a user's text changes it for its reply only."""
    if not text.startswith(DIRECTIVE):
        return script
    directive, _, _ = text.removeprefix(DIRECTIVE).partition("\n")
    changes: Mapping[str, Any] = json.loads(directive)
    return script.changed(changes)
