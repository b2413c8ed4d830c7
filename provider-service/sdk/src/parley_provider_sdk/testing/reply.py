"""A whole reply: what the events of a stream add up to."""

# ruff: noqa: S101  (these are parts of tests)

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from parley_provider_sdk.types import (
    Finished,
    FinishReason,
    Logprobs,
    Part,
    ReasoningDelta,
    ReasoningPart,
    ReplyEvent,
    TextDelta,
    TextPart,
    TokenLogprob,
    ToolCallDelta,
    ToolCallPart,
    Usage,
)

__all__ = ["Reply", "fold"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: what the events of a stream add up to."""

    text: str
    reasoning: str
    tool_calls: tuple[ToolCallPart, ...]
    reason: FinishReason
    usage: Usage
    # What stands in the next request as the assistant's message, vendors' metadata included.
    parts: tuple[Part, ...]
    # Of the text, token by token.
    logprobs: tuple[TokenLogprob, ...] = ()
    stop_sequence: str = ""


async def fold(events: AsyncIterator[ReplyEvent]) -> Reply:
    """Adds up a stream. Fails when it does not end with exactly one Finished."""
    seen = [event async for event in events]
    ends = [event for event in seen if isinstance(event, Finished)]
    assert len(ends) == 1, f"A reply has exactly one Finished, this one has {len(ends)}."
    assert isinstance(seen[-1], Finished), "Finished is the last event of a reply."
    calls = _tool_calls([event for event in seen if isinstance(event, ToolCallDelta)])
    return Reply(
        text="".join(event.text for event in seen if isinstance(event, TextDelta)),
        reasoning="".join(event.text for event in seen if isinstance(event, ReasoningDelta)),
        tool_calls=calls,
        reason=ends[0].reason,
        usage=ends[0].usage,
        parts=(*_pieces(seen), *calls),
        logprobs=tuple(
            one for event in seen if isinstance(event, Logprobs) for one in event.tokens
        ),
        stop_sequence=ends[0].stop_sequence,
    )


def _pieces(events: Sequence[ReplyEvent]) -> list[Part]:
    """Joins neighbouring deltas of a kind, up to the metadata that ends a piece."""
    pieces: list[TextPart | ReasoningPart] = []
    for event in events:
        if not isinstance(event, TextDelta | ReasoningDelta):
            continue
        kind = TextPart if isinstance(event, TextDelta) else ReasoningPart
        last = pieces[-1] if pieces else None
        if type(last) is kind and not last.provider_metadata:
            pieces[-1] = kind(last.text + event.text, event.provider_metadata)
        else:
            pieces.append(kind(event.text, event.provider_metadata))
    return list(pieces)


def _tool_calls(deltas: Sequence[ToolCallDelta]) -> tuple[ToolCallPart, ...]:
    calls: dict[int, ToolCallPart] = {}
    for delta in deltas:
        known = calls.get(delta.index, ToolCallPart("", "", ""))
        calls[delta.index] = ToolCallPart(
            known.tool_call_id or delta.tool_call_id,
            known.name or delta.name,
            known.arguments + delta.arguments,
            delta.provider_metadata or known.provider_metadata,
        )
    assert sorted(calls) == list(range(len(calls))), "Tool calls are counted from 0, without gaps."
    return tuple(calls[index] for index in sorted(calls))
