"""The calls of tools that a reply makes, as they come."""

from __future__ import annotations

import json

from parley_chat_service.core.faults import ToolCallsTooLarge
from parley_chat_service.core.model import ToolCall
from parley_chat_service.core.turn import CallDelta

# Characters of all calls of one reply, and what each counts for beside its own.
LARGEST_CALLS = 1_000_000
CALL_OVERHEAD = 100
# At these a reply ends wherever it is, perhaps within a call.
CUT = frozenset({"length", "filtered", "refusal"})


class Calls:
    """Collects calls; those of a reply may come all at once, a bit of each in turn."""

    def __init__(self) -> None:
        self._heads: dict[int, tuple[str, str]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._heads)

    def add(self, delta: CallDelta) -> None:
        """Take in a part of a call; ToolCallsTooLarge."""
        if delta.index not in self._heads:
            self._heads[delta.index] = delta.tool_call_id, delta.name
            self._arguments[delta.index] = []
            self._size += CALL_OVERHEAD + len(delta.tool_call_id) + len(delta.name)
        if delta.arguments:
            self._arguments[delta.index].append(delta.arguments)
        self._size += len(delta.arguments)
        if self._size > LARGEST_CALLS:
            raise ToolCallsTooLarge(LARGEST_CALLS)

    def whole(self, finish_reason: str) -> tuple[ToolCall, ...]:
        """Return the calls of a reply that has ended, in order; none that was cut in half."""
        calls = tuple(
            ToolCall(storable(call_id), storable(name), storable("".join(self._arguments[index])))
            for index, (call_id, name) in self._heads.items()
        )
        return tuple(filter(is_whole, calls)) if finish_reason in CUT else calls


def is_whole(call: ToolCall) -> bool:
    """Say whether the arguments of a call are all there: no beginning of an object is JSON."""
    try:
        json.loads(call.arguments)
    except (ValueError, RecursionError):
        return False
    return True


def storable(text: str) -> str:
    """Return what is stored of a text: PostgreSQL stores no NUL."""
    return text.replace("\0", "")
