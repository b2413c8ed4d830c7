"""What the vendor keeps of prompts, and what it refuses of their marks.

It counts a prompt by its blocks: those of tools, then of the instruction, then of the messages. A
prompt of any length is kept, where the vendor wants a thousand tokens, and for as long as the peer
lives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_MARKS = 4
_MARK = "cache_control"
_TTLS = ("5m", "1h")
_UNMARKABLE = ("thinking", "redacted_thinking")


class PromptCache:
    """The beginnings of prompts that are kept."""

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def take(self, body: Any, tokens: int) -> dict[str, Any]:
        """Counts what is read and written of a prompt of so many tokens, and keeps it."""
        prompt = list(_prompt(body))
        marks = [(number, one[_MARK]) for number, one in enumerate(prompt, 1) if one.get(_MARK)]
        shares = [tokens * number // len(prompt) for number in range(len(prompt) + 1)]
        ends = {end: _beginning(body, prompt[:end]) for end, _ in marks}
        known = max((end for end, text in ends.items() if text in self._kept), default=0)
        self._kept |= {*ends.values()}
        written, begin = dict.fromkeys(_TTLS, 0), known
        for end, mark in marks:
            if end > known:
                written[mark.get("ttl", _TTLS[0])] += shares[end] - shares[begin]
                begin = end
        total = sum(written.values())
        return {
            "input_tokens": tokens - shares[known] - total,
            "cache_creation_input_tokens": total,
            "cache_read_input_tokens": shares[known],
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": written[ttl] for ttl in _TTLS},
        }


def wrong_marks(body: Any) -> Iterator[str]:
    """Yields why the vendor refuses the marks of a request."""
    marked = [one for one in _prompt(body) if one.get(_MARK)]
    marks = [one[_MARK] for one in (*marked, *_inner(body), body) if one.get(_MARK)]
    if len(marks) > MOST_MARKS:
        found = f"Found {len(marks)}."
        yield f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. {found}"
    if any(one.get("type") in _UNMARKABLE for one in marked):
        yield "cache_control: Extra inputs are not permitted"
    if any(one.get("type") == "text" and not one["text"] for one in marked):
        yield "cache_control cannot be set for empty text blocks"
    ttls = [one.get("ttl", _TTLS[0]) for one in marks]
    if any(one.get("type") != "ephemeral" for one in marks) or not {*ttls} <= {*_TTLS}:
        yield "cache_control: Input should be 'ephemeral', its ttl '5m' or '1h'"
    if ttls != sorted(ttls, key=_TTLS.index, reverse=True):
        yield "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."


def _prompt(body: Any) -> Iterator[Mapping[str, Any]]:
    yield from body.get("tools") or ()
    yield from _blocks(body.get("system") or [])
    for message in body["messages"]:
        yield from _blocks(message["content"])


def _blocks(content: Any) -> Sequence[Mapping[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _inner(body: Any) -> Iterator[Mapping[str, Any]]:
    for one in _prompt(body):
        if one.get("type") == "tool_result":
            yield from _blocks(one.get("content") or [])


def _beginning(body: Any, blocks: Sequence[Mapping[str, Any]]) -> str:
    """Returns what must be the same for a beginning to be known, marks aside."""
    said = [{name: one for name, one in block.items() if name != _MARK} for block in blocks]
    return json.dumps([body["model"], said], sort_keys=True)
