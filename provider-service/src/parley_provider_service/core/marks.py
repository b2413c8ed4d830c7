"""Marks of what a vendor is asked to keep of a prompt."""

from __future__ import annotations

from collections.abc import Iterator

from parley_provider_sdk import Keep, ReasoningPart, ReplyRequest
from parley_rpc.faults import Violation

# More than so many no vendor takes.
MOST_MARKS = 4


def marks_of(request: ReplyRequest) -> Iterator[Keep]:
    """Yield how long each mark asks to keep what comes before it."""
    yield from (tool.keep for tool in request.tools if tool.keep)
    yield from (mark.keep for mark in request.system_marks)
    for message in request.messages:
        for part in message.parts:
            if not isinstance(part, ReasoningPart) and part.keep:
                yield part.keep


def broken_marks(request: ReplyRequest) -> Iterator[Violation]:
    """Yield what is wrong with the marks of a request."""
    if sum(1 for _ in marks_of(request)) > MOST_MARKS:
        yield Violation("keep", f"must be asked for at most {MOST_MARKS} times")
    ends = [mark.end for mark in request.system_marks]
    if ends and not (ends[0] > 0 and ends == sorted(set(ends)) and ends[-1] <= len(request.system)):
        yield Violation("system_marks", "must end within system, one behind the other")
