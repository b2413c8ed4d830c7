"""Store, then show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import pytest
from parley_chat_service.core.faults import TurnInterrupted
from parley_chat_service.core.journal import SHORTEST_SECONDS, UNHURRIED_SECONDS, Journal
from parley_chat_service.core.model import Caller
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.turn import Delta, Piece, Send, TurnEvent
from typing_extensions import override
from uuid_utils.compat import uuid7

from .conftest import World
from .fakes import until
from .memory import MemoryStore

pytestmark = pytest.mark.unit


async def told(world: World, caller: Caller, send: Send) -> list[TurnEvent]:
    return [event async for event in world.server.replies.send(caller, send)]


async def test_nothing_is_shown_before_it_is_stored(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    gate = asyncio.Event()
    small_world.providers.script = [gate, "Hello", asyncio.Event()]
    events = small_world.server.replies.send(ada, Send("Hi", "c"))
    await anext(events)
    memory.away = True
    gate.set()
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.3)
    assert not first.done()

    memory.away = False

    delta = await asyncio.wait_for(first, 2)
    assert isinstance(delta, Delta)
    assert "Hello" == delta.text == memory.appended[0][0].text


async def test_a_burst_is_written_in_few_pieces(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    small_world.providers.script = ["x"] * 1000
    began = time.monotonic()

    events = await told(small_world, ada, Send("Hi"))

    ticks = (time.monotonic() - began) / SHORTEST_SECONDS
    assert len([event for event in events if isinstance(event, Delta)]) <= ticks + 3
    assert len(memory.appended) <= ticks + 2


async def test_all_turns_are_written_together(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    gate = asyncio.Event()
    small_world.providers.script = ["a", gate, "b", asyncio.Event()]
    for _ in range(20):
        events = small_world.server.replies.send(ada, Send("Hi"))
        await anext(events)
        await anext(events)
        await events.aclose()
    memory.appended.clear()

    gate.set()
    await until(lambda: memory.appended)

    assert 20 == len(memory.appended[0])


async def test_an_answer_that_comes_at_once_is_written_once(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    small_world.providers.script = ["All of it."]

    await told(small_world, ada, Send("Hi", watched=False))

    assert [] == memory.appended


class Accepting(MemoryStore):
    """Takes every piece."""

    @override
    async def append(self, worker_id: UUID, pieces: Sequence[Piece]) -> frozenset[UUID]:
        return frozenset(piece.message_id for piece in pieces)


async def test_what_is_watched_does_not_wait_as_long_as_what_is_not(small_world: World) -> None:
    journal = Journal(Accepting(), small_world.server.replies.worker)
    unseen = RunningTurn(uuid7(), journal.note, watched=False)
    seen = RunningTurn(uuid7(), journal.note, watched=True)
    seen.text("first")
    await journal._write()
    unseen.text("x")
    patient = journal._due_at
    seen.text("second")

    assert journal._due_at <= patient - UNHURRIED_SECONDS / 2
    journal._disarm()


async def test_two_turns_may_grow_at_the_same_instant(small_world: World) -> None:
    journal = Journal(Accepting(), small_world.server.replies.worker)
    turns = [RunningTurn(uuid7(), journal.note, watched=True) for _ in range(2)]
    for turn in turns:
        turn.text("first")
    await journal._write()

    for turn in turns:
        turn.text("second")
    await asyncio.wait_for(journal._due.wait(), 1)
    await journal._write()

    assert ["first", "second"] * 2 == [piece.text for turn in turns for piece in turn.pieces]


async def test_a_slow_listener_catches_up_in_one_step() -> None:
    turn = RunningTurn(uuid7(), lambda _: None, watched=True)
    events = turn.listen(deltas=True)
    for part in ("a", "b", "c"):
        turn.text(part)
        turn.take()
        turn.stored(ours=True)

    delta = await anext(events)

    assert isinstance(delta, Delta)
    assert ("abc", (0, 3)) == (delta.text, delta.end)


async def test_a_turn_that_is_not_ours_any_more_ends(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    gate = asyncio.Event()
    small_world.providers.script = [gate, "Hello", asyncio.Event()]
    events = small_world.server.replies.send(ada, Send("Hi", "c"))
    await anext(events)
    await memory.renew(small_world.server.worker.worker_id, -1, [])
    await memory.sweep(uuid7(), [], 0)

    gate.set()

    with pytest.raises(TurnInterrupted):
        await anext(events)
    assert small_world.providers.cancelled.is_set()


async def test_an_ending_waits_for_all_that_is_on_its_way() -> None:
    turn = RunningTurn(uuid7(), lambda _: None, watched=True)
    turn.storing()
    settled = asyncio.create_task(turn.settled())
    await asyncio.sleep(0)

    turn.stored(ours=True)
    turn.storing()  # before anybody is told of the first
    await asyncio.sleep(0.01)

    assert not settled.done()
    turn.stored(ours=True)
    await settled
