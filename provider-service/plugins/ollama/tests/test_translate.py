"""What we say on the wire, and what we make of what is said."""

from typing import Any

import orjson
import pytest
from parley_provider_ollama.translate import OWN, arguments, body, encode, finish_reason, usage
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
    UsageSource,
)

pytestmark = pytest.mark.unit

HI = Message(Role.USER, [TextPart("Hi")])
TOOL = Tool("add", "Adds.", '{"type":"object","properties":{"a":{"type":"integer"}}}')


def sent(*messages: Message, **changes: Any) -> dict[str, Any]:
    """Returns the body as it is sent, read again."""
    request = ReplyRequest("m", messages or (HI,), **changes)
    read: dict[str, Any] = orjson.loads(encode(request, num_ctx=8192))
    return read


def test_the_least_that_is_sent() -> None:
    expected = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": {"num_ctx": 8192},
    }
    assert expected == sent()


def test_options_have_their_names_here() -> None:
    made = sent(temperature=0.0, top_p=0.5, seed=7, max_tokens=9, stop=["a", "b"], stream=False)
    assert not made["stream"]
    assert {
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 7,
        "num_predict": 9,
        "stop": ["a", "b"],
        "num_ctx": 8192,
    } == made["options"]


def test_what_only_the_vendor_knows_passes_and_changes_nothing_else() -> None:
    given = {
        "options": {"top_k": 5, "num_ctx": 1, "seed": 1},
        "keep_alive": "1h",
        "truncate": True,
        "model": "other",
    }
    made = sent(provider_options=given, seed=2)
    assert {"top_k": 5, "num_ctx": 8192, "seed": 2} == made["options"]
    assert ("1h", False, "m") == (made["keep_alive"], made["truncate"], made["model"])


def test_a_model_stays_as_long_as_is_set_unless_the_request_says_else() -> None:
    request = ReplyRequest("m", [HI])
    assert "5m" == body(request, num_ctx=1, keep_alive="5m")["keep_alive"]
    other = ReplyRequest("m", [HI], provider_options={"keep_alive": 0})
    assert 0 == body(other, num_ctx=1, keep_alive="5m")["keep_alive"]


def test_the_system_prompt_comes_first() -> None:
    assert {"role": "system", "content": "Be brief."} == sent(system="Be brief.")["messages"][0]


def test_images_stand_beside_the_text() -> None:
    parts: list[Part] = [TextPart("What"), ImagePart("image/png", b"\x89PNG"), TextPart("is this?")]
    assert [{"role": "user", "content": "What\n\nis this?", "images": ["iVBORw=="]}] == sent(
        Message(Role.USER, parts)
    )["messages"]


@pytest.mark.parametrize("part", [FilePart("text/plain", b"x"), ReasoningPart("Hm.")])
def test_what_no_user_can_say_is_refused(part: Any) -> None:
    with pytest.raises(BadRequest, match=type(part).__name__):
        sent(Message(Role.USER, [TextPart("Hi"), part]))


def test_tools_their_calls_and_their_results() -> None:
    call = Message(Role.ASSISTANT, [ToolCallPart("c1", "add", '{"a": 1}')])
    results = [ToolResultPart("c1", "2"), ToolResultPart("c9", "odd"), ToolResultPart("", "none")]
    made = sent(HI, call, Message(Role.TOOL, results), tools=[TOOL, Tool("now")])
    assert [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "content": "2", "tool_name": "add", "tool_call_id": "c1"},
        {"role": "tool", "content": "odd", "tool_call_id": "c9"},
        {"role": "tool", "content": "none"},
    ] == made["messages"]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    function = {"name": "add", "description": "Adds.", "parameters": schema}
    nothing = {"name": "now", "parameters": {"type": "object", "properties": {}}}
    assert [
        {"type": "function", "function": function},
        {"type": "function", "function": nothing},
    ] == made["tools"]


