"""Responses: what a client says, written as the contract has it, row by row."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from parley_gateway.api.dialects import opaque
from parley_gateway.api.dialects.responses import items
from parley_gateway.api.dialects.responses.asked import Question, asked
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import (
    ROLE_ASSISTANT,
    ROLE_DEVELOPER,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    GenerateReplyRequest,
    InputMessage,
    OutputFormat,
    Part,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

pytestmark = pytest.mark.unit

PNG = Blob(media_type="image/png", data=b"png")
PNG_URL = "data:image/png;base64,cG5n"
SIGNED = opaque.wrapped(b'{"signature":1}')
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
OTHER = {"type": "function", "name": "time"}
SEARCH = {"type": "web_search"}


def question(**fields: Any) -> Question:
    return asked(orjson.dumps({"model": "demo/demo", "input": "Hi", **fields}))


def user(*parts: Part) -> InputMessage:
    return InputMessage(role=ROLE_USER, parts=parts)


def assistant(*parts: Part) -> InputMessage:
    return InputMessage(role=ROLE_ASSISTANT, parts=parts)


def tool(*results: ToolResult) -> InputMessage:
    return InputMessage(role=ROLE_TOOL, parts=[Part(tool_result=one) for one in results])


CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
CALLED = Part(tool_call=ToolCall(tool_call_id="c1", name="weather", arguments="{}"))
ROWS: dict[str, tuple[Any, list[InputMessage]]] = {
    "a text": ("Hi", [user(Part(text="Hi"))]),
    "a message": ([{"role": "user", "content": "Hi"}], [user(Part(text="Hi"))]),
    "a message with its type": (
        [{"type": "message", "role": "user", "content": "Hi", "id": None, "status": "completed"}],
        [user(Part(text="Hi"))],
    ),
    "pieces": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
                    {"type": "input_image", "image_url": "https://example.com/a.png"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "cGRm"},
                    {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                ],
            }
        ],
        [
            user(
                Part(text="Look"),
                Part(image=PNG),
                Part(image=Blob(url="https://example.com/a.png")),
                Part(file=Blob(media_type="application/pdf", data=b"pdf", name="a.pdf")),
                Part(file=Blob(url="https://example.com/a.pdf")),
            )
        ],
    ),
    "what an assistant said": (
        [
            {"role": "user", "content": "Hi"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []},
                    {"type": "refusal", "refusal": "No"},
                ],
            },
            {"role": "user", "content": "And?"},
        ],
        [
            user(Part(text="Hi")),
            assistant(Part(text="Hello"), Part(text="No")),
            user(Part(text="And?")),
        ],
    ),
    "thought, said and called is one turn": (
        [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": SIGNED,
            },
            {"role": "assistant", "content": "I look"},
            CALL | {"id": "fc_1", "status": "completed"},
            {"type": "function_call_output", "call_id": "c1", "output": "wet"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "dry"},
                    {"type": "input_image", "image_url": PNG_URL},
                ],
            },
        ],
        [
            assistant(
                Part(reasoning="Hm.", provider_metadata=b'{"signature":1}'),
                Part(text="I look"),
                CALLED,
            ),
            tool(
                ToolResult(tool_call_id="c1", content="wet"),
                ToolResult(tool_call_id="c2", content="dry", images=[PNG]),
            ),
        ],
    ),
    "what others encrypted is not ours": (
        [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}],
        [],
    ),
    "reasoning in the open": (
        [
            {
                "type": "reasoning",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "a"}],
            }
        ],
        [assistant(Part(reasoning="a"))],
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_items_become_messages(row: str) -> None:
    given, expected = ROWS[row]

    assert expected == items.read(given).messages


def test_what_the_system_says_is_joined_wherever_it_stands() -> None:
    read = question(
        store=False,
        instructions="One.",
        input=[
            {"role": "system", "content": "Two."},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": [{"type": "input_text", "text": "Three."}]},
        ],
    )

    assert "One.\n\nTwo.\n\nThree." == read.request.system
    assert [user(Part(text="Hi"))] == list(read.request.messages)


def test_what_is_stored_keeps_who_instructs_among_its_messages() -> None:
    read = question(
        instructions="One.",
        input=[
            {"role": "system", "content": "Two."},
            CALL,
            {"role": "developer", "content": [{"type": "input_text", "text": "Three."}]},
            CALL | {"call_id": "c2"},
        ],
    )

    assert "One." == read.request.system
    assert [ROLE_SYSTEM, ROLE_ASSISTANT, ROLE_DEVELOPER] == [
        message.role for message in read.request.messages
    ]
    assert 2 == len(read.request.messages[1].parts)


REQUESTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "numbers": (
        {"temperature": 0, "top_p": 0.5, "max_output_tokens": 7},
        {"temperature": 0, "top_p": 0.5, "max_tokens": 7},
    ),
    "effort": ({"reasoning": {"effort": "high"}}, {"reasoning_effort": reply_pb2.EFFORT_HIGH}),
    "summaries are shown anyway": ({"reasoning": {"summary": "auto"}}, {}),
    "a tool": (
        {"tools": [FUNCTION | {"strict": True, "description": "Tells"}]},
        {
            "tools": [
                Tool(
                    name="weather",
                    description="Tells",
                    parameters='{"type":"object"}',
                    strict=True,
                )
            ]
        },
    ),
    "a tool without parameters": (
        {"tools": [OTHER], "parallel_tool_calls": False},
        {"tools": [Tool(name="time")], "parallel_tool_calls": False},
    ),
    "a choice": (
        {"tools": [OTHER], "tool_choice": {"type": "function", "name": "time"}},
        {
            "tools": [Tool(name="time")],
            "tool_choice": ToolChoice(mode=reply_pb2.TOOL_MODE_NAMED, name="time"),
        },
    ),
    "a demand": (
        {"tools": [OTHER], "tool_choice": "required"},
        {
            "tools": [Tool(name="time")],
            "tool_choice": ToolChoice(mode=reply_pb2.TOOL_MODE_REQUIRED),
        },
    ),
    "a choice of some": (
        {
            "tools": [FUNCTION, OTHER],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "time"}],
            },
        },
        {"tools": [Tool(name="time")], "tool_choice": ToolChoice(mode=reply_pb2.TOOL_MODE_AUTO)},
    ),
    "a schema": (
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "moon",
                    "strict": True,
                    "schema": {"type": "object"},
                }
            }
        },
        {"output": OutputFormat(name="moon", schema='{"type":"object"}', strict=True)},
    ),
    "JSON": ({"text": {"format": {"type": "json_object"}}}, {"output": OutputFormat()}),
    "prose": ({"text": {"format": {"type": "text"}, "verbosity": "medium"}}, {}),
    "probabilities": (
        {"store": False, "top_logprobs": 3, "include": ["message.output_text.logprobs"]},
        {"top_logprobs": 3},
    ),
    "hints": (
        {
            "user": "ada",
            "safety_identifier": "a",
            "prompt_cache_key": "k",
            "service_tier": "auto",
            "truncation": "disabled",
            "metadata": {"a": "b"},
            "max_tool_calls": 3,
            "stream_options": {"include_obfuscation": False},
            "prompt": None,
        },
        {},
    ),
}
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "unknown": ({"prompt": {"id": "p"}}, {"prompt": {"id": "p"}}),
    "a tier": ({"service_tier": "flex"}, {"service_tier": "flex"}),
    "truncation": ({"truncation": "auto"}, {"truncation": "auto"}),
    "verbosity": ({"text": {"verbosity": "low"}}, {"text": {"verbosity": "low"}}),
    "a mode": ({"reasoning": {"mode": "pro"}}, {"reasoning": {"mode": "pro"}}),
    "the vendor's tool": (
        {"tools": [SEARCH], "tool_choice": SEARCH, "max_tool_calls": 2},
        {"tools": [SEARCH], "tool_choice": SEARCH, "max_tool_calls": 2.0},
    ),
}


@pytest.mark.parametrize("row", REQUESTS)
def test_what_the_contract_has_is_translated(row: str) -> None:
    fields, expected = REQUESTS[row]
    plain = GenerateReplyRequest(model="demo/demo", messages=[user(Part(text="Hi"))])

    plain.MergeFrom(GenerateReplyRequest(**expected))

    assert plain == question(**fields).request


@pytest.mark.parametrize("row", OPTIONS)
def test_what_it_does_not_have_goes_on_in_the_dialect(row: str) -> None:
    fields, expected = OPTIONS[row]

    request = question(**fields).request

    assert ("openai", expected) == (
        request.options_dialect,
        MessageToDict(request.provider_options),
    )


DEEP: Any = []
for _ in range(60):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"input": [{"type": 7}]}, "input[0].type"),
        ({"input": [{"type": [None]}]}, "input[0].type"),
        ({"tools": [{"type": [None]}]}, "tools[0].type"),
        ({"tool_choice": {"type": [None]}}, "tool_choice.type"),
        ({"input": [{"role": "critic", "content": "a"}]}, "input[0].role"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].file_id",
        ),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_image", "image_url": "data:image/png;base64,!"}
                        ],
                    }
                ]
            },
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "filename": "a"}]}]},
            "input[0].content[0].file_data",
        ),
        (
            {
                "input": [
                    {
                        "type": "function_call_output",
                        "call_id": "a",
                        "output": [{"type": "input_file"}],
                    }
                ]
            },
            "input[0].output[0]",
        ),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        ({"tools": [FUNCTION, SEARCH]}, "tools"),
        ({"tools": [FUNCTION | {"defer_loading": True}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            "tool_choice.tools",
        ),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format"),
        ({"text": {"style": "a"}}, "text"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"nested": DEEP}, "nested"),
    ],
)
def test_what_is_not_right_is_blamed_by_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        question(**fields)

    assert [place] == [violation.field for violation in refused.value.violations]
