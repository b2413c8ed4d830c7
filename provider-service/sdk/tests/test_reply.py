"""What the events of a stream add up to."""

import pytest
from parley_provider_sdk import (
    FinishReason,
    ReasoningDelta,
    ReasoningPart,
    ReplyEvent,
    ReplyStream,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
)
from parley_provider_sdk.testing import Reply, fold

from .desk import END

pytestmark = pytest.mark.unit


def said(*events: ReplyEvent) -> ReplyStream:
    async def stream() -> ReplyStream:
        for event in events:
            yield event

    return stream()


async def test_a_folded_reply_has_its_parts_put_together() -> None:
    reply = await fold(
        said(
            ReasoningDelta("h"),
            ReasoningDelta("m"),
            TextDelta("Yes."),
            ToolCallDelta(0, "c1", "add"),
            ToolCallDelta(0, arguments='{"a"'),
            ToolCallDelta(1, "c2", "now", "{}", b"2"),
            ToolCallDelta(0, arguments=":1}", provider_metadata=b"1"),
            END,
        )
    )
    calls = (ToolCallPart("c1", "add", '{"a":1}', b"1"), ToolCallPart("c2", "now", "{}", b"2"))
    parts = (ReasoningPart("hm"), TextPart("Yes."), *calls)
    assert reply == Reply("Yes.", "hm", calls, FinishReason.STOP, END.usage, parts)


async def test_tool_calls_are_counted_without_gaps() -> None:
    with pytest.raises(AssertionError, match="counted from 0"):
        await fold(said(ToolCallDelta(1, "c1", "add"), END))
