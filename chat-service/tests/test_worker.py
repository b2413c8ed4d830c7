"""The lease, and what hangs on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import pytest
from parley_chat_service.core import replies
from parley_chat_service.core import worker as limits
from parley_chat_service.core.faults import ChatDeleted, TurnInterrupted
from parley_chat_service.core.model import Caller, Choice
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.turn import Begun, End, Ending, NewTurn, Send
from parley_chat_service.core.worker import Worker
from parley_chat_service.settings import Settings
from parley_rpc.faults import DatabaseUnavailable, DeadlineExceeded, Internal, TooBusy
from typing_extensions import override
from uuid_utils.compat import uuid7

from .conftest import World, memory_edges, running
from .fakes import until
from .memory import MemoryStore

pytestmark = pytest.mark.unit


class ForgetfulStore(MemoryStore):
    """Loses the answer to the first ending."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = 0

    @override
    async def end(self, ending: Ending) -> bool:
        self.ends += 1
        ended = await super().end(ending)
        if self.ends == 1:
            raise DatabaseUnavailable
        return ended


class SlowStore(MemoryStore):
    """Takes its time to begin a turn."""

    def __init__(self) -> None:
        super().__init__()
        self.beginning = asyncio.Event()
        self.gate = asyncio.Event()

    @override
    async def begin(self, turn: NewTurn, most_running: int) -> Begun | None:
        self.beginning.set()
        await self.gate.wait()
        return await super().begin(turn, most_running)


