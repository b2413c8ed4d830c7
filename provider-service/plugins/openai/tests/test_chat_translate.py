"""Our types become the vendor's and back, piece by piece."""

from typing import Any

import orjson
import pytest
from parley_provider_openai.chat.translate import body, encode, finish_reason, larger, usage
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
    Usage,
    UsageSource,
)
from parley_provider_sdk.reading import estimate

pytestmark = pytest.mark.unit


def said(role: Role, *parts: Part) -> list[Any]:
    """Returns the vendor's messages for one of ours."""
    request = ReplyRequest("m", [Message(role, parts)])
    return list(body(request, own=True)["messages"])


def test_plain_text_is_a_plain_string() -> None:
    assert said(Role.USER, TextPart("Hi 世界")) == [{"role": "user", "content": "Hi 世界"}]
    assert said(Role.ASSISTANT, TextPart("a"), TextPart("b")) == [
        {"role": "assistant", "content": "ab"}
    ]


def test_images_and_files_are_data_urls() -> None:
    image = ImagePart("image/png", b"\x00\xff")
    file = FilePart("application/pdf", b"%PDF", "a.pdf")
    assert said(Role.USER, TextPart("See"), image, file) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "See"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AP8="}},
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,JVBERg==",
                    },
                },
            ],
        }
    ]


def test_tool_calls_and_results_keep_their_ids() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    assert said(Role.ASSISTANT, ToolCallPart("c1", "add", '{"a":1}')) == [
        {"role": "assistant", "tool_calls": [call]}
    ]
    for role in (Role.TOOL, Role.USER):
        assert said(role, ToolResultPart("c1", "2"), ToolResultPart("c2", "3")) == [
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
            {"role": "tool", "tool_call_id": "c2", "content": "3"},
        ]


def test_reasoning_stays_behind() -> None:
    assert said(Role.ASSISTANT, ReasoningPart("hm"), TextPart("Yes.")) == [
        {"role": "assistant", "content": "Yes."}
    ]


def test_a_users_message_cannot_call_a_tool() -> None:
    with pytest.raises(BadRequest, match="ToolCallPart"):
        said(Role.USER, ToolCallPart("c", "n", ""))


@pytest.mark.parametrize(("own", "name"), [(True, "max_completion_tokens"), (False, "max_tokens")])
def test_the_limit_has_the_name_that_the_server_knows(own: bool, name: str) -> None:
    assert body(ReplyRequest("m", (), max_tokens=5), own=own)[name] == 5


def test_what_is_not_asked_for_is_not_sent() -> None:
    request = ReplyRequest("m", (), stream=False)
    assert body(request, own=True) == {"model": "m", "messages": []}


def test_zero_is_zero() -> None:
    assert body(ReplyRequest("m", (), temperature=0.0), own=True)["temperature"] == 0


def test_options_pass_but_change_nothing_that_has_a_name() -> None:
    options = {"n": 1, "stream": False, "model": "other", "stream_options": None}
    made = body(ReplyRequest("m", (), provider_options=options), own=True)
    assert made == {"n": 1, "stream": True, "model": "m", "messages": [], "stream_options": None}


def test_a_tool_keeps_its_schema() -> None:
    request = ReplyRequest(
        "m", (), tools=[Tool("add", "Adds.", '{"type":"object"}'), Tool("now", strict=True)]
    )
    assert body(request, own=True)["tools"] == [
        {
            "type": "function",
            "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
        },
        {"type": "function", "function": {"name": "now", "strict": True}},
    ]


def test_every_field_has_its_name() -> None:
    request = ReplyRequest(
        "m",
        (),
        stop=("a", "b"),
        top_p=0.5,
        seed=0,
        tools=[Tool("now")],
        parallel_tool_calls=False,
        reasoning_effort=Effort.XHIGH,
        stream=False,
    )
    made = body(request, own=False)
    del made["tools"]
    assert made == {
        "model": "m",
        "messages": [],
        "stop": ["a", "b"],
        "top_p": 0.5,
        "seed": 0,
        "parallel_tool_calls": False,
        "reasoning_effort": "xhigh",
    }


