"""Replies over gRPC whose service goes away: nothing is sent twice, repeated, or skipped."""

from collections.abc import AsyncIterable
from typing import Any

import pytest
from parley_client import GatewayUnreachable, ProblemError, UnexpectedAnswer
from parley_client.grpc import Patience
from parley_client.grpc.turns import Reply
from parley_rpc import faults
from parley_rpc.faults import Fault
from parley_tests.fake_gateway import FakeGateway

from parley.chat.v1 import chat_pb2 as pb

from .services import CUT, REASONING, TEXT, World, world

pytestmark = pytest.mark.unit

SEND = pb.SendMessageRequest(content="Hello")
LONG = Patience(reread=60, repeat=60, resume=60)
AWAY = faults.Unavailable("The service is stopping.")
WHOLE = ["start", *["delta"] * 4, "end"]


class RateLimited(faults.LimitExceeded):
    """What a vendor said."""

    reason = "rate_limited"


async def read(events: AsyncIterable[Any], kind: type[Any]) -> list[Any]:
    """All events, which are of one kind and whole."""
    seen = [event async for event in events]
    assert {kind} == {type(event) for event in seen}
    return seen


def names(events: list[Any]) -> list[str]:
    return [event.WhichOneof("event") for event in events]


def assert_whole(events: list[Any]) -> None:
    assert WHOLE == names(events)
    assert REASONING == "".join(event.delta.reasoning for event in events)
    assert "".join(TEXT) == "".join(event.delta.text for event in events)


async def sent(ours: World, **more: Any) -> list[Any]:
    request = pb.SendMessageRequest(content="Hello", **more)
    return await read(ours.services.chat.SendMessage(request), pb.SendMessageResponse)


@pytest.mark.parametrize(
    ("at", "failure"), [*((at, AWAY) for at in range(6)), (0, CUT), (1, CUT), (3, CUT)]
)
async def test_a_service_that_goes_changes_nothing(
    gateway: FakeGateway, at: int, failure: Any
) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(at, failure)]

        assert_whole(await sent(ours))

        first, second = ours.chats.received
        assert first.idempotency_key
        if at == 0:  # nobody knows whether there is a turn
            assert first == second
        else:
            assert ("c", "m") == (second.chat_id, second.message_id)


async def test_one_that_goes_again_and_again_is_followed(gateway: FakeGateway) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(2, AWAY), (2, CUT), (2, AWAY), (2, CUT), (1, AWAY)]

        assert_whole(await sent(ours))
        assert ["3.0", "3.3", "3.6", "3.7"] == [one.after for one in ours.chats.received[1:5]]


async def test_a_reply_is_gone_on_from_any_place(gateway: FakeGateway) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(2, CUT)]
        request = pb.StreamMessageRequest(chat_id="c", message_id="m", after=f"{len(REASONING)}.0")

        events = await read(ours.services.chat.StreamMessage(request), pb.StreamMessageResponse)

        assert ["start", *["delta"] * 3, "end"] == names(events)
        assert "".join(TEXT) == "".join(event.delta.text for event in events)


async def test_a_key_of_ones_own_is_sent(gateway: FakeGateway) -> None:
    async with world(gateway) as ours:
        await sent(ours, idempotency_key="once")
        await sent(ours)
        await sent(ours)

        keys = [one.idempotency_key for one in ours.chats.received]
        assert ("once", 3) == (keys[0], len(set(keys)))


async def test_what_the_turn_failed_with_is_raised_at_once(gateway: FakeGateway) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(3, RateLimited("Enough.", retry_after=7, provider="demo"))]
        with pytest.raises(ProblemError, match="Enough") as caught:
            await sent(ours)

        error = caught.value
        assert ("rate_limited", 429, 7.0) == (error.reason, error.status, error.retry_after)
        assert {"provider": "demo"} == error.metadata
        assert 1 == len(ours.chats.received)


@pytest.mark.parametrize(
    "refusal", [faults.InvalidArgument.of("content", "Blank."), RateLimited("Enough.")]
)
async def test_a_send_that_is_refused_is_not_repeated(gateway: FakeGateway, refusal: Fault) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(0, refusal)]
        with pytest.raises(ProblemError):
            await sent(ours)

        assert 1 == len(ours.chats.received)


async def test_a_turn_that_ended_because_something_was_away_says_so_in_the_end(
    gateway: FakeGateway,
) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(5, AWAY), (1, AWAY), (1, AWAY)]
        with pytest.raises(ProblemError, match="stopping"):
            await sent(ours)

        assert 3 == len(ours.chats.received)


async def test_nothing_is_repeated_with_no_patience(gateway: FakeGateway) -> None:
    async with world(gateway, Patience(resume=0)) as ours:
        ours.chats.failures = [(3, CUT)]
        with pytest.raises(GatewayUnreachable):
            await sent(ours)


async def test_a_reader_who_leaves_ends_the_stream(gateway: FakeGateway) -> None:
    async with world(gateway) as ours:
        events: Any = ours.services.chat.SendMessage(SEND)
        assert "start" == (await anext(events)).WhichOneof("event")
        await events.aclose()


def test_a_stream_whose_places_do_not_fit_is_none() -> None:
    reply = Reply(pb.StreamMessageRequest(chat_id="c", message_id="m", after="0.2"), LONG)
    reply.seen(pb.StreamMessageResponse(delta=pb.TurnDelta(text="!", position="0.3")))
    again = pb.StreamMessageResponse(delta=pb.TurnDelta(text="!", position="0.3"))

    with pytest.raises(UnexpectedAnswer, match=r"is at 0\.4, and says 0\.3"):
        reply.seen(again)
    with pytest.raises(GatewayUnreachable):
        reply.finish()
