"""What is said in several messages at once: read, checked, stored, written, given back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from parley_chat_service.adapters.store.inputs import VERSION, input_column, input_of
from parley_chat_service.api import convert, inputs
from parley_chat_service.core.digests import body_hash
from parley_chat_service.core.inputs import (
    Blob,
    Call,
    File,
    Part,
    Picture,
    Result,
    Said,
    Text,
    Thought,
)
from parley_chat_service.core.model import Role, ToolCall
from parley_chat_service.core.rules import check_send
from parley_chat_service.core.turn import NO_OPTIONS, Options, Send
from parley_rpc.faults import InvalidArgument

from parley.chat.v1 import chat_pb2 as pb
from parley.provider.v1 import reply_pb2

pytestmark = pytest.mark.unit

USER, ASSISTANT, TOOL = reply_pb2.ROLE_USER, reply_pb2.ROLE_ASSISTANT, reply_pb2.ROLE_TOOL
LONGEST = 20
PNG = reply_pb2.Blob(media_type="image/png", data=b"png", name="cat")
PDF = reply_pb2.Blob(media_type="application/pdf", data=b"pdf")
FAR = reply_pb2.Blob(url="https://example.com/cat.png")
CALL = reply_pb2.ToolCall(tool_call_id="1", name="look", arguments='{"at": "\0"}')


def message(role: reply_pb2.Role.ValueType, *parts: reply_pb2.Part) -> reply_pb2.InputMessage:
    return reply_pb2.InputMessage(role=role, parts=parts)


def part(**fields: Any) -> reply_pb2.Part:
    return reply_pb2.Part(**fields)


# One of everything.
WHOLE = [
    message(
        ASSISTANT,
        part(reasoning="Hm.", provider_metadata=b"\0\xff"),
        part(text="Well,"),
        part(tool_call=CALL, provider_metadata=b"{}"),
    ),
    message(
        TOOL,
        part(
            tool_result=reply_pb2.ToolResult(
                tool_call_id="1", content="A\0cat", is_error=True, images=[PNG, FAR]
            )
        ),
    ),
    message(USER, part(image=PNG), part(text="And"), part(image=FAR), part(file=PDF)),
    message(USER, part(text="this?")),
]


def send(*messages: reply_pb2.InputMessage) -> Send:
    return convert.send(pb.SendMessageRequest(input=messages))


def test_messages_are_read_stored_and_written_as_they_came() -> None:
    read = send(*WHOLE)

    provider, said = input_of(input_column("acme", read.said))

    assert ("acme", read.said) == (provider, said)
    files = {file.info.sha256: file.data for file in read.attachments}
    assert WHOLE == inputs.written(said, files)


def test_a_users_words_are_the_text_of_what_users_said() -> None:
    read = send(*WHOLE)

    assert "And\n\nthis?" == read.content
    sizes = [(file.info.media_type, file.info.size, file.data) for file in read.attachments]
    assert [("image/png", 3, b"png"), ("application/pdf", 3, b"pdf")] == sizes


def test_files_whose_bytes_are_gone_are_left_out() -> None:
    read = send(*WHOLE)

    written = inputs.written(read.said, {})

    assert [FAR] == list(written[1].parts[0].tool_result.images)
    assert ["text", "image"] == [one.WhichOneof("kind") for one in written[2].parts]


def test_what_a_later_release_wrote_is_left_to_it() -> None:
    assert input_column("acme", []) == b""
    assert ("", ()) == input_of(None) == input_of(b"2\nwho knows")
    assert input_column("acme", [Said(Role.USER, (Text("Hi"),))]).startswith(VERSION)


def test_the_release_before_reads_what_it_knows_of_who_speaks() -> None:
    developer, user = Said(Role.DEVELOPER, (Text("Be brief."),)), Said(Role.USER, (Text("Hi"),))
    said = (developer, user, Said(Role.SYSTEM, (Text("Be kind."),)), user, developer)

    column = input_column("acme", said)

    # It turns each of these roles into one of its own, and asks for nothing else.
    read = json.loads(column.removeprefix(VERSION))
    assert ["user", "user"] == [message["role"] for message in read["messages"]]
    assert ("acme", said) == input_of(column)


@pytest.mark.parametrize("beside", [{"content": "Hi"}, {"attachments": [pb.Attachment()]}])
def test_messages_come_in_place_of_content(beside: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="must not come with"):
        convert.send(pb.SendMessageRequest(input=WHOLE, **beside))


BAD: list[tuple[list[reply_pb2.InputMessage], str]] = [
    ([message(reply_pb2.ROLE_UNSPECIFIED, part(text="Hi"))], "input[0].role"),
    ([message(USER, part())], "input[0].parts[0]"),
    ([message(USER)], "input[0].parts"),
    ([message(USER, part(text=" \n"))], "input"),
    ([message(USER, part(text="a\0b"))], "input"),
    ([message(USER, part(text="x" * (LONGEST + 1)))], "input"),
    ([message(ASSISTANT, part(text="x" * (5 * LONGEST + 1)))], "input"),
    ([message(USER, part(text="Hi", provider_metadata=bytes((1 << 20) + 1)))], "input"),
    ([message(USER, *[part(text="")] * 2_001)], "input"),
    ([message(USER, *[part(image=FAR)] * 101)], "input"),
    ([message(USER, part(tool_call=CALL))], "input[0].parts[0]"),
    ([message(USER, part(reasoning="Hm."))], "input[0].parts[0]"),
    ([message(ASSISTANT, part(image=PNG))], "input[0].parts[0]"),
    ([message(TOOL, part(text="Hi"))], "input[0].parts[0]"),
    ([message(reply_pb2.ROLE_SYSTEM, part(image=PNG))], "input[0].parts[0]"),
    ([message(reply_pb2.ROLE_DEVELOPER, part(text="Hi"))], "input"),
    ([message(USER, part(text="Hi")), message(ASSISTANT)], "input[1].parts"),
    (
        [message(ASSISTANT, part(tool_call=reply_pb2.ToolCall(name="look")))],
        "input[0].parts[0].tool_call_id",
    ),
    (
        [message(ASSISTANT, part(tool_call=reply_pb2.ToolCall(tool_call_id="1")))],
        "input[0].parts[0].tool_call.name",
    ),
    (
        [message(TOOL, part(tool_result=reply_pb2.ToolResult(content="a")))],
        "input[0].parts[0].tool_call_id",
    ),
    ([message(USER, part(image=reply_pb2.Blob(url="ftp://a/b")))], "input[0].parts[0].url"),
    (
        [message(USER, part(image=reply_pb2.Blob(url="http://a/b", data=b"a")))],
        "input[0].parts[0].url",
    ),
    ([message(USER, part(image=PDF))], "input[0].parts[0].media_type"),
    ([message(USER, part(file=reply_pb2.Blob(data=b"a")))], "input[0].parts[0].media_type"),
    ([message(USER, part(file=reply_pb2.Blob(media_type="a/b")))], "input[0].parts[0].data"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_a_bad_message_is_refused_by_field(number: int) -> None:
    given, field = BAD[number]
    with pytest.raises(InvalidArgument) as raised:
        check_send(send(*given), LONGEST)

    assert [field] == [violation.field for violation in raised.value.violations]


def test_files_of_messages_are_limited_together() -> None:
    large = Picture(Blob("image/png", "", "aa", 13_000_000))
    check_send(Send("", said=[Said(Role.USER, (large,))]), LONGEST)
    with pytest.raises(InvalidArgument, match="together"):
        check_send(Send("", said=[Said(Role.USER, (large, large))]), LONGEST)


def test_good_messages_are_taken() -> None:
    check_send(send(*WHOLE), 200)
    check_send(send(WHOLE[1]), LONGEST)


OPTIONS = reply_pb2.GenerateReplyRequest(
    system="Be kind.", tools=[reply_pb2.Tool(name="look")], top_p=0.5, options_dialect="openai",
)  # fmt: skip


def test_options_are_read_and_left_to_the_provider_service() -> None:
    OPTIONS.provider_options["user"] = "me"

    options = convert.send(pb.SendMessageRequest(content="Hi", options=OPTIONS)).options

    rest = reply_pb2.GenerateReplyRequest.FromString(options.packed)
    rest.system = options.system
    assert OPTIONS == rest
    assert "Be kind." == options.system
    assert NO_OPTIONS == convert.send(pb.SendMessageRequest(content="Hi")).options


BESIDE: list[dict[str, Any]] = [
    {"usage_id": "u"}, {"provider": "p"}, {"model": "m"}, {"temperature": 0.0},
    {"max_tokens": 1}, {"stream": True}, {"fallbacks": [reply_pb2.ModelChoice()]},
    {"messages": WHOLE}, {"top_logprobs": 0},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BESIDE)))
def test_options_that_do_not_count_are_refused(number: int) -> None:
    (field,) = BESIDE[number]
    options = reply_pb2.GenerateReplyRequest(**BESIDE[number])

    with pytest.raises(InvalidArgument) as raised:
        convert.send(pb.SendMessageRequest(content="Hi", options=options))

    assert [f"options.{field}"] == [violation.field for violation in raised.value.violations]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"options": Options("x" * (LONGEST + 1))}, "options.system"),
        ({"options": Options("Be kind."), "prompt_id": "p"}, "system_prompt_id"),
        ({"options": Options("", bytes((2 << 20) + 1))}, "options"),
    ],
)
def test_bad_options_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        check_send(replace(Send("Hi"), **change), LONGEST)

    assert [field] == [violation.field for violation in raised.value.violations]


def test_other_bodies_have_other_hashes() -> None:
    call, blob = ToolCall("1", "look", "{}"), Blob("image/png", "cat", "aa", 3)
    parts: list[Part] = [
        Text("a"), Text("a", b"1"), Text("b"), Thought("a"), Picture(blob), File(blob),
        Picture(replace(blob, sha256="bb")), Picture(Blob("", url="https://a")),
        Call(call), Call(replace(call, arguments="[]")), Call(call, b"1"),
        Call(ToolCall("1", "l", "ook{}")),
        Result("1", "a"), Result("1", "a", is_error=True), Result("1", "a", images=[blob]),
    ]  # fmt: skip
    sends = [Send("Hi", said=[Said(role, (one,))]) for one in parts for role in Role]
    sends += [
        Send("Hi"), Send("Hi", options=Options("a")), Send("Hi", options=Options("", b"a")),
        Send("Hi", parent_id=UUID(int=1)), Send("Hi", parent_id=UUID(int=2)),
        Send("Hi", said=[Said(Role.USER, (parts[0], parts[2]))]),
        Send("Hi", said=[Said(Role.USER, (parts[0],)), Said(Role.USER, (parts[2],))]),
    ]  # fmt: skip

    assert len(sends) == len({body_hash(one) for one in sends})
    assert body_hash(send(*WHOLE)) == body_hash(send(*WHOLE))
