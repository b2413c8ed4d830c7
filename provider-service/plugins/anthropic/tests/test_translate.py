"""Requests go out in the vendor's words."""

from typing import Any

import orjson
import pytest
from parley_provider_anthropic import translate
from parley_provider_anthropic.blocks import signed
from parley_provider_sdk import (
    BadRequest,
    Effort,
    FinishReason,
    Keep,
    Message,
    OutputFormat,
    ReasoningPart,
    ReplyRequest,
    Role,
    SystemMark,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    Usage,
)

pytestmark = pytest.mark.unit

HI = Message(Role.USER, [TextPart("Hi")])
THOUGHT = Message(
    Role.ASSISTANT,
    [ReasoningPart("Hm.", signed("s", "here")), TextPart("Yes.")],
)
ADD = Tool("add", "Adds.", '{"type":"object","properties":{"a":{"type":"integer"}}}')
SHOWN = {"type": "adaptive", "display": "summarized"}


def body(*, model: str = "claude-opus-4-6", **changes: Any) -> dict[str, Any]:
    request = ReplyRequest(model, changes.pop("messages", [HI]), **changes)
    return translate.body(request, "here")


def test_only_what_was_asked_for_is_said() -> None:
    assert {
        "model": "claude-opus-4-6",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 64_000,
        "stream": True,
    } == body()


def test_everything_has_its_name() -> None:
    made = body(
        model="claude-sonnet-4-20250514",
        system="Be brief.",
        temperature=0.0,
        top_p=0.5,
        max_tokens=9,
        stop=("END",),
        seed=7,
        stream=False,
    )
    assert {
        "model": "claude-sonnet-4-20250514",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 9,
        "system": "Be brief.",
        "temperature": 0.0,
        "top_p": 0.5,
        "stop_sequences": ["END"],
    } == made


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"model": "claude-opus-4-1", "temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0}),
        ({"model": "other", "temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"temperature": 0.0, "top_p": 0.5, "reasoning_effort": Effort.LOW}, {}),
        ({"temperature": 0.0, "top_p": 0.95, "reasoning_effort": Effort.LOW}, {"top_p": 0.95}),
        ({"temperature": 0.0, "reasoning_effort": Effort.NONE}, {"temperature": 0.0}),
        ({"temperature": 0.0, "provider_options": {"thinking": {"type": "adaptive"}}}, {}),
    ],
)
def test_sampling_says_what_goes_together(asked: dict[str, Any], said: dict[str, Any]) -> None:
    made = body(**asked)
    assert said == {name: made[name] for name in ("temperature", "top_p") if name in made}


def test_options_change_nothing_that_was_asked_for() -> None:
    made = body(provider_options={"model": "x", "top_k": 3, "metadata": {"user_id": "u"}})
    assert ("claude-opus-4-6", 3) == (made["model"], made["top_k"])
    assert {"user_id": "u"} == made["metadata"]


@pytest.mark.parametrize(
    ("model", "known", "most"),
    [
        ("claude-sonnet-5-5", None, 64_000),
        ("claude-sonnet-5-5", 128_000, 128_000),
        ("claude-sonnet-5-5", 0, 64_000),
        ("claude-opus-4-20250514", None, 32_000),
        ("claude-3-haiku-20240307", None, 4_096),
        ("deepseek-v4-pro", None, 8_192),
    ],
)
def test_a_limit_is_always_there(model: str, known: int | None, most: int) -> None:
    made = translate.body(ReplyRequest(model, [HI]), "here", known)
    assert most == made["max_tokens"]


