"""Turns that follow another reply than the last: one suite for every store, and races."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from parley_chat_service.adapters.database import Database
from parley_chat_service.bootstrap import Edges
from parley_chat_service.core.faults import ChatBusy, MessageNotFound
from parley_chat_service.core.model import Caller, Message, MessageQuery
from parley_chat_service.core.turn import Send, Start, TurnEvent
from uuid_utils.compat import uuid7

from .conftest import World, postgres_edges
from .fakes import new_turn, until

MOST = 1_000


async def told(world: World, caller: Caller, send: Send) -> list[TurnEvent]:
    return [event async for event in world.server.replies.send(caller, send)]


async def said(world: World, caller: Caller, content: str, after: UUID | None = None) -> Start:
    """Send something, and return how its turn began."""
    world.providers.script = [f"{content}!"]
    start, *_ = await told(world, caller, Send(content, "c", parent_id=after))
    assert isinstance(start, Start)
    return start


async def listed(edges: Edges, caller: Caller) -> Sequence[Message]:
    page = await edges.chats.list_messages(caller.owner_id, MessageQuery("c", 100))
    assert page is not None
    assert len(page.messages) == page.chat.message_count
    return page.messages


async def words(world: World, caller: Caller) -> list[str]:
    return [message.content for message in await listed(world.edges, caller)]


async def test_a_branch_becomes_the_active_path(world: World, ada: Caller) -> None:
    one = await said(world, ada, "1")
    two = await said(world, ada, "2")
    await said(world, ada, "3")

    other = await said(world, ada, "2b", one.message_id)

    shown = await listed(world.edges, ada)
    assert ["1", "1!", "2b", "2b!"] == [message.content for message in shown]
    assert [1, 2, 7, 8] == [message.seq for message in shown]
    assert (one.message_id, other.user_message_id) == (shown[2].parent_id, shown[3].parent_id)
    assert [two.user_message_id, other.user_message_id] == list(shown[2].sibling_ids)
    asked = [past.content for past in world.providers.requests[-1].past]
    assert ["1", "1!", "2b"] == asked
    await said(world, ada, "4")
    assert ["1", "1!", "2b", "2b!", "4", "4!"] == await words(world, ada)


async def test_a_branch_may_begin_beside_the_active_path(world: World, ada: Caller) -> None:
    one = await said(world, ada, "1")
    two = await said(world, ada, "2")
    three = await said(world, ada, "3")
    await said(world, ada, "2b", one.message_id)

    await said(world, ada, "4", three.message_id)
    assert ["1", "1!", "2", "2!", "3", "3!", "4", "4!"] == await words(world, ada)
    await said(world, ada, "3b", two.message_id)

    assert ["1", "1!", "2", "2!", "3b", "3b!"] == await words(world, ada)
    asked = [past.content for past in world.providers.requests[-1].past]
    assert ["1", "1!", "2", "2!", "3b"] == asked


async def test_the_last_reply_may_be_named(world: World, ada: Caller) -> None:
    one = await said(world, ada, "1")

    await said(world, ada, "2", one.message_id)

    assert ["1", "1!", "2", "2!"] == await words(world, ada)


async def test_what_is_no_reply_of_the_chat_is_not_found(
    world: World, ada: Caller, bob: Caller
) -> None:
    theirs = await said(world, bob, "Bob's")
    one = await said(world, ada, "1")
    elsewhere, *_ = await told(world, ada, Send("Hi", "d"))
    assert isinstance(elsewhere, Start)
    assert one.user_message_id is not None

    for name in (theirs.message_id, elsewhere.message_id, one.user_message_id, uuid4()):
        with pytest.raises(MessageNotFound, match=str(name)):
            await said(world, ada, "2", name)
    with pytest.raises(MessageNotFound):
        await told(world, ada, Send("Hi", parent_id=one.message_id))

    assert ["1", "1!"] == await words(world, ada)


async def test_a_branch_that_may_not_begin_leaves_the_path(world: World, ada: Caller) -> None:
    one = await said(world, ada, "1")
    await said(world, ada, "2")
    gate = asyncio.Event()
    world.providers.script = [gate, "Ho"]
    waiting = [asyncio.ensure_future(told(world, ada, Send("3", "c"))) for _ in range(5)]
    for _ in range(5):
        await until(lambda: world.server.worker.turns)
    await until(lambda: sum(turn.begun for turn in world.server.worker.turns.values()) == 5)

    # Not by this process, which knows of its own: as if another one had begun them.
    world.server.replies.at_once.clear()
    with pytest.raises(ChatBusy):
        await told(world, ada, Send("2b", "c", parent_id=one.message_id))

    before = [message.content for message in await listed(world.edges, ada)][:4]
    world.server.replies.at_once[ada.owner_id, "c"] = 5
    gate.set()
    await asyncio.gather(*waiting)
    assert ["1", "1!", "2", "2!"] == before


async def test_a_turn_that_waits_keeps_its_own_path(world: World, ada: Caller) -> None:
    """Whatever becomes the active path while its parent still runs."""
    one = await said(world, ada, "1")
    gate = asyncio.Event()
    world.providers.script = [gate, "2!"]
    slow = asyncio.ensure_future(told(world, ada, Send("2", "c")))
    await until(lambda: len(world.providers.requests) == 2)
    next_one = asyncio.ensure_future(told(world, ada, Send("3", "c")))
    await until(lambda: sum(turn.begun for turn in world.server.worker.turns.values()) == 2)
    await said(world, ada, "2b", one.message_id)

    gate.set()
    await asyncio.gather(slow, next_one)

    asked = [past.content for past in world.providers.requests[-1].past]
    assert ["1", "1!", "2", "2!", "3"] == asked
    assert ["1", "1!", "2b", "2b!"] == await words(world, ada)


@pytest.mark.unit
async def test_a_repeated_branch_is_one_turn(small_world: World, ada: Caller) -> None:
    one = await said(small_world, ada, "1")
    await said(small_world, ada, "2")
    send = Send("2b", "c", parent_id=one.message_id, idempotency_key="k")
    first, *_ = await told(small_world, ada, send)
    await said(small_world, ada, "3", one.message_id)

    again, *_ = await told(small_world, ada, send)

    assert first == again
    assert ["1", "1!", "3", "3!"] == await words(small_world, ada)


@pytest.mark.integration
async def test_whoever_branches_at_once_the_path_stays_one(database: Database, ada: Caller) -> None:
    dice = random.Random(5)  # noqa: S311  (a repeatable choice of parents, no secret)
    store = postgres_edges(database).turns
    first = new_turn(ada.owner_id, uuid7(), Send("0", "c"))
    assert await store.begin(first, MOST)
    replies = [first.message_id]

    async def talk() -> None:
        for _ in range(20):
            after = dice.choice([None, replies[-1], dice.choice(replies)])
            key = str(uuid4()) if dice.randrange(2) else ""
            turn = new_turn(
                ada.owner_id, uuid7(), Send("Hi", "c", parent_id=after, idempotency_key=key)
            )
            begun = await store.begin(turn, MOST)
            if begun is None:
                begun = await store.begin_branch(turn, MOST)
                assert begun is not None
                assert begun.path[-1].message_id == after
            assert after in {None, begun.parent_id}
            replies.append(turn.message_id)

    await asyncio.gather(*(talk() for _ in range(4)))

    rows, (leaf_id, count, last_seq), stray = await tree(database, ada)
    assert 0 == stray
    assert list(range(1, last_seq + 1)) == [row[2] for row in rows]
    parents = {row[0]: row[1] for row in rows}
    chain = [leaf_id]
    while parents[chain[-1]] is not None:
        chain.append(parents[chain[-1]])
    assert chain[::-1] == [row[0] for row in rows if row[3]]
    assert len(chain) == count


async def tree(database: Database, caller: Caller) -> tuple[list[Any], Any, int]:
    """Return all messages, the chat, and how many keys stand for nothing."""
    statements = (
        "select message_id, parent_id, seq, on_path from messages order by seq",
        "select leaf_id, message_count, last_seq from chats",
        """select count(*) from send_keys k where not exists
            (select from messages m where m.message_id = k.message_id)""",
    )
    async with database.acting_for(caller.owner_id) as connection:
        found = [await (await connection.execute(one)).fetchall() for one in statements]
    return found[0], found[1][0], found[2][0][0]
