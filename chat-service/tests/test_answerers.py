"""Who really answers, and what its vendor wants back: whole turns, against every store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
from parley_chat_service.adapters.providers import GrpcProviders
from parley_chat_service.bootstrap import ChatServer, Edges
from parley_chat_service.core.history import LARGEST_RETURNED, shown
from parley_chat_service.core.model import Caller, Choice, Message, MessageQuery, Status
from parley_chat_service.core.outline import LARGEST_METADATA, Kind, Span
from parley_chat_service.core.turn import Delta, End, Past, Send, Start, TurnEvent
from parley_chat_service.settings import Settings
from parley_rpc.client import Peer
from parley_rpc.faults import Fault, Origin, RemoteFault, Unavailable
from parley_tests.believing import OpenToAnybody, new_caller
from uuid_utils.compat import uuid7

from parley.provider.v1.reply_pb2 import ModelChoice, Part

from .conftest import World
from .fakes import ScriptedProviders, Step, Thought, Wanted, until
from .memory import MemoryStore
from .peers import Event, PromptPeer, ProviderPeer, finished, serving

ACME, ZETA = Choice("acme", "small"), Choice("zeta", "big")
WANTED: list[Step] = [
    Thought("Hm."),
    Wanted(Kind.REASONING, b"1"),
    "Hello",
    Wanted(Kind.TEXT, b"2"),
]
SPANS = (Span(Kind.REASONING, 3, b"1"), Span(Kind.TEXT, 5, b"2"))


async def told(server: ChatServer, caller: Caller, send: Send) -> list[TurnEvent]:
    return [event async for event in server.replies.send(caller, send)]


async def stored(edges: Edges, caller: Caller, chat_id: str) -> list[Message]:
    page = await edges.chats.list_messages(caller.owner_id, MessageQuery(chat_id, 100))
    assert page is not None
    return list(page.messages)


async def answerer(world: World, caller: Caller) -> tuple[str, str, Status]:
    _, reply = await stored(world.edges, caller, "c")
    return reply.provider, reply.model, reply.status


async def test_fallbacks_are_passed_on(world: World, ada: Caller) -> None:
    await told(world.server, ada, Send("Hi", fallbacks=[ZETA]))

    assert [ZETA] == list(world.providers.requests[0].fallbacks)


async def test_who_answered_is_told_at_the_end_and_not_asked_next(
    world: World, ada: Caller
) -> None:
    assert world.providers.finished is not None
    world.providers.script = [ZETA, "Hello"]
    world.providers.finished = world.providers.finished._replace(choice=Choice("zeta", "bigger"))

    start, *_, end = await told(world.server, ada, Send("Hi", "c"))

    assert isinstance(start, Start)
    assert isinstance(end, End)
    assert ACME == start.choice
    assert ("zeta", "bigger", Status.COMPLETE) == await answerer(world, ada)
    assert end.message == (await stored(world.edges, ada, "c"))[1]
    await told(world.server, ada, Send("And?", "c"))
    assert ACME == world.providers.asked[-1]


@pytest.mark.parametrize("said", [[], ["Half"]])
async def test_who_failed_is_stored(world: World, ada: Caller, said: list[str]) -> None:
    fault = RemoteFault("Slow down.", Origin(Unavailable, "overloaded", "provider.parley"))
    world.providers.script = [ZETA, *said, fault]

    with pytest.raises(Fault):
        await told(world.server, ada, Send("Hi", "c"))

    assert (*ZETA, Status.FAILED) == await answerer(world, ada)


async def test_who_was_interrupted_is_stored(world: World, ada: Caller) -> None:
    world.providers.script = [ZETA, *WANTED]
    whole, world.providers.finished = world.providers.finished, None

    with pytest.raises(Fault):
        await told(world.server, ada, Send("Hi", "c"))

    assert (*ZETA, Status.INTERRUPTED) == await answerer(world, ada)
    # What a vendor wants back belongs to whole replies.
    world.providers.script, world.providers.finished = ["Ho"], whole
    await told(world.server, ada, Send("And?", "c", ZETA))
    assert [(), (), ()] == [past.spans for past in world.providers.requests[-1].past]


async def test_who_answers_is_stored_before_its_text(world: World, ada: Caller) -> None:
    """So that the reply of a process that is killed now names it."""
    gate = asyncio.Event()
    world.providers.script = [ZETA, gate, "Hello"]
    events = world.server.replies.send(ada, Send("Hi", "c"))
    await anext(events)

    async def named() -> bool:
        return (await answerer(world, ada))[0] == "zeta"

    async with asyncio.timeout(5):
        while not await named():  # noqa: ASYNC110  (a test looks on from outside)
            await asyncio.sleep(0.01)
    assert (*ZETA, Status.RUNNING) == await answerer(world, ada)
    gate.set()
    assert ["Hello"] == [event.text async for event in events if isinstance(event, Delta)]


async def test_a_provider_service_that_goes_away_before_a_word_has_not_half_answered(
    impatient: World, ada: Caller
) -> None:
    impatient.providers.script = [ZETA, Unavailable("The provider service cannot be reached.")]

    with pytest.raises(Unavailable):
        await told(impatient.server, ada, Send("Hi", "c"))

    assert Status.FAILED == (await answerer(impatient, ada))[2]


async def test_what_a_vendor_wants_back_goes_back_to_it_alone(world: World, ada: Caller) -> None:
    world.providers.script = WANTED
    await told(world.server, ada, Send("Hi", "c"))
    world.providers.script = ["Ho"]

    for choice in (ACME, ZETA, Choice("acme", "other")):
        await told(world.server, ada, Send("And?", "c", choice))

    spans = [request.past[1].spans for request in world.providers.requests[1:]]
    assert [SPANS, (), SPANS] == spans
    assert "Hm." == world.providers.requests[-1].past[1].reasoning
    assert () == world.providers.requests[-1].past[3].spans


async def test_a_fallbacks_metadata_goes_back_to_the_fallback(world: World, ada: Caller) -> None:
    world.providers.script = [ZETA, *WANTED]
    await told(world.server, ada, Send("Hi", "c"))
    world.providers.script = ["Ho"]

    await told(world.server, ada, Send("And?", "c"))
    await told(world.server, ada, Send("And?", "c", ZETA))

    assert [(), SPANS] == [request.past[1].spans for request in world.providers.requests[1:]]


async def test_what_is_given_up_is_logged_without_its_content(
    small_world: World, memory: MemoryStore, ada: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    secret = b"secret" * (LARGEST_METADATA // 6 + 1)
    small_world.providers.script = ["Hello", Wanted(Kind.TEXT, secret)]

    with caplog.at_level(logging.WARNING):
        await told(small_world.server, ada, Send("Hi", "c"))

    (record,) = caplog.records
    fields = {"message_id": str(list(memory.messages)[1]), "cause": "size", "bytes": len(secret)}
    assert ("metadata given up", fields) == (record.message, vars(record)["fields"])
    assert [(), ()] == [message.spans for message in memory.messages.values()]


@pytest.mark.unit
def test_only_the_newest_metadata_fits_into_a_call() -> None:
    span = Span(Kind.TEXT, 2, bytes(LARGEST_RETURNED // 2))
    replies = [
        Past(uuid7(), "assistant", "complete", "Hi", (), provider, "", [span])
        for provider in ("acme", "acme", "zeta", "acme")
    ]
    empty = replies[0]._replace(content="")

    assert [0, 1, 0, 1] == [len(past.spans) for past in shown([*replies, empty], "acme")]


@dataclass
class Wire:
    """A service whose provider service is a peer on a real socket."""

    edges: Edges
    server: ChatServer
    peer: ProviderPeer
    caller: Caller


@pytest.fixture
async def wire(edges: Edges) -> AsyncIterator[Wire]:
    peer = ProviderPeer()
    user = uuid4()
    metadata = new_caller(str(user), "k", "r", valid_for=60).metadata
    async with serving(peer, PromptPeer()) as address:
        client = Peer("provider", address, None)
        wired = replace(edges, providers=GrpcProviders(client))
        assert isinstance(edges.providers, ScriptedProviders)
        server = ChatServer(Settings(), wired, OpenToAnybody())
        async with server.working():
            await until(lambda: server.worker.held)
            yield Wire(wired, server, peer, Caller(user, metadata))
        await client.aclose()


async def test_a_vendor_gets_back_over_the_wire_what_it_wanted(wire: Wire) -> None:
    wire.peer.script = [
        Event(reasoning_metadata=b'{"encrypted":"x"}'),
        Event(reasoning="Hm🏴."), Event(reasoning_metadata=b'{"signature":"y"}'),
        Event(text="Hel"), Event(text="lo"), Event(text_metadata=b'{"id":"z"}'),
        *finished(" there", "acme", "small"),
    ]  # fmt: skip
    await told(wire.server, wire.caller, Send("Hi", "c"))

    wire.peer.known[ACME] = ACME
    await told(wire.server, wire.caller, Send("And?", "c"))

    parts = [
        Part(reasoning="", provider_metadata=b'{"encrypted":"x"}'),
        Part(reasoning="Hm🏴.", provider_metadata=b'{"signature":"y"}'),
        Part(text="Hello", provider_metadata=b'{"id":"z"}'),
        Part(text=" there"),
    ]
    assert parts == list(wire.peer.requests[1].messages[1].parts)


async def test_a_fallback_answers_over_the_wire(wire: Wire) -> None:
    wire.peer.script = [
        Event(answerer=ModelChoice(provider="zeta", model="big")),
        *finished("Hello", "zeta", "big"),
    ]

    *_, end = await told(wire.server, wire.caller, Send("Hi", "c", fallbacks=[Choice("zeta")]))

    assert isinstance(end, End)
    assert ZETA == (end.message.provider, end.message.model)
    assert [ModelChoice(provider="zeta")] == list(wire.peer.requests[0].fallbacks)


async def test_a_provider_service_of_the_release_before_names_nobody(wire: Wire) -> None:
    wire.peer.script = finished("Hello")

    *_, end = await told(wire.server, wire.caller, Send("Hi", "c"))

    assert isinstance(end, End)
    assert ACME == (end.message.provider, end.message.model)
