"""What a vendor is to keep of a prompt: `cache_control` as the contract's marks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.messages.body import AnthropicPrompt
from parley_gateway.api.dialects.messages.request import request_of
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import GenerateReplyRequest

pytestmark = pytest.mark.unit

Fields = dict[str, Any]
SHORT: Fields = {"type": "ephemeral"}
LONG: Fields = {"type": "ephemeral", "ttl": "1h"}
IMAGE: Fields = {"type": "image", "source": {"type": "url", "url": "https://example.com/a"}}
CALL: Fields = {"type": "tool_use", "id": "c", "name": "add", "input": {}}
TOOL: Fields = {"name": "add", "input_schema": {"type": "object"}}
THOUGHT: Fields = {"type": "thinking", "thinking": "Hm.", "signature": "s"}


def text(words: str, control: Fields | None = SHORT) -> Fields:
    return {"type": "text", "text": words, "cache_control": control}


def result(*content: Fields, control: Fields | None = None) -> Fields:
    made = {"type": "tool_result", "tool_use_id": "c", "content": list(content)}
    return made | {"cache_control": control}


def asked(*content: Fields, role: str = "user", **fields: Any) -> GenerateReplyRequest:
    messages = [{"role": role, "content": list(content)}] if content else []
    messages.append({"role": "user", "content": "End."})
    body = {"model": "demo/demo", "messages": messages, **fields}
    return request_of(*decode(json.dumps(body).encode(), AnthropicPrompt))


FIVE = [text(one) for one in "abcde"]


def keeps(request: GenerateReplyRequest) -> list[int]:
    return [part.keep for message in request.messages for part in message.parts]


@pytest.mark.parametrize(
    ("role", "block"),
    [
        ("user", text("Hi", LONG)),
        ("user", IMAGE | {"cache_control": LONG}),
        ("user", IMAGE | {"type": "document", "cache_control": LONG}),
        ("user", result(text("2", None), control=LONG)),
        # A result is one piece: what is marked within it is marked at its end, the longest first.
        ("user", result(text("2", LONG), text("3", SHORT))),
        ("assistant", text("Hi", LONG)),
        ("assistant", CALL | {"cache_control": {**LONG, "scope": "global"}}),
    ],
)
def test_a_block_is_marked(role: str, block: Fields) -> None:
    assert [reply_pb2.KEEP_LONG, 0] == keeps(asked(block, role=role))


@pytest.mark.parametrize("control", [SHORT, SHORT | {"ttl": "5m"}, SHORT | {"ttl": None}])
def test_it_is_kept_shortly_when_nothing_else_is_said(control: Fields) -> None:
    assert [reply_pb2.KEEP_SHORT, 0] == keeps(asked(text("Hi", control)))


def test_marks_stand_where_their_blocks_end_in_the_instruction() -> None:
    blocks = [text("世界", LONG), text("", None), text("Be kind.", None), text("End.")]
    told = {"role": "system", "content": [text("More.")]}
    messages = [{"role": "user", "content": "Hi"}, told]

    made = asked(system=blocks, messages=messages)

    assert "世界\n\nBe kind.\n\nEnd.\n\nMore." == made.system
    assert [
        ("世界", reply_pb2.KEEP_LONG),
        ("世界\n\nBe kind.\n\nEnd.", reply_pb2.KEEP_SHORT),
        (made.system, reply_pb2.KEEP_SHORT),
    ] == [(made.system[: mark.end], mark.keep) for mark in made.system_marks]


def test_a_tool_is_marked() -> None:
    made = asked(tools=[TOOL, TOOL | {"name": "b", "cache_control": LONG}])
    assert [0, reply_pb2.KEEP_LONG] == [tool.keep for tool in made.tools]


def test_what_goes_as_it_came_keeps_its_marks() -> None:
    tool = TOOL | {"defer_loading": True, "cache_control": SHORT}
    options = MessageToDict(asked(tools=[tool]).provider_options)
    assert SHORT == options["tools"][0]["cache_control"]


def test_the_mark_of_a_body_is_that_of_its_last_block() -> None:
    assert [0, reply_pb2.KEEP_LONG] == keeps(asked(text("Hi", None), cache_control=LONG))
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [text("Yes", SHORT), THOUGHT]},
    ]
    assert [0, reply_pb2.KEEP_SHORT, 0] == keeps(asked(messages=said, cache_control=SHORT))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"system": [text("a", {"type": "persistent"})]}, "persistent"),
        ({"system": [text("a", SHORT | {"ttl": "2h"})]}, "2h"),
        ({"system": [text("a", SHORT | {"years": 2})]}, "years"),
        ({"system": [text("")]}, "empty text blocks"),
        ({"cache_control": True}, "cache_control"),
        ({"messages": [{"role": "user", "content": [text("")]}]}, "empty text blocks"),
        (
            {"messages": [{"role": "assistant", "content": [THOUGHT | {"cache_control": SHORT}]}]},
            "null",
        ),
        ({"system": FIVE}, "A maximum of 4 .* Found 5"),
        ({"system": [text(one) for one in "abcd"], "cache_control": SHORT}, "Found 5"),
        ({"messages": [{"role": "user", "content": [result(*FIVE)]}]}, "Found 5"),
        (
            {
                "system": [text("a"), text("b")],
                "tools": [TOOL | {"cache_control": SHORT}] * 2,
                "messages": [{"role": "user", "content": [text("c")]}],
            },
            "Found 5",
        ),
        (
            {"messages": [{"role": "user", "content": [text("a", LONG)]}], "cache_control": SHORT},
            "ttl",
        ),
    ],
)
def test_marks_that_the_dialect_does_not_know_are_refused(fields: Fields, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        asked(**fields)


def test_four_marks_are_taken() -> None:
    four = [text(one) for one in "abcd"]
    assert 4 == len(asked(system=four).system_marks)
    last = [{"role": "user", "content": four}]
    assert [1] * 4 == keeps(asked(messages=last, cache_control=SHORT))
