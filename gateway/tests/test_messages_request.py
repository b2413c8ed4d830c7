"""Anthropic's bodies as the contract's requests, row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.messages.body import AnthropicBody
from parley_gateway.api.dialects.messages.request import request_of
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import GenerateReplyRequest

pytestmark = pytest.mark.unit

Fields = dict[str, Any]
BODY: Fields = {
    "model": "demo/demo",
    "max_tokens": 4096,
    "messages": [{"role": "user", "content": "Hi"}],
}
TOOL: Fields = {"name": "add", "input_schema": {"type": "object"}}
SCHEMA: Fields = {"type": "json_schema", "schema": {"type": "object"}}
OUTPUT: Fields = {"output": {"schema": '{"type":"object"}', "strict": True}}


def asked(**fields: Any) -> GenerateReplyRequest:
    return request_of(*decode(json.dumps(BODY | fields).encode(), AnthropicBody))


def told(**fields: Any) -> Fields:
    """What a body says beyond the shortest one, as the contract has it."""
    shortest = MessageToDict(asked(), preserving_proto_field_name=True)
    made = MessageToDict(asked(**fields), preserving_proto_field_name=True)
    return {name: value for name, value in made.items() if shortest.get(name) != value}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": "fast"}, {"model": "fast"}),
        ({"max_tokens": 1}, {"max_tokens": "1"}),
        ({"stream": True}, {"stream": True}),
        ({"stream": False}, {}),
        ({"system": "Be brief."}, {"system": "Be brief."}),
        ({"system": [{"type": "text", "text": "Be brief."}]}, {"system": "Be brief."}),
        (
            {"system": [{"type": "text", "text": one} for one in ("Be brief.", "Be kind.")]},
            {"system": "Be brief.\n\nBe kind."},
        ),
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"top_k": 3}, {"top_k": "3"}),
        ({"top_k": 0}, {}),
        ({"stop_sequences": ["a", " "]}, {"stop": ["a", " "]}),
        ({"stop_sequences": []}, {}),
        (
            {"tools": [TOOL]},
            {"tools": [{"name": "add", "parameters": '{"type":"object"}'}]},
        ),
        (
            {"tools": [TOOL | {"description": "Adds.", "type": "custom", "strict": True}]},
            {
                "tools": [
                    {
                        "name": "add",
                        "description": "Adds.",
                        "parameters": '{"type":"object"}',
                        "strict": True,
                    }
                ]
            },
        ),
        (
            {"tool_choice": {"type": "auto"}},
            {"tool_choice": {"mode": "TOOL_MODE_AUTO"}},
        ),
        (
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
            {"tool_choice": {"mode": "TOOL_MODE_REQUIRED"}, "parallel_tool_calls": False},
        ),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
            {"tool_choice": {"mode": "TOOL_MODE_AUTO"}, "parallel_tool_calls": True},
        ),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": {"mode": "TOOL_MODE_NONE"}}),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "EFFORT_NONE"}),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            {"reasoning_effort": "EFFORT_NONE"},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {"reasoning_effort": "EFFORT_LOW", "reasoning_tokens": "1024"},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 4095, "display": "summarized"}},
            {"reasoning_effort": "EFFORT_MEDIUM", "reasoning_tokens": "4095"},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 20_000}, "max_tokens": 32_000},
            {
                "reasoning_effort": "EFFORT_HIGH",
                "reasoning_tokens": "20000",
                "max_tokens": "32000",
            },
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 30_000}, "max_tokens": 32_000},
            {
                "reasoning_effort": "EFFORT_XHIGH",
                "reasoning_tokens": "30000",
                "max_tokens": "32000",
            },
        ),
        ({"thinking": {"type": "adaptive"}}, {"reasoning_effort": "EFFORT_HIGH"}),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            {"reasoning_effort": "EFFORT_LOW"},
        ),
        ({"output_config": {"effort": "medium"}}, {"reasoning_effort": "EFFORT_MEDIUM"}),
        ({"output_config": {"effort": "max"}}, {"reasoning_effort": "EFFORT_XHIGH"}),
        ({"output_config": {"format": SCHEMA}}, OUTPUT),
        ({"output_format": SCHEMA}, OUTPUT),
        # Hints, and what says nothing.
        ({"metadata": {"user_id": "u"}, "service_tier": "auto"}, {}),
        ({"speed": "standard", "container": None, "tools": None, "thinking": None}, {}),
        # What only who speaks the dialect knows.
        (
            {"inference_geo": "eu", "context_management": {"edits": [{"keep": 3}]}},
            {
                "provider_options": {
                    "inference_geo": "eu",
                    "context_management": {"edits": [{"keep": 3.0}]},
                },
                "options_dialect": "anthropic",
            },
        ),
        (
            {"speed": "fast"},
            {"provider_options": {"speed": "fast"}, "options_dialect": "anthropic"},
        ),
    ],
)
def test_a_field_is_translated(given: Fields, expected: Fields) -> None:
    assert expected == told(**given)


def test_what_only_a_vendor_knows_of_tools_goes_to_it_as_it_came() -> None:
    tools = [TOOL | {"defer_loading": True}, TOOL | {"name": "sub", "strict": True}]
    choice = {"type": "any", "disable_parallel_tool_use": True}

    made = told(tools=tools, tool_choice=choice, output_config={"task_budget": {"total": 9}})

    assert {
        "options_dialect": "anthropic",
        "provider_options": {
            "tools": tools,
            "tool_choice": choice,
            "output_config": {"task_budget": {"total": 9}},
        },
    } == made


@pytest.mark.parametrize(
    "said",
    [{"defer_loading": False}, {"input_examples": []}, {"allowed_callers": ["direct"]}],
)
def test_what_says_nothing_special_of_a_tool_keeps_it_one_for_all(said: Fields) -> None:
    assert {"tools"} == told(tools=[TOOL | said]).keys()


def test_a_tool_is_named() -> None:
    choice = {"type": "tool", "name": "add"}

    assert {"mode": "TOOL_MODE_NAMED", "name": "add"} == told(tools=[TOOL], tool_choice=choice)[
        "tool_choice"
    ]


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"stop_sequences": ["a"] * 17}, "stop_sequences"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "messages"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role"),
        ({"model": ""}, "model"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "max_tokens"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [TOOL | {"novel": True}]}, "tools[0]"),
        ({"tools": [TOOL | {"name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"name": "add"}]}, "tools[0]"),
        ({"tool_choice": {"type": "tool", "name": "add"}}, "tool_choice.name"),
        ({"output_config": {"novel": 5}}, "output_config"),
        ({"output_format": {"schema": {}}}, "output_format"),
        ({"system": [{"text": "Be brief."}]}, "system[0]"),
        ({"x": nested(21)}, "x"),
    ],
)
def test_what_breaks_a_rule_is_named(given: Fields, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        asked(**given)

    assert [field] == [violation.field for violation in refused.value.violations]


def test_numbers_may_be_larger_than_any_wire_has() -> None:
    huge = 10**30
    call = {"type": "tool_use", "id": "c", "name": "add", "input": {"a": huge}}
    tool = TOOL | {"input_schema": {"type": "object", "maximum": huge}}

    made = asked(
        messages=[*BODY["messages"], {"role": "assistant", "content": [call]}],
        tools=[tool],
        output_format=SCHEMA | {"schema": {"const": huge}},
        x=huge,
    )

    assert {"a": huge} == json.loads(made.messages[1].parts[0].tool_call.arguments)
    assert huge == json.loads(made.tools[0].parameters)["maximum"]
    assert huge == json.loads(made.output.schema)["const"]
    assert float(huge) == made.provider_options["x"]
    with pytest.raises(InvalidArgument, match="too large"):
        asked(x=10**400)


def test_options_may_be_nested() -> None:
    assert "anthropic" == asked(x=nested(20)).options_dialect


@pytest.mark.parametrize("missing", ["model", "messages", "max_tokens"])
def test_what_must_be_there_is_named(missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}

    with pytest.raises(InvalidArgument, match=missing):
        decode(json.dumps(body).encode(), AnthropicBody)
