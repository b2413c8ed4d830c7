"""Our types become the items of `/responses` and back, piece by piece."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from parley_provider_openai.responses.translate import (
    body,
    counted,
    encode,
    finish_reason,
    kept,
    usage,
)
from parley_provider_sdk import (
    BadRequest,
    Effort,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    OutputFormat,
    Part,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    ToolResultPart,
    UnsupportedParameter,
    Usage,
)

pytestmark = pytest.mark.unit

ENCRYPTED = ["reasoning.encrypted_content"]
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "gAAA",
}


def said(role: Role, *parts: Part) -> list[Any]:
    """Returns the vendor's items for one message of ours."""
    return list(body(ReplyRequest("m", [Message(role, parts)]))["input"])


def test_plain_text_is_a_plain_message() -> None:
    assert said(Role.USER, TextPart("Hi 世界")) == [{"role": "user", "content": "Hi 世界"}]
    assert said(Role.ASSISTANT, TextPart("a"), TextPart("b")) == [
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "b"},
    ]


def test_images_and_files_are_data_urls() -> None:
    image = ImagePart("image/png", b"\x00\xff")
    file = FilePart("application/pdf", b"%PDF")
    assert said(Role.USER, TextPart("See"), image, file) == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AP8=",
                    "detail": "auto",
                },
                {
                    "type": "input_file",
                    "filename": "file",
                    "file_data": "data:application/pdf;base64,JVBERg==",
                },
            ],
        }
    ]


def test_calls_and_their_outputs_are_items() -> None:
    assert said(Role.ASSISTANT, TextPart("Let me."), ToolCallPart("c1", "add", '{"a":1}')) == [
        {"role": "assistant", "content": "Let me."},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
    ]
    output = {"type": "function_call_output", "call_id": "c1", "output": "2"}
    assert said(Role.TOOL, ToolResultPart("c1", "2")) == [output]
    assert said(Role.USER, TextPart("And?"), ToolResultPart("c1", "2")) == [
        output,
        {"role": "user", "content": "And?"},
    ]


def test_reasoning_goes_back_as_it_came() -> None:
    metadata = kept({**REASONING, "status": None, "content": None})
    assert said(Role.ASSISTANT, ReasoningPart("edited", metadata), TextPart("Yes.")) == [
        REASONING,
        {"role": "assistant", "content": "Yes."},
    ]


def test_a_model_that_cannot_reason_is_given_no_reasoning() -> None:
    parts: list[Part] = [ReasoningPart("hm", kept(REASONING)), TextPart("Yes.")]
    request = ReplyRequest("gpt-4o", [Message(Role.ASSISTANT, parts)])
    assert body(request)["input"] == [{"role": "assistant", "content": "Yes."}]


def test_a_phase_goes_back() -> None:
    metadata = kept({"type": "message", "id": "msg_1", "phase": "commentary", "content": []})
    assert said(Role.ASSISTANT, TextPart("So.", metadata)) == [
        {"type": "message", "role": "assistant", "content": "So.", "phase": "commentary"}
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "phase": None},
        {**REASONING, "encrypted_content": None},
        {"type": "function_call", "id": "fc_1"},
        {"type": "novel"},
        {},
    ],
)
def test_what_need_not_go_back_is_not_kept(item: dict[str, Any]) -> None:
    assert kept(item) == b""


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"no json",
        b"[]",
        b'{"signature":"abc"}',
        b'{"type":"thinking","encrypted_content":"x"}',
        b'{"type":"reasoning"}',
    ],
)
def test_what_another_vendor_thought_stays_behind(metadata: bytes) -> None:
    parts = (ReasoningPart("hm", metadata), TextPart("Yes.", metadata))
    assert said(Role.ASSISTANT, *parts) == [{"role": "assistant", "content": "Yes."}]


def test_what_a_role_cannot_hold() -> None:
    with pytest.raises(BadRequest, match="ToolCallPart"):
        said(Role.USER, ToolCallPart("c", "n", ""))
    assert said(Role.ASSISTANT, ImagePart("image/png", b"")) == []


def test_what_is_not_asked_for_is_not_sent() -> None:
    assert body(ReplyRequest("m", (), stream=False)) == {
        "model": "m",
        "input": [],
        "store": False,
        "include": ENCRYPTED,
    }


def test_models_that_cannot_reason_are_not_asked_for_it() -> None:
    assert "include" not in body(ReplyRequest("gpt-4o", ()))


def test_every_field_has_its_name() -> None:
    request = ReplyRequest(
        "m",
        (),
        system="Be brief.",
        temperature=0.0,
        top_p=0.5,
        max_tokens=9,
        tools=[Tool("now")],
        parallel_tool_calls=False,
        reasoning_effort=Effort.LOW,
        output=OutputFormat(),
    )
    made = body(request)
    del made["tools"]
    assert made == {
        "model": "m",
        "input": [],
        "instructions": "Be brief.",
        "temperature": 0.0,
        "top_p": 0.5,
        "max_output_tokens": 9,
        "parallel_tool_calls": False,
        "reasoning": {"summary": "auto", "effort": "low"},
        "text": {"format": {"type": "json_object"}},
        "stream": True,
        "store": False,
        "include": ENCRYPTED,
    }


