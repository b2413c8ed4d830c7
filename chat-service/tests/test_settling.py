"""What cut-off replies used, copied from the ledger when it is known."""

from __future__ import annotations

import asyncio

import pytest
from parley_chat_service.core.model import Caller, Choice, Cost, MessageQuery, Status, Usage
from parley_chat_service.core.turn import Delta, Send, Settled, Start
from parley_rpc.faults import Unavailable
from uuid_utils.compat import uuid7

from .conftest import World, running
from .fakes import until
from .memory import MemoryStore

USED = Settled(Usage(3, 2, 0, 0, "estimated"), Cost(70, "prices 1"), Choice("acme", "large"))


async def stopped(world: World, caller: Caller) -> Start:
    world.providers.script = ["Half", asyncio.Event()]
    events = world.server.replies.send(caller, Send("Hi", "c"))
    start = await anext(events)
    assert isinstance(start, Start)
    assert isinstance(await anext(events), Delta)
    await world.server.stops.stop(caller, "c", start.message_id)
    return start


async def settled(world: World, caller: Caller) -> tuple[Usage | None, Cost | None, str]:
    """Return what the reply says it used, once nothing is open."""

    async def closed() -> bool:
        return not await world.edges.usages.unsettled(uuid7(), 1) and not (
            await world.edges.usages.unsettled(type(uuid7())(int=0), 1)
        )

    async with asyncio.timeout(20):
        while not await closed():  # noqa: ASYNC110  (a test looks on from outside)
            await asyncio.sleep(0.02)
    page = await world.edges.chats.list_messages(caller.owner_id, MessageQuery("c", 100))
    assert page is not None
    reply = page.messages[-1]
    return reply.usage, reply.cost, reply.model


async def test_a_stopped_reply_gets_its_usage_from_the_ledger(world: World, ada: Caller) -> None:
    start = await stopped(world, ada)
    world.ledger.rows[start.message_id] = USED

    assert (USED.usage, USED.cost, "large") == await settled(world, ada)


async def test_a_call_that_is_still_open_is_asked_for_again(world: World, ada: Caller) -> None:
    start = await stopped(world, ada)
    world.ledger.held.add(start.message_id)
    await until(lambda: world.ledger.asked)
    world.ledger.rows[start.message_id] = USED

    assert (USED.usage, USED.cost, "large") == await settled(world, ada)


async def test_a_ledger_that_is_away_is_asked_again(world: World, ada: Caller) -> None:
    world.ledger.away = Unavailable("The provider service cannot be reached.")
    start = await stopped(world, ada)
    await until(lambda: world.ledger.asked)
    world.ledger.rows[start.message_id] = USED
    world.ledger.away = None

    assert USED.usage == (await settled(world, ada))[0]


async def test_a_reply_that_ends_by_itself_asks_nobody(world: World, ada: Caller) -> None:
    events = world.server.replies.send(ada, Send("Hi", "c"))
    assert [event async for event in events]

    assert (Usage(3, 5, 0, 0, "reported"), None, "small") == await settled(world, ada)
    assert [] == world.ledger.asked


async def test_what_a_dead_process_left_is_settled_by_another(world: World, ada: Caller) -> None:
    world.providers.script = ["Half", asyncio.Event()]
    events = world.server.replies.send(ada, Send("Hi", "c"))
    start = await anext(events)
    assert isinstance(start, Start)
    world.ledger.rows[start.message_id] = USED
    await world.edges.workers.release(world.server.worker.worker_id)
    async with running(world.edges) as other:
        other.ledger.rows[start.message_id] = USED

        await until(lambda: start.message_id not in world.server.worker.turns)
        assert USED.usage == (await settled(other, ada))[0]


@pytest.mark.unit
async def test_what_the_ledger_never_heard_of_is_forgotten_in_the_end(
    memory: MemoryStore, ada: Caller, small_world: World
) -> None:
    start = await stopped(small_world, ada)
    await until(lambda: small_world.ledger.asked)
    assert {start.message_id} == memory.open

    deadline = memory.messages[start.message_id].message.created_at.replace(year=2020)
    memory.messages[start.message_id].deadline = deadline

    assert (None, None, "small") == await settled(small_world, ada)
    assert Status.STOPPED == memory.messages[start.message_id].message.status