class Diary(MemoryStore):
    """Notes what a worker does about its lease, and those of others."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    @override
    async def renew(
        self, worker_id: UUID, seconds: float, running: Sequence[UUID]
    ) -> Sequence[UUID]:
        self.done.append("renew")
        return await super().renew(worker_id, seconds, running)

    @override
    async def sweep(self, worker_id: UUID, held: Sequence[UUID], older_than: float) -> int:
        self.done.append("sweep")
        return await super().sweep(worker_id, held, older_than)


def test_the_limits_fit_together() -> None:
    assert limits.RENEW_EVERY_SECONDS < limits.HELD_SECONDS < limits.LEASE_SECONDS
    assert replies.MOST_RUNNING == replies.MOST_WAITING + 1


async def test_without_a_lease_nothing_begins(memory: MemoryStore, ada: Caller) -> None:
    async with running(memory_edges(memory)) as world:
        world.server.worker._lost()

        with pytest.raises(DatabaseUnavailable):
            await anext(world.server.replies.send(ada, Send("Hi")))


async def test_who_cannot_renew_ends_its_turns(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    small_world.providers.script = ["Hello", asyncio.Event()]
    events = small_world.server.replies.send(ada, Send("Hi"))
    await anext(events)
    await anext(events)
    memory.away = True

    small_world.server.worker._lost()

    with pytest.raises(TurnInterrupted):
        await asyncio.wait_for(anext(events), 2)
    assert small_world.providers.cancelled.is_set()


async def test_who_was_frozen_renews_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RENEW_EVERY_SECONDS", 0.5)
    diary = Diary()
    keeping = asyncio.create_task(Worker(diary).run())
    await until(lambda: diary.done)
    assert ["renew", "sweep"] == diary.done

    time.sleep(0.6)  # noqa: ASYNC251  (so does a process that is stopped)
    await until(lambda: len(diary.done) > 2)

    assert "renew" == diary.done[2]
    keeping.cancel()


async def test_a_short_absence_of_the_database_is_not_noticed(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    gate = asyncio.Event()
    small_world.providers.script = ["Hello", gate]
    events = small_world.server.replies.send(ada, Send("Hi", "c"))
    await anext(events)
    memory.away = True
    gate.set()
    await asyncio.sleep(0.3)
    memory.away = False

    rest = [event async for event in events]

    assert isinstance(rest[-1], End)
    assert "complete" == rest[-1].message.status


async def test_a_renewal_notices_a_turn_that_was_taken_away(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    small_world.providers.script = [asyncio.Event()]
    events = small_world.server.replies.send(ada, Send("Hi", "c"))
    await anext(events)

    await memory.delete_chat(ada.owner_id, "c")

    with pytest.raises(ChatDeleted):
        await asyncio.wait_for(anext(events), 4)


async def test_a_turn_has_a_deadline(memory: MemoryStore, ada: Caller) -> None:
    settings = Settings(turn_seconds=1)
    async with running(memory_edges(memory), settings) as world:
        world.providers.script = ["Hello", asyncio.Event()]
        events = world.server.replies.send(ada, Send("Hi", "c"))
        await anext(events)
        await anext(events)

        with pytest.raises(DeadlineExceeded):
            await anext(events)

    _, reply = memory.messages.values()
    assert ("Hello", "failed", "deadline_exceeded") == (
        reply.message.content,
        reply.message.status,
        reply.message.error_reason,
    )


async def test_more_turns_than_places_are_refused(memory: MemoryStore, ada: Caller) -> None:
    settings = Settings(max_turns=1)
    async with running(memory_edges(memory), settings) as world:
        gate = asyncio.Event()
        world.providers.script = [gate]
        first = world.server.replies.send(ada, Send("One"))
        await anext(first)

        waiting = asyncio.ensure_future(anext(world.server.replies.send(ada, Send("Two"))))
        await asyncio.sleep(0.05)
        with pytest.raises(TooBusy) as raised:
            await anext(world.server.replies.send(ada, Send("Three")))

        assert ({"limit": "1"}, 1.0) == (raised.value.metadata, raised.value.retry_after)
        gate.set()
        assert [event async for event in first]
        assert await waiting


async def test_one_provider_does_not_take_the_places_of_all(
    memory: MemoryStore, ada: Caller
) -> None:
    settings = Settings(max_turns=3, max_replies_per_provider=1)
    async with running(memory_edges(memory), settings) as world:
        world.providers.script = [asyncio.Event()]
        await anext(world.server.replies.send(ada, Send("One", choice=Choice("acme"))))

        with pytest.raises(TooBusy) as raised:
            await anext(world.server.replies.send(ada, Send("Two", choice=Choice("acme"))))

        assert {"limit": "1", "provider": "acme"} == raised.value.metadata
        assert await anext(world.server.replies.send(ada, Send("Three", choice=Choice("other"))))
        instead = Send("Four", choice=Choice("acme"), fallbacks=[Choice("other")])
        assert await anext(world.server.replies.send(ada, instead))


@pytest.mark.parametrize("missing", [None, TooBusy("Later."), ZeroDivisionError()])
async def test_who_leaves_before_the_turn_began_leaves_nothing(
    small_world: World, memory: MemoryStore, ada: Caller, missing: Exception | None
) -> None:
    small_world.prompts.missing = missing
    slow = asyncio.Event()
    small_world.prompts.gate = slow
    first = asyncio.ensure_future(anext(small_world.server.replies.send(ada, Send("Hi"))))
    await until(lambda: small_world.prompts.asked)

    first.cancel()
    await asyncio.sleep(0)
    slow.set()
    await until(lambda: not small_world.server.worker.tasks)

    assert {} == memory.messages


async def test_a_turn_that_is_taken_away_before_it_works_never_asks_a_model(
    small_world: World, ada: Caller
) -> None:
    turn = RunningTurn(uuid7(), lambda _: None, watched=True)
    turn.interrupt()

    async def work() -> None:
        async with asyncio.timeout(None) as scope:
            with turn.working(scope):
                await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        await work()
    turn.interrupt()
    small_world.server.worker.interrupt(turn.message_id)


async def test_without_a_lease_nobody_insists(memory: MemoryStore) -> None:
    worker = Worker(memory)
    memory.away = True

    with pytest.raises(DatabaseUnavailable):
        await worker.insist(lambda: memory.fate(worker.worker_id))


async def test_an_ending_whose_answer_was_lost_is_not_doubted(
    memory: MemoryStore, ada: Caller
) -> None:
    store = ForgetfulStore()
    async with running(memory_edges(store)) as world:
        events = [event async for event in world.server.replies.send(ada, Send("Hi"))]

    assert isinstance(events[-1], End)
    assert 2 == store.ends


async def test_a_mistake_before_the_beginning_is_told(small_world: World, ada: Caller) -> None:
    small_world.prompts.missing = ZeroDivisionError()

    with pytest.raises(Internal, match="Parley failed to begin"):
        await anext(small_world.server.replies.send(ada, Send("Hi")))


async def test_text_that_cannot_be_stored_any_more_is_not_shown(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    gate = asyncio.Event()
    small_world.providers.script = [gate, "Hello", asyncio.Event()]
    events = small_world.server.replies.send(ada, Send("Hi"))
    await anext(events)
    memory.away = True
    gate.set()
    await asyncio.sleep(0.1)

    small_world.server.worker._lost()

    with pytest.raises(TurnInterrupted):
        await asyncio.wait_for(anext(events), 2)


async def test_who_leaves_while_the_turn_begins_does_not_end_it(ada: Caller) -> None:
    store = SlowStore()
    async with running(memory_edges(store)) as world:
        first = asyncio.ensure_future(anext(world.server.replies.send(ada, Send("Hi"))))
        await asyncio.wait_for(store.beginning.wait(), 2)
        first.cancel()
        await asyncio.sleep(0)
        store.gate.set()
        await until(lambda: not world.server.worker.tasks)

    assert ["complete", "complete"] == [m.message.status for m in store.messages.values()]


async def test_stopping_releases_the_lease(memory: MemoryStore) -> None:
    async with running(memory_edges(memory)) as world:
        assert [world.server.worker.worker_id] == list(memory.leases)

    assert [] == list(memory.leases)


async def test_a_drain_waits_for_turns_that_begin_meanwhile(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    small_world.providers.script = [first, "One"]
    await anext(small_world.server.replies.send(ada, Send("Hi", "a")))
    await until(lambda: small_world.providers.requests)
    draining = asyncio.create_task(small_world.server.worker.drain(5))
    await asyncio.sleep(0)
    small_world.providers.script = [second, "Two"]
    await anext(small_world.server.replies.send(ada, Send("Hi", "b")))
    await until(lambda: len(small_world.providers.requests) == 2)

    first.set()
    await until(lambda: len(small_world.server.worker.tasks) == 1)
    assert not draining.done()
    second.set()
    await draining

    said = [stored.message.content for stored in memory.messages.values()]
    assert ["Hi", "One", "Hi", "Two"] == said