def test_a_user_may_speak_beside_a_tools_result() -> None:
    parts: list[Part] = [TextPart("And?"), ToolResultPart("c1", "2")]
    assert ["tool", "user"] == [one["role"] for one in sent(Message(Role.USER, parts))["messages"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("{}", {}),
        ("[1]", {"arguments": [1]}),
        ('{"a":', {"arguments": '{"a":'}),
        ("not JSON", {"arguments": "not JSON"}),
    ],
)
def test_arguments_are_always_an_object(text: str, expected: object) -> None:
    made = sent(Message(Role.ASSISTANT, [ToolCallPart("c1", "add", text)]))
    assert expected == made["messages"][0]["tool_calls"][0]["function"]["arguments"]


def test_reasoning_goes_back_to_where_it_came_from_only() -> None:
    own: list[Part] = [
        ReasoningPart("Hm, ", OWN),
        ReasoningPart("so.", OWN),
        TextPart("4"),
        TextPart("2"),
    ]
    other: list[Part] = [
        ReasoningPart("Secret.", b'{"signature":"x"}'),
        ReasoningPart("None."),
        TextPart("7"),
    ]
    made = sent(Message(Role.ASSISTANT, own), Message(Role.ASSISTANT, other))["messages"]
    assert [
        {"role": "assistant", "content": "42", "thinking": "Hm, so."},
        {"role": "assistant", "content": "7"},
    ] == made


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        (Effort.NONE, False),
        (Effort.MINIMAL, "low"),
        (Effort.LOW, "low"),
        (Effort.MEDIUM, "medium"),
        (Effort.HIGH, "high"),
        (Effort.XHIGH, "high"),
    ],
)
def test_every_effort_has_its_word(effort: Effort, think: object) -> None:
    assert think == sent(reasoning_effort=effort)["think"]


def test_json_is_asked_for_with_a_schema_or_without() -> None:
    assert "json" == sent(output=OutputFormat())["format"]
    assert {"type": "array"} == sent(output=OutputFormat('{"type":"array"}'))["format"]


def test_no_tool_is_offered_when_none_may_be_called() -> None:
    assert "tools" not in sent(tools=[TOOL], tool_choice=ToolChoice(ToolMode.NONE))


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"tool_choice": ToolChoice(ToolMode.REQUIRED)}, "tool_choice"),
        ({"tool_choice": ToolChoice(ToolMode.NAMED, "add")}, "tool_choice"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
    ],
)
def test_what_the_wire_has_no_word_for_is_not_dropped(
    changes: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        sent(tools=[TOOL], **changes)
    assert parameter == caught.value.parameter
    assert "tools" not in sent(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"system": "\ud800"},
        {"tools": [Tool("t", parameters="{half")]},
        {"output": OutputFormat("{half")},
        {"provider_options": {"options": 7}},
        {"provider_options": {"keep_alive": object()}},
    ],
)
def test_what_cannot_be_sent_is_a_bad_request(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        sent(**changes)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"prompt_eval_count": 5, "eval_count": 3}, Usage(5, 3)),
        ({"prompt_eval_count": 5}, Usage(5, 2, source=UsageSource.ESTIMATED)),
        ({"eval_count": 3}, Usage(5, 3, source=UsageSource.ESTIMATED)),
        ({"prompt_eval_count": -1, "eval_count": "3"}, None),
        ({}, None),
    ],
)
def test_a_count_that_is_missing_is_estimated(line: dict[str, Any], expected: Usage | None) -> None:
    assert expected == usage(line, ReplyRequest("m", [HI]), 8)


@pytest.mark.parametrize(
    ("word", "called", "reason"),
    [
        ("stop", False, FinishReason.STOP),
        ("stop", True, FinishReason.TOOL),
        ("length", True, FinishReason.LENGTH),
        ("tool_calls", False, FinishReason.TOOL),
        ("load", False, FinishReason.OTHER),
        ("unload", False, FinishReason.OTHER),
        (None, False, FinishReason.STOP),
        ("", True, FinishReason.TOOL),
        ("teleported", True, FinishReason.OTHER),
        (["stop"], False, FinishReason.OTHER),
    ],
)
def test_why_it_stopped(word: object, called: bool, reason: FinishReason) -> None:
    assert reason == finish_reason(word, called=called)


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": "ü"}, '{"a":"ü"}'), (None, "{}"), ('{"a": 1}', '{"a": 1}'), ([], "[]")],
)
def test_arguments_become_text(value: object, text: str) -> None:
    assert text == arguments(value)
