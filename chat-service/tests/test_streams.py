"""Replies as they are read: from any position on, anywhere, during the turn and after it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from parley_chat_service.core.faults import ChatDeleted, ChatNotFound, MessageNotFound
from parley_chat_service.core.model import Caller, Position, Status
from parley_chat_service.core.turn import Delta, End, Seek, Send, Start, TurnEvent
from parley_rpc.faults import BadGateway, Fault, InvalidArgument, Origin, RemoteFault, reason_of
from uuid_utils.compat import uuid7

from .conftest import World, running
from .fakes import Thought, until

SAID = [Thought("Hm 🤔. "), "Hello", ", ", Thought("é漢"), "world 🏴\u200d☠️."]


async def opened(
    world: World, caller: Caller, send: Send
) -> tuple[Start, AsyncIterator[TurnEvent]]:
    events = world.server.replies.send(caller, send)
    start = await anext(events)
    assert isinstance(start, Start)
    return start, events


async def read(world: World, caller: Caller, start: Start, at: Position) -> list[TurnEvent]:
    seek = Seek(start.chat_id, start.message_id, at)
    return [event async for event in world.server.streams.stream(caller, seek)]


def both(events: list[TurnEvent]) -> tuple[str, str]:
    deltas = [event for event in events if isinstance(event, Delta)]
    return "".join(d.reasoning for d in deltas), "".join(d.text for d in deltas)


async def test_an_ended_reply_is_read_from_any_position(world: World, ada: Caller) -> None:
    world.providers.script = SAID
    start, events = await opened(world, ada, Send("Hi", "c"))
    whole = [event async for event in events]
    reasoning, text = both(whole)

    for event in whole:
        if isinstance(event, Delta):
            again = await read(world, ada, start, event.end)
            expected = reasoning[event.end.reasoning :], text[event.end.text :]
            assert expected == both(again)
            assert whole[-1] == again[-1]
    assert (reasoning, text) == both(await read(world, ada, start, Position()))
    assert start == (await read(world, ada, start, Position(3, 2)))[0]


async def test_many_read_a_running_reply_in_two_processes(world: World, ada: Caller) -> None:
    """From every position that somebody saw, here and elsewhere, all see the same to the end."""
    steps = [asyncio.Event() for _ in range(4)]
    world.providers.script = [
        *(step for pair in zip(SAID, steps, strict=False) for step in pair),
        SAID[-1],
    ]
    async with running(world.edges) as other:
        start, events = await opened(world, ada, Send("Hi", "c"))
        at, readers = Position(), []
        seen: list[TurnEvent] = []
        for step in steps:
            event = await anext(events)
            seen.append(event)
            assert isinstance(event, Delta)
            readers += [
                asyncio.create_task(read(where, ada, start, at)) for where in (world, other)
            ]
            at = event.end
            step.set()
        seen += [event async for event in events]
        told = await asyncio.gather(*readers)

    reasoning, text = both(seen)
    for events_of_one in told:
        rest = both(events_of_one)
        assert reasoning.endswith(rest[0])
        assert text.endswith(rest[1])
        assert seen[-1] == events_of_one[-1]
    assert 2 == sum((reasoning, text) == both(events_of_one) for events_of_one in told)


async def test_a_reader_elsewhere_sees_a_reply_grow(world: World, ada: Caller) -> None:
    gate = asyncio.Event()
    world.providers.script = ["One", gate, " two"]
    async with running(world.edges) as other:
        start, events = await opened(world, ada, Send("Hi", "c"))
        await anext(events)
        elsewhere = other.server.streams.stream(ada, Seek("c", start.message_id))

        await anext(elsewhere)
        first = await anext(elsewhere)
        gate.set()
        rest = [event async for event in elsewhere]

    assert isinstance(first, Delta)
    assert ("One", " two") == (first.text, both(rest)[1])
    assert isinstance(rest[-1], End)
    assert "One two" == rest[-1].message.content
    assert not other.server.following.followed


async def test_a_failed_reply_ends_alike_for_all_its_readers(world: World, ada: Caller) -> None:
    origin = Origin(BadGateway, "bad_response", "provider.parley")
    world.providers.script = ["Half", RemoteFault("Acme broke off.", origin)]
    start, events = await opened(world, ada, Send("Hi", "c"))
    await anext(events)
    with pytest.raises(Fault) as live:
        await anext(events)

    async with running(world.edges) as other:
        for where in (world, other):
            with pytest.raises(Fault) as later:
                await read(where, ada, start, Position(0, 2))
            assert isinstance(later.value, RemoteFault)
            assert (origin, live.value.sentence, live.value.metadata) == (
                later.value.origin,
                later.value.sentence,
                later.value.metadata,
            )


async def test_what_a_dead_process_left_is_read_as_interrupted(world: World, ada: Caller) -> None:
    world.providers.script = ["Half", asyncio.Event()]
    async with running(world.edges) as other:
        start, events = await opened(world, ada, Send("Hi", "c"))
        await anext(events)
        reader = asyncio.create_task(read(other, ada, start, Position()))
        await until(lambda: other.server.following.followed)
        world.server.worker.interrupt(start.message_id)

        with pytest.raises(Fault) as told:
            await reader

    assert "turn_interrupted" == reason_of(told.value)


async def test_a_deleted_chat_ends_its_readers_everywhere(world: World, ada: Caller) -> None:
    world.providers.script = ["Half", asyncio.Event()]
    async with running(world.edges) as other:
        start, events = await opened(world, ada, Send("Hi", "c"))
        await anext(events)
        reader = asyncio.create_task(read(other, ada, start, Position()))
        await until(lambda: other.server.following.followed)
        await world.server.chats.delete(ada, "c")

        with pytest.raises(ChatDeleted):
            await reader
        with pytest.raises(ChatNotFound):
            await read(world, ada, start, Position())


async def test_what_is_not_there_or_not_ones_own_is_not_read(
    world: World, ada: Caller, bob: Caller
) -> None:
    start, events = await opened(world, ada, Send("Hi", "c"))
    assert [event async for event in events]
    other, events = await opened(world, ada, Send("Hi", "d"))
    assert [event async for event in events]
    assert isinstance(start.user_message_id, UUID)

    for caller, chat_id, message_id, fault in (
        (bob, "c", start.message_id, ChatNotFound),
        (ada, "nowhere", start.message_id, ChatNotFound),
        (ada, "c", other.message_id, MessageNotFound),
        (ada, "c", uuid7(), MessageNotFound),
        (ada, "c", start.user_message_id, MessageNotFound),
    ):
        seek = Seek(chat_id, message_id)
        with pytest.raises(fault):
            await anext(world.server.streams.stream(caller, seek))


@pytest.mark.parametrize("at", [Position(1, 0), Position(0, 14), Position(0, 10**12)])
async def test_a_position_behind_the_end_is_refused(
    world: World, ada: Caller, at: Position
) -> None:
    start, events = await opened(world, ada, Send("Hi", "c"))
    assert [event async for event in events]

    with pytest.raises(InvalidArgument) as refused:
        await read(world, ada, start, at)

    assert "after" == refused.value.violations[0].field


async def test_a_reader_may_wish_to_know_the_end_only(world: World, ada: Caller) -> None:
    start, events = await opened(world, ada, Send("Hi", "c"))
    assert [event async for event in events]
    seek = Seek("c", start.message_id, deltas=False)

    _, end = [event async for event in world.server.streams.stream(ada, seek)]

    assert isinstance(end, End)
    assert (True, "Hello, world.", Status.COMPLETE) == (
        end.whole,
        end.message.content,
        end.message.status,
    )


async def test_random_chunks_are_read_alike_from_everywhere(world: World, ada: Caller) -> None:
    dice = random.Random(11)  # noqa: S311  (a repeatable choice of chunks, no secret)
    world.providers.script = [
        dice.choice([str, Thought])("".join(dice.choices("aé漢🏴\u200d", k=dice.randrange(0, 9))))
        for _ in range(60)
    ]
    start, events = await opened(world, ada, Send("Hi", "c"))
    reasoning, text = both([event async for event in events])

    for _ in range(12):
        at = Position(dice.randrange(len(reasoning) + 1), dice.randrange(len(text) + 1))
        rest = both(await read(world, ada, start, at))
        assert (reasoning[at.reasoning :], text[at.text :]) == rest
