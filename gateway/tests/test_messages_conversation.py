"""Anthropic's messages as the contract's, row by row, and metadata on its way back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.messages.body import AnthropicPrompt
from parley_gateway.api.dialects.messages.carried import Owner, read, written
from parley_gateway.api.dialects.messages.request import request_of
from parley_gateway.api.dialects.opaque import wrapped
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import GenerateReplyRequest

pytestmark = pytest.mark.unit

Fields = dict[str, Any]
SIGNED = b'{"anthropic":{"signature":"abc"}}'
DATA = base64.b64encode(b"bytes").decode()
PICTURE: Fields = {"type": "base64", "media_type": "image/png", "data": DATA}
PDF: Fields = {"type": "base64", "media_type": "application/pdf", "data": DATA}
TEXT: Fields = {"type": "text", "media_type": "text/plain", "data": "words"}
WEB: Fields = {"type": "url", "url": "https://example.com/a"}
CALL: Fields = {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}
CALLED: Fields = {
    "tool_call": {"tool_call_id": "c1", "name": "add", "arguments": '{"a":1}'},
}


def text(words: str) -> Fields:
    return {"type": "text", "text": words}


def redacted(data: str) -> Fields:
    return {"type": "redacted_thinking", "data": data}


def asked(*messages: Fields) -> GenerateReplyRequest:
    body = {"model": "demo/demo", "messages": list(messages)}
    return request_of(*decode(json.dumps(body).encode(), AnthropicPrompt))


def told(role: str, content: Any) -> list[tuple[str, list[Fields]]]:
    """What one message becomes, before one that always says something."""
    request = asked({"role": role, "content": content}, {"role": "user", "content": "End."})
    made = MessageToDict(request, preserving_proto_field_name=True)["messages"]
    return [(message["role"].removeprefix("ROLE_"), message["parts"]) for message in made[:-1]]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (text("Hi"), {"text": "Hi"}),
        (text("Hi") | {"cache_control": None, "citations": None}, {"text": "Hi"}),
        (
            {"type": "image", "source": PICTURE, "cache_control": None},
            {"image": {"media_type": "image/png", "data": DATA}},
        ),
        ({"type": "image", "source": WEB}, {"image": {"url": "https://example.com/a"}}),
        (
            {"type": "document", "source": PDF, "title": "a.pdf", "citations": {"enabled": False}},
            {"file": {"media_type": "application/pdf", "data": DATA, "name": "a.pdf"}},
        ),
        (
            {"type": "document", "source": WEB},
            {"file": {"media_type": "application/pdf", "url": "https://example.com/a"}},
        ),
        (
            {"type": "document", "source": TEXT},
            {
                "file": {
                    "media_type": "text/plain",
                    "data": base64.b64encode(b"words").decode(),
                }
            },
        ),
    ],
)
def test_a_users_block_is_a_part(block: Fields, part: Fields) -> None:
    assert [("USER", [part])] == told("user", [block])


def test_what_is_said_of_a_document_stands_before_it() -> None:
    [(_, parts)] = told("user", [{"type": "document", "source": PDF, "context": "A bill."}])

    assert [["text"], ["file"]] == [list(part) for part in parts]


def test_a_text_alone_is_a_message() -> None:
    assert [("USER", [{"text": "Hi"}])] == told("user", "Hi")
    assert [("ASSISTANT", [{"text": "Hi"}])] == told("assistant", "Hi")


@pytest.mark.parametrize("content", ["", [], [text("")]])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_that_says_nothing_is_none(role: str, content: Any) -> None:
    assert [] == told(role, content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("3", {"content": "3"}),
        (None, {}),
        ([text("3"), text("4")], {"content": "3\n\n4"}),
        (
            [{"type": "image", "source": PICTURE}, text("A picture.")],
            {"content": "A picture.", "images": [{"media_type": "image/png", "data": DATA}]},
        ),
        ([{"type": "document", "source": TEXT, "title": "Report"}], {"content": "Report\n\nwords"}),
    ],
)
def test_a_tools_result_is_a_message_of_its_own(content: Any, expected: Fields) -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": content}
    failed = {"type": "tool_result", "tool_use_id": "c2", "is_error": True}

    made = told("user", [result, failed, text("Go on.")])

    answered = {"tool_result": {"tool_call_id": "c1", **expected}}
    broken = {"tool_result": {"tool_call_id": "c2", "is_error": True}}
    assert [("TOOL", [answered, broken]), ("USER", [{"text": "Go on."}])] == made


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        (CALL, [CALLED]),
        (CALL | {"caller": {"type": "direct"}, "toolset_name": None}, [CALLED]),
        (
            CALL | {"input": {"INVALID_JSON": '{"a":'}},
            [{"tool_call": CALLED["tool_call"] | {"arguments": '{"a":'}}],
        ),
        (
            {"type": "thinking", "thinking": "Hm.", "signature": wrapped(SIGNED)},
            [{"reasoning": "Hm.", "provider_metadata": base64.b64encode(SIGNED).decode()}],
        ),
        ({"type": "thinking", "thinking": "Hm.", "signature": "foreign"}, [{"reasoning": "Hm."}]),
        ({"type": "thinking", "thinking": "Hm."}, [{"reasoning": "Hm."}]),
        ({"type": "thinking", "thinking": "", "signature": ""}, []),
        (
            redacted(written(Owner.THINKING, SIGNED)),
            [{"reasoning": "", "provider_metadata": base64.b64encode(SIGNED).decode()}],
        ),
        (redacted("foreign"), []),
        (redacted("text:foreign"), []),
    ],
)
def test_a_models_block_is_a_part(block: Fields, parts: list[Fields]) -> None:
    made = told("assistant", [text("Well,"), block])

    assert [("ASSISTANT", [{"text": "Well,"}, *parts])] == made


def test_metadata_comes_back_to_what_it_belongs_to() -> None:
    content = [
        text("One."),
        redacted(written(Owner.TEXT, b'"1"')),
        text("Two."),
        redacted(written(Owner.BLANK, b'"blank"')),
        CALL | {"id": "a:b"},
        CALL | {"id": "c2"},
        redacted(written(Owner.CALL, b'"call"', "a:b")),
        # Its call is gone: what belongs to it is no use to anybody else.
        redacted(written(Owner.CALL, b'"lost"', "c3")),
    ]

    request = asked({"role": "assistant", "content": content}, {"role": "user", "content": "End."})

    assert [
        ("text", b'"1"'),
        ("text", b""),
        ("text", b'"blank"'),
        ("tool_call", b'"call"'),
        ("tool_call", b""),
    ] == [(part.WhichOneof("kind"), part.provider_metadata) for part in request.messages[0].parts]


@pytest.mark.parametrize("owner", list(Owner))
def test_what_is_carried_is_read_again(owner: Owner) -> None:
    call_id = "call:1" if owner is Owner.CALL else ""

    assert (owner, call_id, SIGNED) == read(written(owner, SIGNED, call_id))


@pytest.mark.parametrize("data", ["", "x", ":", "else:parley1.e30=", "parley1.%"])
def test_what_others_wrote_carries_nothing(data: str) -> None:
    assert b"" == read(data).metadata


def test_instructions_of_any_place_are_joined() -> None:
    request = asked(
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": [text("Be kind."), text("")]},
    )

    assert ("Be brief.\n\nBe kind.", 1) == (request.system, len(request.messages))


def test_the_beginning_of_a_reply_stays_the_last_message() -> None:
    request = asked(
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is ("}
    )

    assert "The answer is (" == request.messages[-1].parts[0].text


@pytest.mark.parametrize(
    ("role", "block", "field"),
    [
        ("user", {"type": "search_result"}, "messages[0].content[0].type"),
        ("user", {"type": "container_upload"}, "messages[0].content[0].type"),
        ("user", CALL, "messages[0].content[0].type"),
        ("user", {"type": "thinking", "thinking": ""}, "messages[0].content[0].type"),
        ("assistant", {"type": "server_tool_use"}, "messages[0].content[0].type"),
        ("assistant", {"type": "image", "source": PICTURE}, "messages[0].content[0].type"),
        ("user", text("Hi") | {"tone": "kind"}, "messages[0].content[0]"),
        ("user", {"text": "Hi"}, "messages[0].content[0]"),
        (
            "user",
            {"type": "image", "source": PICTURE | {"media_type": "image/tiff"}},
            "messages[0].content[0].source.media_type",
        ),
        (
            "user",
            {"type": "image", "source": PICTURE | {"data": "%"}},
            "messages[0].content[0].source.data",
        ),
        (
            "user",
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            "messages[0].content[0].source.type",
        ),
        (
            "user",
            {"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}},
            "messages[0].content[0].source.url",
        ),
        (
            "user",
            {"type": "document", "source": PDF, "citations": {"enabled": True}},
            "messages[0].content[0].citations.enabled",
        ),
        (
            "user",
            {"type": "image", "source": PICTURE, "transformations": {"oversized": "crop"}},
            "messages[0].content[0].transformations",
        ),
        (
            "user",
            {
                "type": "tool_result",
                "tool_use_id": "c1",
                "content": [{"type": "document", "source": PDF}],
            },
            "messages[0].content[0].content[0].source.type",
        ),
        (
            "user",
            {"type": "document", "source": TEXT | {"data": ""}},
            "messages[0].content[0].source.data",
        ),
        (
            "assistant",
            CALL | {"caller": {"type": "code_execution_20250825"}},
            "messages[0].content[0].caller.type",
        ),
    ],
)
def test_what_is_not_taken_is_named(role: str, block: Fields, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        told(role, [block])

    assert [field] == [violation.field for violation in refused.value.violations]
