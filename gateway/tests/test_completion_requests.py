"""Requests in the words of Chat Completions, and what the provider service is asked."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.completions import parameters
from parley_gateway.api.dialects.completions.body import CompletionBody
from parley_gateway.api.dialects.completions.translate import Asked, asked, named
from parley_gateway.core.faults import MalformedBody
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2

from .replies import user

pytestmark = pytest.mark.unit

PNG = base64.b64encode(b"png").decode()
WEATHER = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": WEATHER}
CLOCK = {"type": "function", "function": {"name": "clock", "strict": True}}


def ask(**body: Any) -> Asked:
    given = {"model": "acme/large", "messages": [{"role": "user", "content": "Hi"}]} | body
    return asked(*decode(msgspec.json.encode(given), CompletionBody))


def sent(**body: Any) -> dict[str, Any]:
    """What a request becomes, without what every one has."""
    told = MessageToDict(ask(**body).request, preserving_proto_field_name=True)
    del told["model"]
    if "messages" not in body:
        del told["messages"]
    return told


def said(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What messages become."""
    told: list[dict[str, Any]] = sent(messages=list(messages))["messages"]
    return told


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": None, "stop": None, "tools": None, "seed": None}, {}),
        ({"max_tokens": 5}, {"max_tokens": "5"}),
        ({"max_completion_tokens": 5}, {"max_tokens": "5"}),
        ({"max_completion_tokens": 5, "max_tokens": 5}, {"max_tokens": "5"}),
        ({"top_p": 0.5, "seed": -3}, {"top_p": 0.5, "seed": "-3"}),
        (
            {"frequency_penalty": -2, "presence_penalty": 1.5},
            {"frequency_penalty": -2.0, "presence_penalty": 1.5},
        ),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop": []}, {}),
        ({"logprobs": True}, {"top_logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 3}, {"top_logprobs": 3}),
        ({"logprobs": False}, {}),
        ({"reasoning_effort": "none"}, {"reasoning_effort": "EFFORT_NONE"}),
        ({"reasoning_effort": "xhigh"}, {"reasoning_effort": "EFFORT_XHIGH"}),
        ({"reasoning_effort": "max"}, {"reasoning_effort": "EFFORT_XHIGH"}),
        ({"stream": True}, {"stream": True}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"output": {}}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "city",
                        "description": "A city.",
                        "schema": {"type": "object"},
                        "strict": True,
                    },
                }
            },
            {
                "output": {
                    "name": "city",
                    "schema": '{"description":"A city.","type":"object"}',
                    "strict": True,
                }
            },
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "any"}}},
            {"output": {"name": "any"}},
        ),
    ],
)
def test_parameters_are_those_of_the_contract(
    body: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert expected == sent(**body)


@pytest.mark.parametrize(
    ("body", "tools", "choice"),
    [
        ({"tools": [TOOL, CLOCK]}, ["weather", "clock"], None),
        ({"tools": [TOOL], "tool_choice": "none"}, ["weather"], {"mode": "TOOL_MODE_NONE"}),
        ({"tools": [TOOL], "tool_choice": "auto"}, ["weather"], {"mode": "TOOL_MODE_AUTO"}),
        (
            {"tools": [TOOL], "tool_choice": "required"},
            ["weather"],
            {"mode": "TOOL_MODE_REQUIRED"},
        ),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
            ["weather"],
            {"mode": "TOOL_MODE_NAMED", "name": "weather"},
        ),
        (
            {
                "tools": [TOOL, CLOCK],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [CLOCK]},
                },
            },
            ["clock"],
            {"mode": "TOOL_MODE_REQUIRED"},
        ),
        ({"functions": [WEATHER]}, ["weather"], None),
        (
            {"functions": [WEATHER], "function_call": "none"},
            ["weather"],
            {"mode": "TOOL_MODE_NONE"},
        ),
        (
            {"functions": [WEATHER], "function_call": {"name": "weather"}},
            ["weather"],
            {"mode": "TOOL_MODE_NAMED", "name": "weather"},
        ),
    ],
)
def test_tools_are_those_of_the_contract(
    body: dict[str, Any], tools: list[str], choice: dict[str, Any] | None
) -> None:
    told = sent(**body)

    assert tools == [tool["name"] for tool in told["tools"]]
    assert choice == told.get("tool_choice")


