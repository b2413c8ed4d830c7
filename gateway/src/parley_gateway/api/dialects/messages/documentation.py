"""What the OpenAPI document says of the routes."""

from __future__ import annotations

import msgspec

from parley_gateway.api.dialects.documentation import (
    COMPONENTS,
    REFS,
    Document,
    Responses,
    open_up,
)
from parley_gateway.api.dialects.messages.answers import AnthropicCount, AnthropicMessage
from parley_gateway.api.dialects.messages.body import AnthropicBody, AnthropicPrompt

PROMPT: Document = {
    "model": "demo/demo",
    "messages": [{"role": "user", "content": "How long is a day on the moon?"}],
}
MESSAGE: Document = {
    "id": "msg_0199000000007000800000000000aaaa",
    "type": "message",
    "role": "assistant",
    "model": "demo/demo",
    "content": [{"type": "text", "text": "About 29.5 days on Earth."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 8,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 6,
    },
}
STREAM = """\
event: message_start
data: {"type":"message_start","message":{"id":"msg_0199…","type":"message","role":"assistant",\
"model":"demo/demo","content":[],"stop_reason":null,"stop_sequence":null,"usage":{}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"About"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{}}

event: message_stop
data: {"type":"message_stop"}

"""
EVENT: Document = {
    "type": "object",
    "description": "One event of the stream; `data` is JSON, in one line.",
    "required": ["event", "data"],
    "properties": {
        "event": {
            "enum": [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
                "ping",
                "error",
            ]
        },
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
VERSIONS: list[Document] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": "Taken, and of no effect: there is one version here.",
        "schema": {"type": "string"},
    }
    for name in ("anthropic-version", "anthropic-beta")
]


def described_by(
    asked: type[msgspec.Struct], example: Document, answer: type[msgspec.Struct]
) -> Document:
    """Describe the body of a route, and the parts that its answer consists of.

    A body may hold other fields, which are handed on; its parts may not.
    """
    [schema, _], parts = msgspec.json.schema_components([asked, answer], ref_template=REFS)
    open_up(parts[asked.__name__])
    content = {"application/json": {"schema": schema, "example": example}}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": VERSIONS,
        COMPONENTS: parts,
    }


MESSAGE_EXTRA = described_by(AnthropicBody, {**PROMPT, "max_tokens": 1024}, AnthropicMessage)
COUNT_EXTRA = described_by(AnthropicPrompt, PROMPT, AnthropicCount)
MESSAGE_ANSWER: Responses = {
    200: {
        "description": "The message: whole, or as server-sent events.",
        "content": {
            "application/json": {
                "schema": {"$ref": REFS.format(name="AnthropicMessage")},
                "example": MESSAGE,
            },
            "text/event-stream": {"schema": EVENT, "example": STREAM},
        },
    }
}
COUNT_ANSWER: Responses = {
    200: {
        "description": "The count.",
        "content": {
            "application/json": {
                "schema": {"$ref": REFS.format(name="AnthropicCount")},
                "example": {"input_tokens": 8},
            }
        },
    }
}
