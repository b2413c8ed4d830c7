"""Messages go out as the turns and blocks that the vendor takes."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest
from parley_provider_anthropic import blocks
from parley_provider_sdk import (
    BadRequest,
    FilePart,
    ImagePart,
    Keep,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

pytestmark = pytest.mark.unit


def content(*parts: Part, role: Role = Role.USER, origin: str = "here") -> Any:
    """Returns the content of the only message."""
    (message,) = blocks.messages([Message(role, parts)], origin)
    return message["content"]


def roles(messages: Sequence[Message]) -> list[str]:
    return [one["role"] for one in blocks.messages(messages, "here")]


def test_a_single_text_is_a_plain_text() -> None:
    assert "Hi" == content(TextPart("Hi"))


def test_images_and_pdfs_go_in_base64() -> None:
    data = b64encode(b"\x00\xff").decode()
    assert [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": data},
        },
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/gif", "data": data},
        },
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": data},
            "title": "a.pdf",
        },
    ] == content(
        ImagePart("image/png", b"\x00\xff"),
        FilePart("image/gif", b"\x00\xff", "a.gif"),
        FilePart("application/pdf", b"\x00\xff", "a.pdf"),
    )


@pytest.mark.parametrize("media_type", ["text/markdown", "application/json", ""])
def test_whatever_is_text_goes_as_text(media_type: str) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "世界"}
    assert [{"type": "document", "source": source}] == content(
        FilePart(media_type, "世界".encode())
    )


@pytest.mark.parametrize(
    ("media_type", "named"), [("application/zip", "application/zip"), ("", "unknown")]
)
def test_a_file_that_is_neither_is_refused(media_type: str, named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        content(FilePart(media_type, b"PK\xff"))


def test_results_come_first_and_say_when_they_are_errors() -> None:
    assert [
        {"type": "tool_result", "tool_use_id": "c1", "content": "2"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "no", "is_error": True},
        {"type": "text", "text": "Go on."},
    ] == content(
        TextPart("Go on."),
        ToolResultPart("c1", "2"),
        ToolResultPart("c2", "no", is_error=True),
    )


def test_roles_take_turns() -> None:
    call = Message(Role.ASSISTANT, [ToolCallPart("c1", "a", ""), ToolCallPart("c2", "b", "")])
    messages = [
        Message(Role.USER, [TextPart("a")]),
        Message(Role.USER, [TextPart("b")]),
        call,
        Message(Role.TOOL, [ToolResultPart("c1", "1")]),
        Message(Role.TOOL, [ToolResultPart("c2", "2")]),
        Message(Role.USER, [TextPart("c")]),
    ]
    assert ["user", "assistant", "user"] == roles(messages)
    last = blocks.messages(messages, "here")[-1]["content"]
    assert ["tool_result", "tool_result", "text"] == [one["type"] for one in last]


def test_blank_texts_and_empty_messages_are_left_out() -> None:
    messages = [
        Message(Role.USER, [TextPart("a")]),
        Message(Role.ASSISTANT, [TextPart(" \n")]),
        Message(Role.USER, [TextPart("b"), TextPart("")]),
    ]
    assert ["user"] == roles(messages)


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a":1}', {"a": 1}),
        ("", {}),
        ("[1]", {"arguments": [1]}),
        ('{"half', {"arguments": '{"half'}),
    ],
)
def test_arguments_are_an_object_even_when_the_model_wrote_none(
    arguments: str, given: dict[str, Any]
) -> None:
    call = {"type": "tool_use", "id": "c1", "name": "add", "input": given}
    assert [call] == content(ToolCallPart("c1", "add", arguments), role=Role.ASSISTANT)


def test_reasoning_goes_back_as_it_came() -> None:
    parts = (
        ReasoningPart("Hm.", blocks.signed("sig", "here")),
        ReasoningPart("", blocks.redacted("secret", "here")),
        ReasoningPart("", blocks.signed("empty", "here")),
        TextPart("Yes."),
    )
    assert [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "", "signature": "empty"},
        {"type": "text", "text": "Yes."},
    ] == content(*parts, role=Role.ASSISTANT)


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"{half",
        b"[]",
        b'{"google":{"thought_signature":"x"}}',
        b'{"anthropic":"x"}',
        b'{"anthropic":{"signature":"x"}}',
        b'{"anthropic":{"signature":7,"from":"here"}}',
    ],
)
def test_reasoning_of_another_vendor_is_left_out(metadata: bytes) -> None:
    parts = (ReasoningPart("Hm.", metadata), TextPart("Yes."))
    assert "Yes." == content(*parts, role=Role.ASSISTANT)


def test_reasoning_of_another_server_is_left_out() -> None:
    parts = (
        ReasoningPart("Hm.", blocks.signed("s", "there")),
        ReasoningPart("", blocks.redacted("d", "there")),
        ReasoningPart("", blocks.redacted("d", "")),
        TextPart("Yes."),
    )
    for origin in ("here", ""):
        assert "Yes." == content(*parts, role=Role.ASSISTANT, origin=origin)


def test_unsigned_reasoning_goes_back_too() -> None:
    given = content(ReasoningPart("Hm.", blocks.signed("", "here")), role=Role.ASSISTANT)
    assert [{"type": "thinking", "thinking": "Hm.", "signature": ""}] == given


@pytest.mark.parametrize(
    ("role", "part"),
    [
        (Role.USER, ToolCallPart("c1", "add", "{}")),
        (Role.USER, ReasoningPart("Hm.")),
        (Role.ASSISTANT, ToolResultPart("c1", "2")),
        (Role.ASSISTANT, ImagePart("image/png", b"")),
    ],
)
def test_a_part_in_the_wrong_place_is_refused(role: Role, part: Part) -> None:
    with pytest.raises(BadRequest, match=type(part).__name__):
        content(part, role=role)


def test_marks_go_with_their_blocks() -> None:
    long, short = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}
    image = ImagePart("", b"", url="https://example.com/a", keep=Keep.LONG)
    file = FilePart("text/plain", b"a", keep=Keep.SHORT)
    result = ToolResultPart("c", "2", keep=Keep.LONG)
    made = content(TextPart("Hi", keep=Keep.SHORT), image, file, result, TextPart("End"))
    assert [
        ("tool_result", long),
        ("text", short),
        ("image", long),
        ("document", short),
        ("text", None),
    ] == [(one["type"], one.get("cache_control")) for one in made]
    call = ToolCallPart("c", "add", "{}", keep=Keep.SHORT)
    assert short == content(call, role=Role.ASSISTANT)[0]["cache_control"]
    assert [{"type": "text", "text": "Hi", "cache_control": long}] == content(
        TextPart("Hi", keep=Keep.LONG)
    )
