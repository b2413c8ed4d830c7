"""Turns that call tools, and what is said in several messages: against every store."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from parley_chat_service.adapters.providers import request_message
from parley_chat_service.core.faults import IdempotencyKeyReused, TurnInterrupted
from parley_chat_service.core.history import NOT_ANSWERED, answered
from parley_chat_service.core.inputs import Call, Part, Result, Said, Text, Thought
from parley_chat_service.core.model import (
    Caller,
    Choice,
    Message,
    MessageQuery,
    Role,
    Status,
    ToolCall,
)
from parley_chat_service.core.outline import Kind
from parley_chat_service.core.turn import CallDelta, End, Options, Past, Send, TurnEvent
from parley_rpc.faults import Fault, InvalidArgument, Unavailable, reason_of

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import ROLE_ASSISTANT, ROLE_TOOL, ROLE_USER, InputMessage

from .conftest import World
from .fakes import Step, Wanted
from .fakes import Thought as Reasoning

ACME, ZETA = Choice("acme", "small"), Choice("zeta", "big")
LOOK, FIND = ToolCall("1", "look", '{"at": "sky"}'), ToolCall("2", "find", "{}")
CALLING: list[Step] = [
    Reasoning("Hm."), Wanted(Kind.REASONING, b"r"), "Let me see.",
    CallDelta(0, "1", "look"), CallDelta(1, "2", "find", "{}", b"m2"),
    CallDelta(0, "", "", '{"at": "sky"}'), CallDelta(0, metadata=b"m1"),
]  # fmt: skip


async def told(world: World, caller: Caller, send: Send) -> list[TurnEvent]:
    return [event async for event in world.server.replies.send(caller, send)]


async def stored(world: World, caller: Caller, chat_id: str = "c") -> Sequence[Message]:
    page = await world.edges.chats.list_messages(caller.owner_id, MessageQuery(chat_id, 100))
    assert page is not None
    return page.messages


async def called(world: World, caller: Caller, script: list[Step] | None = None) -> Message:
    """Have a reply call tools, and the next one say something."""
    assert world.providers.finished is not None
    said, whole = world.providers.script, world.providers.finished
    world.providers.script = CALLING if script is None else script
    world.providers.finished = whole._replace(reason="tool")
    *_, end = await told(world, caller, Send("What is up?", "c", ACME))
    world.providers.script, world.providers.finished = said, whole
    assert isinstance(end, End)
    return end.message


def asked(world: World) -> list[InputMessage]:
    """Return the conversation of the last request as it goes over the wire."""
    return list(request_message(world.providers.requests[-1]).messages)


def wire(role: reply_pb2.Role.ValueType, *parts: dict[str, object]) -> InputMessage:
    return InputMessage(role=role, parts=[reply_pb2.Part(**one) for one in parts])  # type: ignore[arg-type]  # by name


def call(call: ToolCall, metadata: bytes = b"") -> dict[str, object]:
    made = reply_pb2.ToolCall(
        tool_call_id=call.tool_call_id, name=call.name, arguments=call.arguments
    )
    return {"tool_call": made, "provider_metadata": metadata}


def result(name: str, content: str, *, is_error: bool = False) -> dict[str, object]:
    made = reply_pb2.ToolResult(tool_call_id=name, content=content, is_error=is_error)
    return {"tool_result": made}


def tool(*results: Result) -> Said:
    return Said(Role.TOOL, results)


ASKED = wire(ROLE_USER, {"text": "What is up?"})
REPLY = wire(
    ROLE_ASSISTANT, {"reasoning": "Hm.", "provider_metadata": b"r"}, {"text": "Let me see."},
    call(LOOK, b"m1"), call(FIND, b"m2"),
)  # fmt: skip


async def test_a_reply_ends_with_its_calls(world: World, ada: Caller) -> None:
    reply = await called(world, ada)

    assert (Status.COMPLETE, "tool", "Let me see.") == (
        reply.status, reply.finish_reason, reply.content,
    )  # fmt: skip
    assert [LOOK, FIND] == list(reply.tool_calls)
    assert reply == (await stored(world, ada))[1]
    found = await world.edges.replies.find_reply(ada.owner_id, "c", reply.message_id)
    assert found == reply


@pytest.mark.unit
async def test_a_reply_may_be_nothing_but_calls(small_world: World, ada: Caller) -> None:
    reply = await called(small_world, ada, [CallDelta(0, "2", "find", "{}")])
    results = [tool(Result("2", "A cat"))]

    await told(small_world, ada, Send("", "c", said=results))

    assert ("", Status.COMPLETE, (FIND,)) == (reply.content, reply.status, reply.tool_calls)
    assert [
        ASKED, wire(ROLE_ASSISTANT, call(FIND)), wire(ROLE_TOOL, result("2", "A cat")),
    ] == asked(small_world)  # fmt: skip


async def test_results_and_what_else_is_said_go_on_in_order(world: World, ada: Caller) -> None:
    await called(world, ada)
    said = [
        tool(Result("1", "Blue", metadata=b"x")),
        tool(Result("2", "Nothing", is_error=True)),
        Said(Role.USER, (Text("And"), Text("now?"))),
    ]
    answers = [
        wire(ROLE_TOOL, result("1", "Blue") | {"provider_metadata": b"x"}),
        wire(ROLE_TOOL, result("2", "Nothing", is_error=True)),
        wire(ROLE_USER, {"text": "And"}, {"text": "now?"}),
    ]

    await told(world, ada, Send("And\n\nnow?", "c", said=said))
    first = asked(world)
    await told(world, ada, Send("So?", "c"))

    assert [ASKED, REPLY, *answers] == first
    assert [*first, wire(ROLE_ASSISTANT, {"text": "Hello, world."}),
            wire(ROLE_USER, {"text": "So?"})] == asked(world)  # fmt: skip
    assert "And\n\nnow?" == (await stored(world, ada))[2].content


@pytest.mark.unit
async def test_what_nobody_answered_is_answered_so(small_world: World, ada: Caller) -> None:
    await called(small_world, ada)

    await told(small_world, ada, Send("Never mind.", "c"))

    missing = [result(name, NOT_ANSWERED, is_error=True) for name in "12"]
    expected = [ASKED, REPLY, wire(ROLE_TOOL, *missing), wire(ROLE_USER, {"text": "Never mind."})]
    assert expected == asked(small_world)
    await told(small_world, ada, Send("Go on.", "c"))
    assert expected == asked(small_world)[:4]


async def test_what_one_provider_wants_back_is_shown_to_no_other(world: World, ada: Caller) -> None:
    await called(world, ada)
    thought = Said(Role.ASSISTANT, (Thought("Hm?", b"t"), Call(FIND, b"c")))
    said = [tool(Result("1", "Blue", metadata=b"x"), Result("2", "")), thought,
            tool(Result("2", "No"))]  # fmt: skip
    await told(world, ada, Send("", "c", ACME, said=said))
    mine = asked(world)[2:]

    await told(world, ada, Send("And you?", "c", ZETA))

    assert wire(ROLE_ASSISTANT, {"reasoning": "Hm?", "provider_metadata": b"t"}, call(FIND, b"c")) \
        == mine[1]  # fmt: skip
    assert b"x" == mine[0].parts[0].provider_metadata
    assert [
        ASKED,
        wire(ROLE_ASSISTANT, {"text": "Let me see."}, call(LOOK), call(FIND)),
        wire(ROLE_TOOL, result("1", "Blue"), result("2", "")),
        wire(ROLE_ASSISTANT, call(FIND)),
        wire(ROLE_TOOL, result("2", "No")),
        wire(ROLE_ASSISTANT, {"text": "Hello, world."}),
        wire(ROLE_USER, {"text": "And you?"}),
    ] == asked(world)


@pytest.mark.unit
async def test_what_was_never_called_is_not_answered(small_world: World, ada: Caller) -> None:
    await told(small_world, ada, Send("Hi", "c"))
    with pytest.raises(InvalidArgument) as raised:
        await told(small_world, ada, Send("", "c", said=[tool(Result("9", "What?"))]))

    assert ["input"] == [violation.field for violation in raised.value.violations]
    assert Status.FAILED == (await stored(small_world, ada))[-1].status
    await told(small_world, ada, Send("Sorry.", "c"))
    assert ["Hi", "Hello, world.", "Sorry."] == [one.parts[0].text for one in asked(small_world)]


@pytest.mark.unit
@pytest.mark.parametrize("ending", ["failed", "interrupted", "cut"])
async def test_a_reply_that_was_cut_keeps_no_half_call(
    small_world: World, ada: Caller, ending: str
) -> None:
    whole = small_world.providers.finished
    assert whole is not None
    small_world.providers.script = ["So", CallDelta(0, "1", "look", '{"at', b"m")]
    small_world.providers.finished = whole._replace(reason="length") if ending == "cut" else None
    if ending == "failed":
        small_world.providers.script = [*small_world.providers.script, InvalidArgument("No.")]

    with contextlib.nullcontext() if ending == "cut" else pytest.raises(Fault):
        await told(small_world, ada, Send("Hi", "c"))

    _, reply = await stored(small_world, ada)
    assert ("So", ()) == (reply.content, reply.tool_calls)
    small_world.providers.script, small_world.providers.finished = ["Ho"], whole
    await told(small_world, ada, Send("And?", "c"))
    assert wire(ROLE_ASSISTANT, {"text": "So"}) == asked(small_world)[1]


@pytest.mark.unit
async def test_nobody_is_asked_again_once_a_call_has_come(small_world: World, ada: Caller) -> None:
    small_world.providers.script = [CallDelta(0, "1", "look"), Unavailable("Gone.")]

    with pytest.raises(TurnInterrupted):
        await told(small_world, ada, Send("Hi", "c"))

    assert 1 == len(small_world.providers.requests)


@pytest.mark.unit
async def test_too_many_calls_fail_clearly(small_world: World, ada: Caller) -> None:
    small_world.providers.script = ["So", CallDelta(0, "1", "look", "x" * 1_000_001)]

    with pytest.raises(Fault) as raised:
        await told(small_world, ada, Send("Hi", "c"))

    assert "tool_calls_too_large" == reason_of(raised.value)
    _, reply = await stored(small_world, ada)
    assert (Status.FAILED, "tool_calls_too_large", "So") == (
        reply.status, reply.error_reason, reply.content,
    )  # fmt: skip


@pytest.mark.unit
@pytest.mark.parametrize("system", ["Be odd.", ""])
async def test_options_go_along_and_their_system_takes_the_prompts_place(
    small_world: World, ada: Caller, system: str
) -> None:
    await told(small_world, ada, Send("Hi", "c", options=Options(system, b"\x50\x01")))

    (request,) = small_world.providers.requests
    assert (system, b"\x50\x01", []) == (
        request.system,
        request.packed,
        small_world.prompts.asked,
    )
    assert 0 == (await stored(small_world, ada))[1].prompt_version


async def test_who_instructs_is_heard_in_all_that_follows(world: World, ada: Caller) -> None:
    developer = Said(Role.DEVELOPER, (Text("Two."),))
    system = Said(Role.SYSTEM, (Text("Three."),))
    user = Said(Role.USER, (Text("Hi"),))
    first = Send("Hi", "c", said=[developer, user, system], options=Options("One."))
    await told(world, ada, first)
    await told(world, ada, Send("And?", "c", options=Options("Four.")))
    await told(world, ada, Send("Other", "c2", options=Options("Five.")))

    assert ["One.\n\nTwo.\n\nThree.", "Four.\n\nTwo.\n\nThree.", "Five."] == [
        request.system for request in world.providers.requests
    ]
    for request in world.providers.requests:
        roles = {message.role for message in request_message(request).messages}
        assert roles <= {ROLE_USER, ROLE_ASSISTANT}
    asked = (await stored(world, ada))[0]
    found = await world.edges.chats.find_message(ada.owner_id, asked.message_id)
    assert found
    assert ([developer, user, system], "Hi") == (list(found.said), found.message.content)


@pytest.mark.unit
async def test_a_repeated_send_of_messages_begins_one_turn(small_world: World, ada: Caller) -> None:
    send = Send("Hi", "c", said=[Said(Role.USER, (Text("Hi"),))], idempotency_key="k")
    first, *_ = await told(small_world, ada, send)

    again, *_ = await told(small_world, ada, send)

    assert first == again
    for other in (replace(send, said=()), replace(send, options=Options("Be odd."))):
        with pytest.raises(IdempotencyKeyReused):
            await told(small_world, ada, other)


@pytest.mark.unit
async def test_a_chat_that_begins_with_no_users_words_has_a_title(
    small_world: World, ada: Caller
) -> None:
    await told(small_world, ada, Send("", "c", said=[Said(Role.ASSISTANT, (Text("Well,"),))]))

    chat = await small_world.edges.chats.get_chat(ada.owner_id, "c")
    assert chat is not None
    assert "Well," == chat.title


def users(*parts: Part, number: int = 9) -> Past:
    return Past(UUID(int=number), "user", "complete", "", said=(Said(Role.USER, parts),))


REPLIED = Past(UUID(int=1), "assistant", "complete", "", tool_calls=(LOOK, FIND))


@pytest.mark.unit
def test_a_conversation_without_tools_is_left_alone() -> None:
    past = [Past(UUID(int=1), "user", "complete", "Hi")]

    assert answered(past, UUID(int=1)) is past


@pytest.mark.unit
def test_of_two_results_the_newer_one_counts() -> None:
    past = [
        REPLIED,
        users(Result("1", "old"), Text("Hm"), number=2),
        users(Result("2", "two"), Result("1", "new"), Result("7", "lost"), number=3),
        users(Text("Go"), number=4),
    ]

    given = answered(past, UUID(int=4))

    parts = [message.said[0].parts for message in given[1:]]
    assert [(Result("1", "new"), Result("2", "two")), (Text("Hm"),), (Text("Go"),)] == parts
    assert Role.TOOL == given[1].said[0].role


@pytest.mark.unit
def test_calls_at_the_very_end_are_answered_too() -> None:
    prefilled = Said(Role.ASSISTANT, (Call(LOOK),))

    *_, last = answered([replace_said(users(Text("Hi")), prefilled)], UUID(int=9))

    assert (Result("1", NOT_ANSWERED, is_error=True),) == last.said[0].parts


@pytest.mark.unit
def test_calls_of_one_reply_may_stand_in_several_messages() -> None:
    one, two = Said(Role.ASSISTANT, (Call(LOOK),)), Said(Role.ASSISTANT, (Call(FIND),))
    past = [Past(UUID(int=9), "user", "complete", "", said=(
        one, two, tool(Result("1", "a")), tool(Result("2", "b"))))]  # fmt: skip

    assert [one, two, *past[0].said[2:]] == [
        said for message in answered(past, UUID(int=9)) for said in message.said
    ]


def replace_said(past: Past, *said: Said) -> Past:
    return past._replace(said=said)
