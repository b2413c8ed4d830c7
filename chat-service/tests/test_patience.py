"""A provider service that goes away in a turn which was acknowledged."""

from __future__ import annotations

import asyncio

import pytest
from parley_chat_service.core.faults import TurnInterrupted
from parley_chat_service.core.model import Caller, MessageQuery, Status
from parley_chat_service.core.turn import End, Send, Start, TurnEvent
from parley_rpc.faults import AlreadyExists, Fault, Origin, RemoteFault, Unavailable

from .conftest import World
from .fakes import until


def gone() -> Fault:
    return Unavailable("The provider service cannot be reached.")


def said(reason: str, kind: type[Fault] = Unavailable) -> RemoteFault:
    return RemoteFault("No.", Origin(kind, reason, "provider.parley"))


async def begin(
    world: World, caller: Caller, first: Fault
) -> tuple[Start, asyncio.Task[TurnEvent]]:
    """Begin a turn whose first call fails; the rest of it runs on."""
    world.providers.script = [first]
    events = world.server.replies.send(caller, Send("Hi", "c"))
    start = await anext(events)
    assert isinstance(start, Start)

    async def last() -> TurnEvent:
        *_, event = [event async for event in events]
        return event

    rest = asyncio.create_task(last())
    await until(lambda: world.providers.requests)
    return start, rest


async def status(world: World, caller: Caller) -> Status:
    page = await world.edges.chats.list_messages(caller.owner_id, MessageQuery("c", 10))
    assert page is not None
    return page.messages[-1].status


@pytest.mark.parametrize("reason", ["", "unavailable", "database_unavailable", "too_busy"])
async def test_it_is_asked_again_under_the_same_name(
    world: World, ada: Caller, reason: str
) -> None:
    start, rest = await begin(world, ada, said(reason) if reason else gone())
    world.providers.script = ["Here again."]

    end = await rest

    assert isinstance(end, End)
    assert (Status.COMPLETE, "Here again.") == (end.message.status, (await reread(world, ada)))
    names = [request.usage_id for request in world.providers.requests]
    assert [start.message_id] * 2 == names


async def reread(world: World, caller: Caller) -> str:
    page = await world.edges.chats.list_messages(caller.owner_id, MessageQuery("c", 10))
    assert page is not None
    return page.messages[-1].content


async def test_it_is_not_waited_for_for_ever(impatient: World, ada: Caller) -> None:
    _, rest = await begin(impatient, ada, gone())

    with pytest.raises(Unavailable):
        await rest

    asked = len(impatient.providers.requests)
    assert (Status.FAILED, True) == (await status(impatient, ada), asked > 1)


@pytest.mark.parametrize("reason", ["", "unavailable"])
async def test_after_a_word_nobody_is_asked_again(world: World, ada: Caller, reason: str) -> None:
    world.providers.script = ["Half", said(reason) if reason else gone()]

    with pytest.raises(Fault) as told:
        assert [event async for event in world.server.replies.send(ada, Send("Hi", "c"))]

    assert isinstance(told.value, TurnInterrupted)
    assert (Status.INTERRUPTED, 1) == (await status(world, ada), len(world.providers.requests))


async def test_a_first_call_that_went_on_after_all_is_not_made_twice(
    world: World, ada: Caller
) -> None:
    _, rest = await begin(world, ada, gone())
    world.providers.script = [said("usage_exists", AlreadyExists)]

    with pytest.raises(TurnInterrupted):
        await rest

    assert Status.INTERRUPTED == await status(world, ada)


@pytest.mark.parametrize("reason", ["circuit_open", "overloaded"])
async def test_what_is_there_and_refuses_is_not_asked_again(
    world: World, ada: Caller, reason: str
) -> None:
    _, rest = await begin(world, ada, said(reason))

    with pytest.raises(RemoteFault):
        await rest

    assert 1 == len(world.providers.requests)


async def test_a_stop_ends_the_waiting(world: World, ada: Caller) -> None:
    start, rest = await begin(world, ada, gone())

    await world.server.stops.stop(ada, "c", start.message_id)

    end = await rest
    assert isinstance(end, End)
    assert Status.STOPPED == end.message.status
