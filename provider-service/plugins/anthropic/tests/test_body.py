"""Our body is the one that the vendor's own library sends for the same request."""

from typing import Any

import anthropic
import pytest
from parley_provider_anthropic.provider import AnthropicProvider
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
    ToolResultPart,
)
from parley_provider_sdk.testing import Peer, fold

pytestmark = pytest.mark.unit

KEY = "sk-ant-secret-of-the-tests"
MODEL = "claude-sonnet-5-5"
SCHEMA = '{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}'
QUESTION = Message(
    Role.USER,
    [
        TextPart("What is 1 + 1? 世界"),
        ImagePart("image/png", b"\x89PNG"),
        FilePart("application/pdf", b"%PDF", "a.pdf"),
        FilePart("text/plain", b"Notes.", "a.txt"),
    ],
)
CALL = Message(Role.ASSISTANT, [TextPart("Let me see."), ToolCallPart("c1", "add", '{"a":1}')])
RESULT = Message(Role.TOOL, [ToolResultPart("c1", "no", is_error=True)])
SHOWN = {"type": "adaptive", "display": "summarized"}
SCHEMA_OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "additionalProperties": False,
}
THEIRS: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 9,
    "system": "Be brief.",
    "stop_sequences": ["END"],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is 1 + 1? 世界"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
                },
                {
                    "type": "document",
                    "source": {
                        "type": "base64",
                        "media_type": "application/pdf",
                        "data": "JVBERg==",
                    },
                    "title": "a.pdf",
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "Notes."},
                    "title": "a.txt",
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "no", "is_error": True}
            ],
        },
    ],
    "tools": [{"name": "add", "description": "Adds.", "input_schema": SCHEMA_OBJECT}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": SHOWN,
    "output_config": {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA_OBJECT},
    },
}


@pytest.mark.parametrize("stream", [True, False])
async def test_our_body_is_the_one_that_the_vendors_library_sends(
    provider: AnthropicProvider, wire: Peer, stream: bool
) -> None:
    request = ReplyRequest(
        MODEL,
        [QUESTION, CALL, RESULT],
        system="Be brief.",
        max_tokens=9,
        stream=stream,
        stop=["END"],
        tools=[Tool("add", "Adds.", SCHEMA)],
        tool_choice=ToolChoice(),
        parallel_tool_calls=False,
        reasoning_effort=Effort.LOW,
        output=OutputFormat(SCHEMA),
    )
    await fold(provider.chat_completion(request))
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=wire.base_url) as client:
        asked = {**THEIRS, "stream": True} if stream else THEIRS
        answer = await client.messages.create(**asked)
        if stream:
            [event async for event in answer]
    ours, theirs = wire.requests
    assert theirs.body == ours.body
    assert theirs.path == ours.path
    for name in ("content-type", "anthropic-version", "authorization"):
        assert theirs.headers[name] == ours.headers[name]
    assert "anthropic-beta" not in ours.headers


async def test_what_binds_thinking_to_its_conversation_is_the_librarys_too(
    provider: AnthropicProvider, wire: Peer
) -> None:
    wire.script(reasoning=("Hm.",), texts=("Yes.",))
    hi = Message(Role.USER, [TextPart("Hi")])
    said = await fold(provider.chat_completion(ReplyRequest(MODEL, [hi])))
    messages = [hi, Message(Role.ASSISTANT, said.parts), hi]
    await fold(provider.chat_completion(ReplyRequest(MODEL, messages, stream=False)))
    ours = wire.requests[-1]
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=wire.base_url) as client:
        await client.beta.messages.create(
            model=MODEL,
            max_tokens=64_000,
            messages=ours.body["messages"],
            thinking={
                "type": "adaptive",
                "display": "summarized",
                "block_binding": {"prefix_mismatch_behavior": "drop_block"},
            },
            betas=["thinking-binding-controls-2026-08-01"],
            timeout=10,
        )
    theirs = wire.requests[-1]
    assert theirs.body == ours.body
    assert theirs.headers["anthropic-beta"] == ours.headers["anthropic-beta"]