def test_a_tools_schema_is_handed_on_as_text() -> None:
    [weather, clock] = sent(tools=[TOOL, CLOCK])["tools"]

    assert {
        "name": "weather",
        "description": "Tells it.",
        "parameters": '{"type":"object"}',
    } == weather
    assert {"name": "clock", "strict": True} == clock


def test_instructions_of_any_place_are_one() -> None:
    told = sent(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "system", "content": ""},
        ]
    )

    assert "Be brief.\n\nBe kind." == told["system"]
    assert [{"role": "ROLE_USER", "parts": [{"text": "Hi"}]}] == told["messages"]


def test_instructions_alone_are_said_by_the_user() -> None:
    told = sent(
        messages=[{"role": "system", "content": "Be brief."}, {"role": "system", "content": "Go."}]
    )

    assert "Be brief." == told["system"]
    assert [{"role": "ROLE_USER", "parts": [{"text": "Go."}]}] == told["messages"]


def test_what_a_user_shows_is_sent_on() -> None:
    pdf = base64.b64encode(b"pdf").decode()
    [told] = said(
        {
            "role": "user",
            "name": "ada",
            "content": [
                {"type": "text", "text": "Look", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b", "detail": "low"}},
                {
                    "type": "file",
                    "file": {"file_data": f"data:text/csv;base64,{pdf}", "filename": "a.csv"},
                },
                {"type": "file", "file": {"file_data": pdf, "filename": "a.txt"}},
                {"type": "file", "file": {"file_data": pdf}},
            ],
        }
    )

    assert [
        {"text": "Look"},
        {"image": {"media_type": "image/png", "data": PNG}},
        {"image": {"url": "https://a.example/b"}},
        {"file": {"media_type": "text/csv", "data": pdf, "name": "a.csv"}},
        {"file": {"media_type": "text/plain", "data": pdf, "name": "a.txt"}},
        {"file": {"media_type": "application/pdf", "data": pdf}},
    ] == told["parts"]


def test_calls_and_results_are_sent_on() -> None:
    called = {"name": "weather", "arguments": "{"}
    told = said(
        {"role": "user", "content": ""},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": called}],
        },
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [
                {"type": "text", "text": "Sun"},
                {"type": "text", "text": "ny"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            ],
        },
    )

    assert [{"text": ""}] == told[0]["parts"]
    assert [{"tool_call": {"tool_call_id": "c1", **called}}] == told[1]["parts"]
    result = {
        "tool_call_id": "c1",
        "content": "Sunny",
        "images": [{"media_type": "image/png", "data": PNG}],
    }
    assert ("ROLE_TOOL", [{"tool_result": result}]) == (told[2]["role"], told[2]["parts"])


def test_calls_in_the_old_form_get_names() -> None:
    called = {"name": "weather", "arguments": "{}"}
    told = said(
        {"role": "assistant", "content": None, "function_call": called},
        {"role": "function", "name": "weather", "content": "Sunny"},
        {"role": "assistant", "content": None, "function_call": called},
        {"role": "function", "name": "weather", "content": None},
    )

    calls = [one["parts"][0]["tool_call"]["tool_call_id"] for one in told[::2]]
    results = [one["parts"][0]["tool_result"]["tool_call_id"] for one in told[1::2]]
    assert calls == results == ["call_1", "call_2"]


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "A"}, [{"text": "A"}]),
        ({"content": ""}, [{"text": ""}]),
        ({"content": None}, [{"text": ""}]),
        ({"content": None, "refusal": "No."}, [{"text": "No."}]),
        (
            {"content": [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "No."}]},
            [{"text": "ANo."}],
        ),
        ({"content": "A", "reasoning_content": "Well"}, [{"reasoning": "Well"}, {"text": "A"}]),
        ({"reasoning_content": "Well"}, [{"reasoning": "Well"}]),
        # Made elsewhere: what is signed there is worth nothing here.
        (
            {"content": "A", "reasoning_details": [{"text": "Well", "signature": "foreign"}]},
            [{"reasoning": "Well"}, {"text": "A"}],
        ),
        ({"content": "A", "extra_content": {"parley": "foreign"}}, [{"text": "A"}]),
        (
            {"content": "A", "extra_content": {"google": {"thought_signature": "x"}}},
            [{"text": "A"}],
        ),
    ],
)
def test_what_a_model_said_is_sent_back(
    message: dict[str, Any], parts: list[dict[str, Any]]
) -> None:
    [told] = said({"role": "assistant", **message})

    assert ("ROLE_ASSISTANT", parts) == (told["role"], told["parts"])


