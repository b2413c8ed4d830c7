"""A turn, against the stores in memory and in PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from parley_chat_service.core.faults import (
    ChatBusy,
    ChatDeleted,
    IdempotencyKeyReused,
    TurnInterrupted,
)
from parley_chat_service.core.history import newest_files
from parley_chat_service.core.model import (
    Attachment,
    AttachmentInfo,
    Caller,
    Choice,
    Message,
    MessageQuery,
    Status,
    Usage,
)
from parley_chat_service.core.turn import Delta, End, Past, Send, Start, TurnEvent
from parley_rpc.faults import (
    Fault,
    Internal,
    InvalidArgument,
    NotFound,
    Origin,
    RemoteFault,
    Unavailable,
)
from uuid_utils.compat import uuid7

from .conftest import World, running
from .fakes import Thought, new_turn, until


async def told(world: World, caller: Caller, send: Send) -> list[TurnEvent]:
    return [event async for event in world.server.replies.send(caller, send)]


async def collect(events: list[TurnEvent], stream: AsyncIterator[TurnEvent]) -> None:
    """Keep what comes before a stream fails."""
    async for event in stream:
        events.append(event)  # noqa: PERF401  (a failure must not lose what came)


async def stored(world: World, caller: Caller, chat_id: str) -> list[Message]:
    query = MessageQuery(chat_id, 100)
    page = await world.edges.chats.list_messages(caller.owner_id, query)
    assert page is not None
    return list(page.messages)


def text(events: Sequence[TurnEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


async def test_a_turn_starts_streams_and_ends(world: World, ada: Caller) -> None:
    start, *deltas, end = await told(world, ada, Send("Hi", "c"))

    user, reply = await stored(world, ada, "c")
    assert start == Start("c", user.message_id, reply.message_id, Choice("acme", "small"))
    assert "Hello, world." == text(deltas) == reply.content
    assert end == End(reply, whole=False)
    assert (Status.COMPLETE, "stop", 7) == (reply.status, reply.finish_reason, reply.prompt_version)
    assert Usage(3, 5, 0, 0, "reported") == reply.usage


async def test_what_is_streamed_is_what_is_stored(world: World, ada: Caller) -> None:
    dice = random.Random(7)  # noqa: S311  (a repeatable choice of chunks, no secret)
    signs = "aé漢🏴\u200d☠️\n\0 "
    for number in range(8):
        kinds = [dice.choice([str, Thought]) for _ in range(dice.randrange(1, 60))]
        world.providers.script = [
            kind("".join(dice.choices(signs, k=dice.randrange(0, 30)))) for kind in kinds
        ]

        events = await told(world, ada, Send("Go", f"c{number}"))

        deltas = [event for event in events if isinstance(event, Delta)]
        _, reply = await stored(world, ada, f"c{number}")
        assert reply.content == text(events)
        assert reply.reasoning == "".join(delta.reasoning for delta in deltas)
        said = [step for step in world.providers.script if not isinstance(step, Thought)]
        assert "".join(map(str, said)).replace("\0", "") == reply.content
        for place, delta in enumerate(deltas):
            assert len(text(deltas[: place + 1])) == delta.end.text


async def test_without_deltas_the_end_brings_the_text(world: World, ada: Caller) -> None:
    events = await told(world, ada, Send("Hi", "c", watched=False))

    start, end = events
    assert isinstance(start, Start)
    assert isinstance(end, End)
    assert ("Hello, world.", True) == (end.message.content, end.whole)
    assert not world.providers.requests[0].stream


async def test_the_model_gets_prompt_path_and_settings(world: World, ada: Caller) -> None:
    await told(world, ada, Send("One", "c"))

    await told(world, ada, Send("Two", "c", temperature=0.0, max_tokens=9))

    request = world.providers.requests[-1]
    said = [(str(past.role), past.content) for past in request.past]
    assert [("user", "One"), ("assistant", "Hello, world."), ("user", "Two")] == said
    assert ("Be brief.", 0.0, 9, True) == (
        request.system,
        request.temperature,
        request.max_tokens,
        request.stream,
    )


async def test_a_prompt_may_be_named_for_one_turn(world: World, ada: Caller) -> None:
    await told(world, ada, Send("Hi", prompt_id="pirate"))

    assert ["pirate"] == world.prompts.asked


async def test_a_chat_goes_on_with_who_answered_last(world: World, ada: Caller) -> None:
    await told(world, ada, Send("Hi", "c", Choice("zeta", "big")))
    for asked in (Choice(), Choice(model="other"), Choice("zeta"), Choice("acme")):
        await told(world, ada, Send("Hi", "c", asked))
        await told(world, ada, Send("Hi", "c", Choice("zeta", "big")))

    wanted = [Choice("zeta", "big"), Choice("zeta", "other"), Choice("zeta", "big"), Choice("acme")]
    assert wanted == world.providers.asked[1::2]


async def test_a_name_that_the_last_provider_lacks_may_stand_for_a_model(
    world: World, ada: Caller
) -> None:
    world.providers.aliases["fast"] = Choice("acme", "quick")
    await told(world, ada, Send("Hi", "c", Choice("zeta", "big")))

    start, *_ = await told(world, ada, Send("Hi", "c", Choice(model="fast")))

    assert isinstance(start, Start)
    assert Choice("acme", "quick") == start.choice


@pytest.mark.parametrize("missing", ["model", "prompt"])
async def test_what_is_unknown_fails_before_anything_is_stored(
    world: World, ada: Caller, missing: str
) -> None:
    origin = Origin(NotFound, f"{missing}_not_found", "there")
    fault = RemoteFault("No such thing.", origin)
    if missing == "model":
        world.providers.unknown = fault
    else:
        world.prompts.missing = fault

    with pytest.raises(RemoteFault) as raised:
        await told(world, ada, Send("Hi", "c"))

    assert raised.value is fault
    assert await world.edges.chats.get_chat(ada.owner_id, "c") is None
    assert {} == world.server.worker.turns


@pytest.mark.parametrize("said", [[], ["Half", " a"]])
async def test_a_vendors_failure_is_told_and_stored(
    world: World, ada: Caller, said: list[str]
) -> None:
    fault = RemoteFault("Slow down.", Origin(Unavailable, "overloaded", "provider.parley"))
    world.providers.script = [*said, fault]
    events: list[TurnEvent] = []

    with pytest.raises(RemoteFault) as raised:
        await collect(events, world.server.replies.send(ada, Send("Hi", "c")))

    _, reply = await stored(world, ada, "c")
    assert raised.value is fault
    assert {"chat_id": "c", "message_id": str(reply.message_id)} == fault.metadata
    assert "".join(said) == text(events) == reply.content
    assert (Status.FAILED, "overloaded", None) == (reply.status, reply.error_reason, reply.usage)


async def test_a_reply_that_is_cut_off_is_never_complete(world: World, ada: Caller) -> None:
    world.providers.finished = None

    with pytest.raises(TurnInterrupted):
        await told(world, ada, Send("Hi", "c"))

    _, reply = await stored(world, ada, "c")
    assert ("Hello, world.", "interrupted") == (reply.content, reply.status)


@pytest.mark.parametrize(("said", "status"), [([], "failed"), (["Half"], "interrupted")])
async def test_a_provider_service_that_goes_away_interrupts(
    impatient: World, ada: Caller, said: list[str], status: str
) -> None:
    impatient.providers.script = [*said, Unavailable("The provider service cannot be reached.")]

    with pytest.raises(Unavailable):
        await told(impatient, ada, Send("Hi", "c"))

    assert status == (await stored(impatient, ada, "c"))[1].status


async def test_our_own_mistake_ends_the_turn_too(world: World, ada: Caller) -> None:
    world.providers.script = ["Half", ZeroDivisionError()]

    with pytest.raises(Fault, match="Parley failed"):
        await told(world, ada, Send("Hi", "c"))

    _, reply = await stored(world, ada, "c")
    assert ("Half", "failed", "internal") == (reply.content, reply.status, reply.error_reason)


async def test_who_leaves_does_not_end_the_turn(world: World, ada: Caller) -> None:
    gate = asyncio.Event()
    world.providers.script = ["Hello", gate, " again"]
    events = world.server.replies.send(ada, Send("Hi", "c"))
    assert isinstance(await anext(events), Start)
    await events.aclose()

    gate.set()
    await until(lambda: not world.server.worker.turns)

    _, reply = await stored(world, ada, "c")
    assert ("Hello again", Status.COMPLETE) == (reply.content, reply.status)


async def test_two_sends_at_once_are_kept_in_order(world: World, ada: Caller) -> None:
    gate = asyncio.Event()
    world.providers.script = ["Hello", gate]
    sends = [asyncio.create_task(told(world, ada, Send(f"{n}", "c"))) for n in range(5)]
    await until(lambda: len(world.server.worker.turns) == 5 and world.providers.requests)
    await asyncio.sleep(0.05)
    assert 1 == len(world.providers.requests)

    for key in ("", "k"):
        with pytest.raises(ChatBusy):
            await told(world, ada, Send("too many", "c", idempotency_key=key))
    gate.set()
    await asyncio.gather(*sends)

    messages = await stored(world, ada, "c")
    assert list(range(1, 11)) == [message.seq for message in messages]
    assert [1, 3, 5, 7, 9] == [len(request.past) for request in world.providers.requests]
    parents = [message.parent_id for message in messages[1:]]
    assert parents == [message.message_id for message in messages[:-1]]


async def test_a_turn_waits_for_a_parent_in_another_process(world: World, ada: Caller) -> None:
    elsewhere = new_turn(ada.owner_id, uuid7(), Send("Before", "c"))
    await world.edges.workers.renew(elsewhere.worker_id, 60, [])
    await world.edges.turns.begin(elsewhere, 5)
    sent = asyncio.create_task(told(world, ada, Send("After", "c")))
    await asyncio.sleep(0.3)
    assert [] == world.providers.requests

    await world.edges.workers.renew(elsewhere.worker_id, -1, [])
    await world.edges.workers.sweep(uuid7(), [], 0)
    await sent

    # An empty reply is not shown to the model.
    assert ["Before", "After"] == [past.content for past in world.providers.requests[0].past]


async def test_the_same_key_attaches_to_a_running_turn(world: World, ada: Caller) -> None:
    gate = asyncio.Event()
    world.providers.script = ["Hello", gate, " again"]
    send = Send("Hi", "c", idempotency_key="k")
    first = asyncio.create_task(told(world, ada, send))
    await until(lambda: world.providers.requests)

    second = asyncio.create_task(told(world, ada, send))
    await asyncio.sleep(0.05)
    gate.set()

    assert text(await first) == text(await second) == "Hello again"
    assert (await first)[0] == (await second)[0]
    assert (await first)[-1] == (await second)[-1]
    assert 1 == len(world.providers.requests)


@pytest.mark.parametrize("watched", [True, False])
async def test_the_same_key_replays_a_turn_that_ended(
    world: World, ada: Caller, watched: bool
) -> None:
    send = Send("Hi", idempotency_key="k", watched=watched)
    world.providers.script = [Thought("Hm."), "Hello"]
    first = await told(world, ada, send)

    second = await told(world, ada, send)

    assert first[0] == second[0]
    assert first[-1] == second[-1]
    assert text(first) == text(second)
    assert 1 == len(world.providers.requests)


async def test_a_send_that_is_refused_stores_nothing_and_asks_nobody(
    world: World, ada: Caller
) -> None:
    file = image(b"cat")
    refused = Send("Hi", "c", idempotency_key="k", attachments=[file], refusal=Internal("No."))

    with pytest.raises(Internal):
        await told(world, ada, refused)

    assert await world.edges.chats.get_chat(ada.owner_id, "c") is None
    assert [] == world.providers.requests
    assert {} == await world.edges.turns.load_files(ada.owner_id, [file.info.sha256])


async def test_what_repeats_a_send_is_not_refused(world: World, ada: Caller) -> None:
    send = Send("Hi", "c", idempotency_key="k")
    first = await told(world, ada, send)

    second = await told(world, ada, replace(send, refusal=Internal("No.")))

    assert first[0] == second[0]
    assert first[-1] == second[-1]
    with pytest.raises(IdempotencyKeyReused):
        await told(world, ada, replace(send, content="Ho", refusal=Internal("No.")))


async def test_a_turn_of_another_process_is_followed(world: World, ada: Caller) -> None:
    gate = asyncio.Event()
    world.providers.script = ["Hello", gate, " again"]
    send = Send("Hi", "c", idempotency_key="k")
    async with running(world.edges) as other:
        first = asyncio.create_task(told(world, ada, send))
        await until(lambda: world.providers.requests)
        second = asyncio.create_task(told(other, ada, send))
        await asyncio.sleep(0.3)
        gate.set()

        assert text(await first) == text(await second) == "Hello again"
        assert (await first)[-1] == (await second)[-1]


async def test_a_turn_of_another_process_may_be_deleted(world: World, ada: Caller) -> None:
    world.providers.script = ["Hello", asyncio.Event()]
    send = Send("Hi", "c", idempotency_key="k")
    events = world.server.replies.send(ada, send)
    await anext(events)
    async with running(world.edges) as other:
        following = asyncio.create_task(told(other, ada, send))
        await asyncio.sleep(0.1)
        await other.server.chats.delete(ada, "c")

        with pytest.raises(ChatDeleted):
            await following


async def test_a_key_with_another_body_is_refused(world: World, ada: Caller, bob: Caller) -> None:
    await told(world, ada, Send("Hi", "c", idempotency_key="k"))

    with pytest.raises(IdempotencyKeyReused):
        await told(world, ada, Send("Ho", "c", idempotency_key="k"))
    await told(world, bob, Send("Ho", "c", idempotency_key="k"))

    assert 2 == len(await stored(world, ada, "c"))


async def test_deleting_a_chat_ends_its_turn(world: World, ada: Caller) -> None:
    world.providers.script = ["Hello", asyncio.Event()]
    events = world.server.replies.send(ada, Send("Hi", "c", idempotency_key="k"))
    assert isinstance(await anext(events), Start)
    assert isinstance(await anext(events), Delta)

    await world.server.chats.delete(ada, "c")

    with pytest.raises(ChatDeleted):
        await anext(events)
    assert world.providers.cancelled.is_set()
    assert await world.edges.chats.get_chat(ada.owner_id, "c") is None
    with pytest.raises(ChatDeleted):
        await told(world, ada, Send("Hi", "c", idempotency_key="k"))


async def test_a_bad_request_stores_nothing(world: World, ada: Caller) -> None:
    with pytest.raises(InvalidArgument):
        await told(world, ada, Send(" \n", "c"))

    assert await world.edges.chats.get_chat(ada.owner_id, "c") is None


async def test_a_stop_gives_turns_time_and_then_interrupts(world: World, ada: Caller) -> None:
    gate = asyncio.Event()
    world.providers.script = ["Hello", gate]
    quick = asyncio.create_task(told(world, ada, Send("Hi", "quick")))
    await until(lambda: len(world.providers.requests) == 1)
    world.providers.script = ["Hello", asyncio.Event()]
    slow = asyncio.create_task(told(world, ada, Send("Hi", "slow")))
    await until(lambda: len(world.providers.requests) == 2)

    gate.set()
    await world.server.worker.drain(0.2)

    assert "Hello" == text(await quick)
    with pytest.raises(TurnInterrupted):
        await slow
    _, reply = await stored(world, ada, "slow")
    assert ("Hello", "interrupted") == (reply.content, reply.status)


def image(data: bytes) -> Attachment:
    digest = hashlib.sha256(data).hexdigest()
    return Attachment(AttachmentInfo("cat.png", "image/png", len(data), digest), data)


async def test_the_model_sees_images_of_former_turns(world: World, ada: Caller) -> None:
    one, two = image(b"one"), image(b"two")
    await told(world, ada, Send("Look", "c", attachments=[one]))

    await told(world, ada, Send("And?", "c", attachments=[two]))

    request = world.providers.requests[-1]
    assert [(one.info,), (), (two.info,)] == [tuple(past.attachments) for past in request.past]
    assert {one.info.sha256: b"one", two.info.sha256: b"two"} == request.files


def test_only_the_newest_files_fit_into_a_call() -> None:
    infos = [AttachmentInfo("", "image/png", 10_000_000, name) for name in "abc"]
    path = [Past(uuid7(), "user", "complete", "Look", [info]) for info in infos]

    assert ["c", "b"] == newest_files(path, 0)
    assert ["c"] == newest_files(path, 5_000_000)