def test_tools_have_a_schema_even_without_arguments() -> None:
    assert [
        {
            "name": "add",
            "description": "Adds.",
            "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}, "strict": True},
    ] == body(tools=[ADD, Tool("now", strict=True)])["tools"]


def test_a_tool_is_marked() -> None:
    marked = body(tools=[Tool("now", keep=Keep.LONG)])["tools"][0]
    assert {"type": "ephemeral", "ttl": "1h"} == marked["cache_control"]


@pytest.mark.parametrize(
    ("ends", "made"),
    [
        ([], "a\n\nb\n\n "),
        ([(1, Keep.LONG)], [("a", "1h"), ("\n\nb\n\n ", None)]),
        ([(1, Keep.LONG), (4, Keep.SHORT)], [("a", "1h"), ("\n\nb", "5m")]),
        # What is blank the vendor refuses: it goes with what follows, and its mark before it.
        ([(3, Keep.SHORT)], [("a\n\n", "5m"), ("b\n\n ", None)]),
        ([(1, Keep.SHORT), (3, Keep.LONG)], [("a", "1h"), ("\n\nb\n\n ", None)]),
        ([(1, Keep.LONG), (3, Keep.SHORT)], [("a", "1h"), ("\n\nb\n\n ", None)]),
        ([(7, Keep.SHORT)], [("a\n\nb\n\n ", "5m")]),
    ],
)
def test_an_instruction_is_cut_where_it_is_marked(ends: list[tuple[int, Keep]], made: Any) -> None:
    marks = [SystemMark(*one) for one in ends]
    system = body(system="a\n\nb\n\n ", system_marks=marks)["system"]
    if isinstance(system, list):
        marked = [(one["text"], one.get("cache_control")) for one in system]
        system = [(text, mark and mark.get("ttl", "5m")) for text, mark in marked]
    assert made == system


def test_words_that_ask_for_json_follow_a_marked_instruction() -> None:
    marks = [SystemMark(1, Keep.SHORT)]
    made = body(system="a", system_marks=marks, output=OutputFormat())["system"]
    assert ["a", "Reply with one JSON object and nothing else."] == [one["text"] for one in made]


@pytest.mark.parametrize(
    ("choice", "parallel", "made"),
    [
        (ToolChoice(), None, None),
        (ToolChoice(), False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice(ToolMode.NONE), False, {"type": "none"}),
        (ToolChoice(ToolMode.REQUIRED), None, {"type": "any"}),
        (ToolChoice(ToolMode.NAMED, "add"), None, {"type": "tool", "name": "add"}),
    ],
)
def test_the_choice_of_tools(
    choice: ToolChoice, parallel: bool | None, made: dict[str, Any] | None
) -> None:
    asked = body(tools=[ADD], tool_choice=choice, parallel_tool_calls=parallel)
    assert made == asked.get("tool_choice")


def test_what_was_called_is_a_tool_that_may_not_be_called_again() -> None:
    calls = [ToolCallPart(f"c{name}", name, "{}") for name in ("add", "now", "add")]
    history = [HI, Message(Role.ASSISTANT, calls), HI]
    made = body(messages=history, tool_choice=ToolChoice(ToolMode.REQUIRED))
    assert [
        {"name": "add", "input_schema": {"type": "object"}},
        {"name": "now", "input_schema": {"type": "object"}},
    ] == made["tools"]
    assert {"type": "none"} == made["tool_choice"]
    asked = body(messages=history, tools=[ADD])
    assert (["add"], None) == ([one["name"] for one in asked["tools"]], asked.get("tool_choice"))


def test_a_choice_without_tools_is_not_sent() -> None:
    assert "tool_choice" not in body(tool_choice=ToolChoice(ToolMode.REQUIRED))


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "level"),
    [
        ("claude-sonnet-5-5", None, SHOWN, None),
        ("claude-sonnet-5-5", Effort.NONE, {"type": "between_tools"}, None),
        ("claude-sonnet-5-5", Effort.MINIMAL, SHOWN, "low"),
        ("claude-sonnet-5-5", Effort.XHIGH, SHOWN, "xhigh"),
        ("claude-opus-5-5", Effort.NONE, SHOWN, "low"),
        ("claude-haiku-5-5", Effort.NONE, {"type": "disabled"}, None),
        ("claude-opus-4-8", None, None, None),
        ("claude-opus-4-8", Effort.MEDIUM, SHOWN, "medium"),
        ("claude-opus-4-6", Effort.XHIGH, SHOWN, "max"),
        ("claude-haiku-4-5", None, None, None),
        ("claude-haiku-4-5", Effort.NONE, {"type": "disabled"}, None),
        ("claude-haiku-4-5", Effort.LOW, {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-haiku-4-5", Effort.XHIGH, {"type": "enabled", "budget_tokens": 32_000}, None),
        ("claude-3-haiku-20240307", Effort.HIGH, None, None),
        ("claude-3-haiku-20240307", Effort.NONE, None, None),
        ("deepseek-v4-pro", Effort.HIGH, {"type": "enabled", "budget_tokens": 4096}, None),
    ],
)
def test_effort_is_what_the_generation_has(
    model: str, effort: Effort | None, thinking: dict[str, Any] | None, level: str | None
) -> None:
    made = body(model=model, reasoning_effort=effort)
    assert thinking == made.get("thinking")
    assert level == made.get("output_config", {}).get("effort")


def test_too_small_a_limit_leaves_no_room_to_think() -> None:
    made = body(model="claude-haiku-4-5", reasoning_effort=Effort.HIGH, max_tokens=2000)
    assert "thinking" not in made


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-haiku-4-5", "claude-sonnet-5"])
@pytest.mark.parametrize("effort", [Effort.HIGH, None])
def test_a_call_that_must_be_made_is_made_without_thinking(
    model: str, effort: Effort | None
) -> None:
    made = body(
        model=model,
        reasoning_effort=effort,
        tools=[ADD],
        tool_choice=ToolChoice(ToolMode.REQUIRED),
    )
    assert "thinking" not in made


def test_an_option_of_thinking_stays_when_no_effort_was_asked_for() -> None:
    options = {"thinking": {"type": "adaptive"}, "output_config": {"task_budget": 7}}
    made = body(model="claude-sonnet-5-5", provider_options=options)
    assert {"type": "adaptive"} == made["thinking"]
    asked = body(model="claude-opus-5", provider_options=options, reasoning_effort=Effort.LOW)
    assert (SHOWN, {"task_budget": 7, "effort": "low"}) == (
        asked["thinking"],
        asked["output_config"],
    )


@pytest.mark.parametrize(
    ("model", "effort", "is_bound"),
    [
        ("claude-sonnet-5-5", None, True),
        ("claude-sonnet-5-5", Effort.HIGH, True),
        ("claude-sonnet-5-5", Effort.NONE, False),
        ("claude-sonnet-5", None, False),
        ("claude-opus-4-8", Effort.HIGH, False),
    ],
)
def test_thinking_of_a_conversation_that_changed_is_dropped_and_no_error(
    model: str, effort: Effort | None, is_bound: bool
) -> None:
    made = body(model=model, messages=[HI, THOUGHT, HI], reasoning_effort=effort)
    assert is_bound == ("block_binding" in made["thinking"])
    assert is_bound == ("anthropic-beta" in translate.headers(made))


@pytest.mark.parametrize(
    ("model", "is_given_back"), [("claude-haiku-5-5", False), ("claude-sonnet-5-5", True)]
)
def test_thinking_stays_behind_where_it_is_turned_off_for_good(
    model: str, is_given_back: bool
) -> None:
    made = body(model=model, messages=[HI, THOUGHT, HI], reasoning_effort=Effort.NONE)
    assert is_given_back == isinstance(made["messages"][1]["content"], list)


def test_nothing_is_said_of_thinking_that_is_not_given_back() -> None:
    assert "block_binding" not in body(model="claude-sonnet-5-5")["thinking"]


@pytest.mark.parametrize(
    ("made", "version"),
    [
        ({}, "2026-10-21"),
        ({"temperature": 0.0}, "2023-06-01"),
        ({"top_p": 0.5}, "2023-06-01"),
        ({"top_k": 3}, "2023-06-01"),
    ],
)
def test_sampling_takes_the_version_that_had_it(made: dict[str, Any], version: str) -> None:
    assert {"anthropic-version": version} == translate.headers(made)


def test_a_schema_is_closed_as_the_vendor_wants_it() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
            "open": {"type": "object", "additionalProperties": True},
        },
        "default": {"type": "object"},
    }
    made = body(output=OutputFormat(orjson.dumps(schema).decode()))
    closed = {"type": "object", "additionalProperties": False}
    properties = {
        "a": {"type": "array", "items": {"anyOf": [closed, {"type": "null"}]}},
        "open": {"type": "object", "additionalProperties": True},
    }
    assert {
        "format": {
            "type": "json_schema",
            "schema": {**closed, "properties": properties, "default": {"type": "object"}},
        }
    } == made["output_config"]