def test_whatever_is_not_handed_on_stands_in_the_readme() -> None:
    readme = Path(parameters.__file__).parents[1].joinpath("README.md").read_text()
    names = {name.rpartition(".")[2] for name in [*parameters.IGNORED, *parameters.REFUSED]}

    assert [] == sorted(
        name for name in names if f"`{name}`" not in readme.replace("options.", "`")
    )


@pytest.mark.parametrize("name", [name for name in parameters.IGNORED if "." not in name])
def test_hints_are_not_sent_on(name: str) -> None:
    value: Any = {"metadata": {"a": "b"}, "prompt_cache_options": {"mode": "explicit"}}.get(name)

    assert {} == sent(**{name: value or "abc"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("service_tier", "auto"),
        ("service_tier", "default"),
        ("store", False),
        ("modalities", ["text"]),
        ("logit_bias", {}),
        ("verbosity", None),
        ("something_new", None),
    ],
)
def test_what_is_done_anyway_is_not_sent_on(name: str, value: Any) -> None:
    assert {} == sent(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("service_tier", "flex"),
        ("store", True),
        ("logit_bias", {"50256": -100.0}),
        ("verbosity", "low"),
        ("prediction", {"type": "content", "content": "A"}),
        ("web_search_options", {}),
        ("something_new", [1.5, {"deep": True}]),
    ],
)
def test_what_only_some_vendors_know_is_an_option(name: str, value: Any) -> None:
    assert {"provider_options": {name: value}, "options_dialect": "openai"} == sent(**{name: value})


PART = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": []}, "messages"),
        ({"model": ""}, "model"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"moderation": {"model": "any"}}, "moderation"),
        ({"messages": [{"role": "nobody", "content": "A"}]}, "messages[0].role"),
        ({"messages": [{"role": "system", "content": [{"text": "A"}]}]}, PART),
        (
            user([{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]),
            PART,
        ),
        (user([{"type": "file", "file": {"file_id": "file-1"}}]), f"{PART}.file"),
        (user([{"type": "file", "file": {"file_data": "%"}}]), f"{PART}.file.file_data"),
        (
            user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]),
            f"{PART}.image_url.url",
        ),
        (
            user([{"type": "image_url", "image_url": {"url": "data:image/png,abc"}}]),
            f"{PART}.image_url.url",
        ),
        (
            {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]},
            "messages[0].audio",
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "any"}}]}, "tools[0].type"),
        (
            {
                "tools": [TOOL],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [CLOCK]},
                },
            },
            "tool_choice.allowed_tools.tools",
        ),
        ({"conversation": "not/ours"}, "conversation"),
        ({"something_new": 1, "temperature": "hot"}, "temperature"),
    ],
)
def test_what_breaks_a_rule_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as found:
        ask(**body)

    assert field == found.value.violations[0].field


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":NaN}', b"[" * 100_000, b'"\\ud800"'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode(body, CompletionBody)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        decode(body, CompletionBody)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("messages[2].parts[0].text", "messages"),
        ("messages.role", "messages"),
        ("output.schema", "response_format"),
        ("provider_options.verbosity", "verbosity"),
        ("max_tokens", "max_tokens"),
        ("", ""),
    ],
)
def test_fields_of_the_contract_are_blamed_by_their_names_here(field: str, name: str) -> None:
    assert name == named(InvalidArgument.of(field, "It is wrong.")).violations[0].field


def test_every_effort_of_the_dialect_is_one_of_the_contract() -> None:
    efforts = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

    told = [ask(reasoning_effort=effort).request.reasoning_effort for effort in efforts]

    assert reply_pb2.EFFORT_UNSPECIFIED not in told
    assert sorted(told) == told
