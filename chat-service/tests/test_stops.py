"""Replies that nobody wants any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from parley_chat_service.core.faults import ChatNotFound, MessageNotFound
from parley_chat_service.core.model import Caller, Message, MessageQuery, Status
from parley_chat_service.core.turn import Delta, End, Seek, Send, Start
from parley_chat_service.settings import Settings
from uuid_utils.compat import uuid7

from .conftest import World, memory_edges, running
from .fakes import until
from .memory import MemoryStore


async def begun(world: World, caller: Caller, text: str = "Half") -> Start:
    """Begin a reply that never ends, and leave it."""
    world.providers.script = [text, asyncio.Event()] if text else [asyncio.Event()]
    events = world.server.replies.send(caller, Send("Hi", "c"))
    start = await anext(events)
    assert isinstance(start, Start)
    if text:
        assert isinstance(await anext(events), Delta)
    await events.aclose()
    return start


async def messages(world: World, caller: Caller) -> list[Message]:
    page = await world.edges.chats.list_messages(caller.owner_id, MessageQuery("c", 100))
    assert page is not None
    return list(page.messages)


@pytest.mark.parametrize("text", ["Half", ""])
async def test_a_stopped_reply_keeps_its_text(world: World, ada: Caller, text: str) -> None:
    start = await begun(world, ada, text)

    stopped = await world.server.stops.stop(ada, "c", start.message_id)

    assert (Status.STOPPED, text, "", None) == (
        stopped.status,
        stopped.content,
        stopped.error_reason,
        stopped.usage,
    )
    assert world.providers.cancelled.is_set()
    assert ["Hi", text] == [message.content for message in await messages(world, ada)]


async def test_who_listens_is_told_the_end(world: World, ada: Caller) -> None:
    world.providers.script = ["Half", asyncio.Event()]
    events = world.server.replies.send(ada, Send("Hi", "c"))
    start = await anext(events)
    assert isinstance(start, Start)
    await anext(events)

    await world.server.stops.stop(ada, "c", start.message_id)

    end = await anext(events)
    assert isinstance(end, End)
    assert (Status.STOPPED, "") == (end.message.status, end.message.finish_reason)


async def test_stopping_again_or_after_the_end_changes_nothing(world: World, ada: Caller) -> None:
    start = await begun(world, ada)
    stop = world.server.stops.stop

    first, second = [await stop(ada, "c", start.message_id) for _ in range(2)]
    world.providers.script = ["Whole."]
    *_, end = [event async for event in world.server.replies.send(ada, Send("More", "c"))]
    assert isinstance(end, End)
    third = await stop(ada, "c", end.message.message_id)

    assert (first, Status.COMPLETE) == (second, third.status)


async def test_a_reply_of_another_process_is_stopped(world: World, ada: Caller) -> None:
    async with running(world.edges) as other:
        start = await begun(world, ada)

        stopped = await other.server.stops.stop(ada, "c", start.message_id)

    assert (Status.STOPPED, "Half") == (stopped.status, stopped.content)
    assert world.providers.cancelled.is_set()


async def test_a_reply_that_waits_for_its_parent_is_stopped(world: World, ada: Caller) -> None:
    first = await begun(world, ada)
    waiting = world.server.replies.send(ada, Send("Second", "c"))
    second = await anext(waiting)
    assert isinstance(second, Start)

    stopped = await world.server.stops.stop(ada, "c", second.message_id)

    assert (Status.STOPPED, 1) == (stopped.status, len(world.providers.requests))
    await world.server.stops.stop(ada, "c", first.message_id)
    assert ["complete", "stopped"] * 2 == [message.status for message in await messages(world, ada)]


async def test_others_cannot_stop_it(world: World, ada: Caller, bob: Caller) -> None:
    start = await begun(world, ada)

    with pytest.raises(ChatNotFound):
        await world.server.stops.stop(bob, "c", start.message_id)
    with pytest.raises(MessageNotFound):
        await world.server.stops.stop(ada, "c", uuid7())

    assert not world.providers.cancelled.is_set()


async def test_what_a_key_began_is_stopped_wherever_it_is_made(
    world: World, ada: Caller, bob: Caller
) -> None:
    laptop, phone = (replace(ada, key_id=name) for name in ("laptop", "phone"))
    world.providers.script = ["Half", asyncio.Event()]
    for caller, chat in ((laptop, "c"), (phone, "d"), (replace(bob, key_id="laptop"), "e")):
        events = world.server.replies.send(caller, Send("Hi", chat))
        await anext(events)
        await anext(events)
        await events.aclose()

    async with running(world.edges) as other:
        assert 1 == await other.server.stops.stop_all(ada, "laptop")
        await until(lambda: 2 == len(world.server.worker.turns))
        assert 1 == await world.server.stops.stop_all(ada, "")
        await until(lambda: 1 == len(world.server.worker.turns))
        assert 0 == await world.server.stops.stop_all(ada, "")

    assert Status.STOPPED == (await messages(world, ada))[1].status


@pytest.mark.unit
async def test_a_reply_goes_on_unread_unless_that_is_forbidden(
    memory: MemoryStore, ada: Caller
) -> None:
    async with running(memory_edges(memory)) as world:
        start = await begun(world, ada)
        await asyncio.sleep(0.7)
        assert start.message_id in world.server.worker.turns

    settings = Settings(unwatched_seconds=0.2)
    async with running(memory_edges(MemoryStore()), settings) as world:
        start = await begun(world, ada)
        await until(lambda: start.message_id not in world.server.worker.turns)
        assert Status.STOPPED == (await messages(world, ada))[1].status


@pytest.mark.unit
async def test_a_reply_that_somebody_reads_is_not_unread(memory: MemoryStore, ada: Caller) -> None:
    settings = Settings(unwatched_seconds=0.2)
    async with running(memory_edges(memory), settings) as world:
        world.providers.script = ["Half", asyncio.Event()]
        events = world.server.replies.send(ada, Send("Hi", "c"))
        start = await anext(events)
        assert isinstance(start, Start)
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))

        await asyncio.sleep(1.0)

        assert start.message_id in world.server.worker.turns
        waiting.cancel()


@pytest.mark.unit
async def test_a_reply_that_is_read_elsewhere_is_not_unread(
    memory: MemoryStore, ada: Caller
) -> None:
    settings = Settings(unwatched_seconds=1.5)
    edges = memory_edges(memory)
    async with running(edges, settings) as world, running(edges, settings) as other:
        start = await begun(world, ada)
        elsewhere = other.server.streams.stream(ada, Seek("c", start.message_id))
        await anext(elsewhere)
        reading = asyncio.create_task(anext(elsewhere))
        await asyncio.sleep(2.5)
        assert start.message_id in world.server.worker.turns

        await reading
        await elsewhere.aclose()
        await until(lambda: start.message_id not in world.server.worker.turns)
