"""What we send is what the vendor's own library sends, on both wires."""

from typing import Any

import openai
import pytest
from parley_provider_openai.provider import OpenAIProvider
from parley_provider_sdk import (
    Effort,
    FilePart,
    ImagePart,
    Message,
    OutputFormat,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    ToolResultPart,
)
from parley_provider_sdk.testing import fold
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TEXT = '{"type":"object","properties":{"a":{"type":"integer"}}}'
PNG, PDF = "data:image/png;base64,iVA=", "data:application/pdf;base64,JVBERg=="
MESSAGES = [
    Message(
        Role.USER,
        [
            TextPart("What is 1 + 1? 世界"),
            ImagePart("image/png", b"\x89P"),
            FilePart("application/pdf", b"%PDF", "a.pdf"),
        ],
    ),
    Message(Role.ASSISTANT, [TextPart("Let me."), ToolCallPart("c1", "add", '{"a":1}')]),
    Message(Role.TOOL, [ToolResultPart("c1", "2")]),
]
CHAT_MESSAGES: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is 1 + 1? 世界"},
            {"type": "image_url", "image_url": {"url": PNG}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
        ],
    },
    {
        "role": "assistant",
        "content": "Let me.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "2"},
]
ITEMS: list[Any] = [
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is 1 + 1? 世界"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        ],
    },
    {"role": "assistant", "content": "Let me."},
    {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
    {"type": "function_call_output", "call_id": "c1", "output": "2"},
]


def asked(*, stream: bool, **changes: Any) -> ReplyRequest:
    return ReplyRequest(
        "gpt-peer",
        MESSAGES,
        system="Be brief.",
        temperature=0.0,
        top_p=0.5,
        max_tokens=9,
        stream=stream,
        tools=[Tool("add", "Adds.", TEXT)],
        tool_choice=ToolChoice(ToolMode.NAMED, "add"),
        parallel_tool_calls=False,
        reasoning_effort=Effort.LOW,
        output=OutputFormat(TEXT, "sum"),
        **changes,
    )


def assert_the_same(wire: OpenAIPeer) -> None:
    ours, theirs = wire.requests
    assert ours.path == theirs.path
    assert ours.body == theirs.body
    for name in ("content-type", "authorization"):
        assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize("stream", [True, False])
async def test_completions(
    chat: OpenAIProvider, wire: OpenAIPeer, client: openai.AsyncOpenAI, stream: bool
) -> None:
    await fold(chat.chat_completion(asked(stream=stream, stop=["x"], seed=7)))
    function: Any = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
    fields: dict[str, Any] = {
        "model": "gpt-peer",
        "messages": CHAT_MESSAGES,
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 9,
        "stop": ["x"],
        "seed": 7,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "sum", "strict": True, "schema": SCHEMA},
        },
    }
    if stream:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = await client.chat.completions.create(**fields)
    if stream:
        [chunk async for chunk in answer]
    assert_the_same(wire)


@pytest.mark.parametrize("stream", [True, False])
async def test_responses(
    responses: OpenAIProvider, wire: OpenAIPeer, client: openai.AsyncOpenAI, stream: bool
) -> None:
    await fold(responses.chat_completion(asked(stream=stream)))
    function = {"name": "add", "description": "Adds.", "parameters": SCHEMA, "strict": False}
    fields: dict[str, Any] = {
        "model": "gpt-peer",
        "input": ITEMS,
        "instructions": "Be brief.",
        "temperature": 0.0,
        "top_p": 0.5,
        "max_output_tokens": 9,
        "tools": [{"type": "function", **function}],
        "tool_choice": {"type": "function", "name": "add"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {
            "format": {"type": "json_schema", "name": "sum", "strict": True, "schema": SCHEMA}
        },
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    if stream:
        fields |= {"stream": True}
    answer = await client.responses.create(**fields)
    if stream:
        [event async for event in answer]
    assert_the_same(wire)
