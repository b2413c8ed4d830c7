"""What the peer can be told to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson

from parley_tests.openai_peer.wire import last_text

DIRECTIVE = "#peer "


@dataclass(frozen=True, slots=True)
class Script:
    """How replies go until the script is changed."""

    # The texts of the deltas; None means `count` words derived from the request.
    texts: tuple[str, ...] | None = None
    count: int = 64
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
    # Writes seven bytes at a time, so that characters are split.
    split: bool = False
    compress: bool = False
    usage: bool = True
    finish_reason: str = "stop"
    # Answers with exactly this.
    raw: str | None = None
    raw_type: str = "text/event-stream"
    status: int = 200

    @property
    def is_plain(self) -> bool:
        """Says that all of a reply can be written at once."""
        stops = (self.hold_after, self.cut_after, self.error_after)
        return stops == (None, None, None) and not (self.pace or self.split)


def directed(script: Script, messages: Sequence[Mapping[str, Any]]) -> Script:
    """Changes a script as the last user message says."""
    text = last_text(messages)
    if not text.startswith(DIRECTIVE):
        return script
    directive, _, _ = text.removeprefix(DIRECTIVE).partition("\n")
    return scripted(script, orjson.loads(directive))


def scripted(script: Script, changes: Mapping[str, Any]) -> Script:
    """Changes a script. Raises ValueError for what a script does not have."""
    known = {one.name for one in fields(Script)}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"A script has no {unknown}, only {sorted(known)}.")
    texts = changes.get("texts", script.texts)
    return replace(script, **{**changes, "texts": texts if texts is None else tuple(texts)})