def test_effort_and_schema_go_together() -> None:
    made = body(output=OutputFormat('{"type":"string"}'), reasoning_effort=Effort.LOW)
    assert {"effort", "format"} == made["output_config"].keys()


@pytest.mark.parametrize(
    ("system", "start"), [("", "Reply with one JSON"), ("Hm.", "Hm.\n\nReply")]
)
def test_any_json_is_asked_for_in_words(system: str, start: str) -> None:
    made = body(system=system, output=OutputFormat())
    assert made["system"].startswith(start)
    assert "output_config" not in made


def test_what_is_no_json_or_no_unicode_is_refused() -> None:
    with pytest.raises(BadRequest, match="no JSON"):
        body(tools=[Tool("add", parameters="{half")])
    with pytest.raises(BadRequest, match="Unicode"):
        translate.encode(body(system="\ud800"))
    assert b'{"a":1}' == translate.encode({"a": 1})


def test_all_input_is_counted_and_what_was_cached_is_named() -> None:
    counts = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 3,
        "output_tokens": 7,
        "thinking_tokens": 4,
    }
    assert Usage(10, 7, 3, 4, cache_write_tokens=2) == translate.usage(counts)
    assert Usage(0, 0) == translate.usage({})
    # Some servers tell the parts of a sum only.
    apart = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    written = Usage(9, 0, cache_write_tokens=7, long_cache_write_tokens=4)
    assert written == translate.usage({"input_tokens": 2, **apart})


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL),
        ("refusal", FinishReason.REFUSAL),
        ("pause_turn", FinishReason.PAUSED),
        ("compaction", FinishReason.OTHER),
        (["odd"], FinishReason.OTHER),
    ],
)
def test_reasons(word: object, reason: FinishReason) -> None:
    assert reason == translate.finish_reason(word)


