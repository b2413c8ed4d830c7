"""Whose a vendor's state is, on its way through a client."""

from __future__ import annotations

import pytest
from parley_gateway.api.dialects.ownership import NOTHING, Owner, has_metadata, keep, tell

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import (
    ROLE_ASSISTANT,
    GenerateReplyResponse,
    InputMessage,
    ModelChoice,
    Part,
    ToolCallDelta,
)

pytestmark = pytest.mark.unit

WANTED = b'{"signature":"s"}'


def carried(provider: str, kind: str = "reasoning_metadata") -> bytes:
    """Return metadata as the dialects see it."""
    owner = Owner("")
    owner.mark(GenerateReplyResponse(answerer=ModelChoice(provider=provider, model="large")))
    event = (
        GenerateReplyResponse(tool_call=ToolCallDelta(provider_metadata=WANTED))
        if kind == "tool_call"
        else GenerateReplyResponse(**{kind: WANTED})  # type: ignore[arg-type]  # one of METADATA
    )
    owner.mark(event)
    return event.tool_call.provider_metadata or bytes(getattr(event, kind))


def said(*parts: Part) -> InputMessage:
    return InputMessage(role=ROLE_ASSISTANT, parts=parts)


@pytest.mark.parametrize("kind", ["reasoning_metadata", "text_metadata", "tool_call"])
def test_metadata_that_comes_back_says_whose_it_is(kind: str) -> None:
    message = said(Part(text="So,", provider_metadata=carried("acme", kind)), Part(text="Hi"))

    tell([message])

    assert (
        said(Part(text="So,", provider_metadata=WANTED, metadata_provider="acme"), Part(text="Hi"))
        == message
    )


def test_who_was_asked_by_name_owns_it() -> None:
    owner, event = Owner("beta"), GenerateReplyResponse(text_metadata=WANTED)
    owner.mark(event)
    message = said(Part(text="", provider_metadata=event.text_metadata))

    tell([message])

    assert "beta" == message.parts[0].metadata_provider


def test_a_mere_end_of_a_piece_stays_one() -> None:
    event = GenerateReplyResponse(text_metadata=NOTHING)

    Owner("acme").mark(event)

    assert NOTHING == event.text_metadata


def test_one_provider_keeps_its_own_and_gets_no_others() -> None:
    call = reply_pb2.ToolCall(tool_call_id="1", name="look")
    messages = [
        said(Part(reasoning="Hm.", provider_metadata=carried("acme"))),
        said(
            Part(reasoning="Ah.", provider_metadata=carried("beta")),
            Part(tool_call=call, provider_metadata=carried("acme")),
            Part(text="So,", provider_metadata=b"{}"),
        ),
    ]

    assert has_metadata(messages)
    kept = keep(messages, "beta")

    assert [
        said(
            Part(reasoning="Ah.", provider_metadata=WANTED),
            Part(tool_call=call),
            Part(text="So,", provider_metadata=b"{}"),
        )
    ] == kept