@pytest.mark.parametrize(
    ("name", "request_"),
    [("stop", ReplyRequest("m", (), stop=["a"])), ("seed", ReplyRequest("m", (), seed=0))],
)
def test_what_the_wire_has_no_field_for_is_refused(name: str, request_: ReplyRequest) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        encode(request_)
    assert caught.value.parameter == name


def test_options_pass_but_change_nothing_that_has_a_name() -> None:
    options = {
        "model": "other",
        "store": True,
        "include": ["novel", *ENCRYPTED],
        "text": {"verbosity": "low"},
        "reasoning": {"summary": "detailed", "effort": "high"},
    }
    plain = ReplyRequest("m", (), provider_options=options, stream=False)
    asked = replace(plain, output=OutputFormat(), reasoning_effort=Effort.LOW)
    assert body(asked) == {
        "model": "m",
        "input": [],
        "store": True,
        "include": ["novel", *ENCRYPTED],
        "text": {"verbosity": "low", "format": {"type": "json_object"}},
        "reasoning": {"summary": "detailed", "effort": "low"},
    }
    made = body(plain)
    assert (made["text"], made["reasoning"]) == (options["text"], options["reasoning"])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice(), None),
        (ToolChoice(ToolMode.NONE), "none"),
        (ToolChoice(ToolMode.REQUIRED), "required"),
        (ToolChoice(ToolMode.NAMED, "now"), {"type": "function", "name": "now"}),
    ],
)
def test_a_choice_of_tools(choice: ToolChoice, expected: object) -> None:
    made = body(ReplyRequest("m", (), tools=[Tool("now")], tool_choice=choice))
    assert made.get("tool_choice") == expected
    assert "tool_choice" not in body(ReplyRequest("m", (), tool_choice=choice))


def test_a_tool_keeps_its_schema() -> None:
    tools = [Tool("add", "Adds.", '{"type":"object"}', strict=True), Tool("now")]
    assert body(ReplyRequest("m", (), tools=tools))["tools"] == [
        {
            "type": "function",
            "name": "add",
            "description": "Adds.",
            "parameters": {"type": "object"},
            "strict": True,
        },
        {
            "type": "function",
            "name": "now",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
    ]


def test_a_schema_has_a_name_and_may_be_strict() -> None:
    output = OutputFormat('{"type":"object"}', "sum")
    assert body(ReplyRequest("m", (), output=output))["text"] == {
        "format": {
            "type": "json_schema",
            "name": "sum",
            "strict": True,
            "schema": {"type": "object"},
        }
    }


@pytest.mark.parametrize(
    "request_",
    [
        ReplyRequest("m", [Message(Role.USER, [TextPart("\ud800")])]),
        ReplyRequest("m", (), tools=[Tool("t", "", "{")]),
        ReplyRequest("m", (), output=OutputFormat("{")),
    ],
)
def test_what_cannot_be_sent_is_refused(request_: ReplyRequest) -> None:
    with pytest.raises(BadRequest):
        encode(request_)


def test_only_what_costs_tokens_is_counted() -> None:
    request = ReplyRequest("m", (), system="Be brief.", temperature=1, max_tokens=9)
    assert counted(request) == {"model": "m", "input": [], "instructions": "Be brief."}


def test_counts_are_read_with_their_details() -> None:
    counts = {
        "input_tokens": 9,
        "output_tokens": 5,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    assert usage(counts) == Usage(9, 5, 4, 3, cache_write_tokens=2)
    assert usage(None) is None


@pytest.mark.parametrize(
    ("response", "refused", "called", "reason"),
    [
        ({"status": "completed"}, False, False, FinishReason.STOP),
        ({"status": "completed"}, False, True, FinishReason.TOOL),
        ({"status": "completed"}, True, False, FinishReason.REFUSAL),
        ("max_output_tokens", False, True, FinishReason.LENGTH),
        ("content_filter", True, False, FinishReason.FILTERED),
        ("novel", False, False, FinishReason.OTHER),
        ({"status": "incomplete"}, False, False, FinishReason.OTHER),
    ],
)
def test_reasons_have_our_names(
    response: Any, refused: bool, called: bool, reason: FinishReason
) -> None:
    if isinstance(response, str):
        response = {"status": "incomplete", "incomplete_details": {"reason": response}}
    assert finish_reason(response, refused=refused, called=called) == reason


def test_a_body_is_json() -> None:
    assert orjson.loads(encode(ReplyRequest("m", ())))["model"] == "m"