@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        ("claude-opus-4-6", {}, set()),
        ("claude-opus-4-6", {"temperature": 0.0}, set()),
        ("claude-opus-4-6", {"temperature": 0.5, "top_p": 0.5}, {"top_p"}),
        ("claude-opus-4-6", {"temperature": 0.5, "reasoning_effort": Effort.LOW}, {"temperature"}),
        ("claude-opus-4-6", {"top_p": 0.5, "reasoning_effort": Effort.LOW}, {"top_p"}),
        ("claude-opus-4-6", {"top_p": 0.95, "reasoning_effort": Effort.LOW}, set()),
        ("claude-opus-4-6", {"temperature": 0.5, "reasoning_effort": Effort.NONE}, set()),
        ("claude-3-7-sonnet-latest", {"temperature": 0.5, "top_p": 0.5}, set()),
        (
            "claude-haiku-4-5",
            {
                "reasoning_effort": Effort.HIGH,
                "tools": [ADD],
                "tool_choice": ToolChoice(ToolMode.REQUIRED),
            },
            {"reasoning_effort"},
        ),
        (
            "claude-opus-4-6",
            {
                "reasoning_effort": Effort.HIGH,
                "tools": [ADD],
                "tool_choice": ToolChoice(ToolMode.REQUIRED),
            },
            set(),
        ),
        (
            "claude-haiku-4-5",
            {"reasoning_effort": Effort.HIGH, "max_tokens": 100},
            {"reasoning_effort"},
        ),
        ("claude-haiku-4-5", {"reasoning_effort": Effort.HIGH, "max_tokens": 9_000}, set()),
    ],
)
def test_what_excludes_what_is_known_beforehand(
    model: str, asked: dict[str, Any], expected: set[str]
) -> None:
    request = ReplyRequest(model, [HI], **asked)
    made = translate.body(request, "here")

    assert expected == translate.left_out(request)
    assert not expected & made.keys()