@pytest.mark.parametrize(("own", "effort"), [(True, "high"), (False, "xhigh")])
def test_only_openais_own_models_have_known_efforts(own: bool, effort: str) -> None:
    request = ReplyRequest("o3", (), reasoning_effort=Effort.XHIGH)
    assert body(request, own=own)["reasoning_effort"] == effort


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice(), None),
        (ToolChoice(ToolMode.NONE), "none"),
        (ToolChoice(ToolMode.REQUIRED), "required"),
        (
            ToolChoice(ToolMode.NAMED, "now"),
            {"type": "function", "function": {"name": "now"}},
        ),
    ],
)
def test_a_choice_of_tools(choice: ToolChoice, expected: object) -> None:
    request = ReplyRequest("m", (), tools=[Tool("now")], tool_choice=choice)
    assert body(request, own=False).get("tool_choice") == expected


def test_without_tools_nothing_is_said_of_them() -> None:
    choice = ToolChoice(ToolMode.NONE)
    request = ReplyRequest("m", (), tool_choice=choice, parallel_tool_calls=True, stream=False)
    assert body(request, own=True) == {"model": "m", "messages": []}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (OutputFormat(), {"type": "json_object"}),
        (
            OutputFormat('{"type":"object"}', "sum", strict=False),
            {
                "type": "json_schema",
                "json_schema": {"name": "sum", "strict": False, "schema": {"type": "object"}},
            },
        ),
    ],
)
def test_an_output_format(output: OutputFormat, expected: object) -> None:
    assert body(ReplyRequest("m", (), output=output), own=True)["response_format"] == expected


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
        encode(request_, own=True)


def test_counts_are_read_with_their_details() -> None:
    counts = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert usage(counts) == Usage(9, 5, 4, 3, cache_write_tokens=2)


def test_counts_left_out_are_zero() -> None:
    assert usage({"prompt_tokens": 3, "completion_tokens_details": None}) == Usage(3, 0)


@pytest.mark.parametrize("counts", [None, "many", 7, {}, {"prompt_tokens": 0}])
def test_what_counts_nothing_is_no_count(counts: object) -> None:
    assert usage(counts) is None


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        (None, None, None),
        (Usage(1, 2), None, Usage(1, 2)),
        (None, Usage(1, 2), Usage(1, 2)),
        (Usage(9, 0, 4, 0), Usage(0, 7, 0, 3), Usage(9, 7, 4, 3)),
    ],
)
def test_counts_in_two_places_are_joined(
    known: Usage | None, new: Usage | None, expected: Usage | None
) -> None:
    assert larger(known, new) == expected


def test_an_estimate_is_a_token_for_four_bytes() -> None:
    request = ReplyRequest("m", [Message(Role.USER, [TextPart("世界!")])], system="Be kind.")
    assert estimate(request, 5) == Usage(4 + 4, 2, source=UsageSource.ESTIMATED)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL),
        ("function_call", FinishReason.TOOL),
        ("content_filter", FinishReason.FILTERED),
        ("eos", FinishReason.STOP),
        ("eos_token", FinishReason.STOP),
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL),
        ("something new", FinishReason.OTHER),
    ],
)
def test_reasons_have_our_names(word: str, reason: FinishReason) -> None:
    assert finish_reason(word, refused=False, called=False) == reason


@pytest.mark.parametrize(
    ("word", "refused", "called", "reason"),
    [
        ("stop", True, False, FinishReason.REFUSAL),
        ("stop", False, True, FinishReason.TOOL),
        ("length", False, True, FinishReason.LENGTH),
        ("content_filter", True, False, FinishReason.FILTERED),
    ],
)
def test_what_was_said_decides_what_stop_means(
    word: str, refused: bool, called: bool, reason: FinishReason
) -> None:
    assert finish_reason(word, refused=refused, called=called) == reason


def test_a_body_is_json() -> None:
    assert orjson.loads(encode(ReplyRequest("m", ()), own=True))["model"] == "m"
