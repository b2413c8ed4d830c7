"""Turns for the fake chat service to play."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from parley_rpc.faults import BadGateway, Origin, RemoteFault

from parley.chat.v1.chat_pb2 import (
    MESSAGE_STATUS_COMPLETE,
    Message,
    SendMessageResponse,
    TurnDelta,
    TurnEnd,
    TurnStart,
)
from parley.provider.v1.reply_pb2 import (
    FINISH_REASON_STOP,
    ROLE_ASSISTANT,
    USAGE_SOURCE_REPORTED,
    Cost,
    ToolCall,
    Usage,
)

AT = Timestamp()
AT.FromDatetime(datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC))
REPLY = Message(
    message_id="m2",
    parent_id="m1",
    sibling_ids=["m2"],
    seq=2,
    role=ROLE_ASSISTANT,
    content="A day 🌙",
    status=MESSAGE_STATUS_COMPLETE,
    finish_reason=FINISH_REASON_STOP,
    provider="demo",
    model="demo-1",
    prompt_version=3,
    usage=Usage(input_tokens=7, output_tokens=3, source=USAGE_SOURCE_REPORTED),
    cost=Cost(nano_usd=420_000, price_version="prices 1"),
    created_at=AT,
    tool_calls=[ToolCall(tool_call_id="t1", name="look", arguments='{"at": "sky"}')],
)
START = SendMessageResponse(
    start=TurnStart(
        chat_id="c1", user_message_id="m1", message_id="m2", provider="demo", model="demo-1"
    )
)
END = SendMessageResponse(end=TurnEnd(message=REPLY))
WHOLE = [START, END]


def delta(text: str, position: str, reasoning: str = "") -> SendMessageResponse:
    """Return a piece of a reply."""
    return SendMessageResponse(delta=TurnDelta(text=text, reasoning=reasoning, position=position))


def vendor_fault(reason: str, retry_after: float | None = None) -> RemoteFault:
    """Return a failure as a service behind the chat service reported it."""
    origin = Origin(BadGateway, reason, "provider.parley")
    return RemoteFault(
        "Acme failed.", origin, retry_after=retry_after, metadata={"provider": "acme"}
    )
