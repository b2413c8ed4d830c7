"""What the OpenAPI document says of responses: their bodies and answers, with examples."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from parley_gateway.api.dialects.documentation import COMPONENTS, REFS, Responses, open_up
from parley_gateway.api.dialects.responses import answers, items, names
from parley_gateway.api.dialects.responses.asked import Asked, Body
from parley_gateway.api.dialects.responses.tools import HOSTED, MODES, Allowed, Function, Named

Document = dict[str, Any]
# Other dialects have messages and tools of their own.
PREFIX = "OpenAIResponses"
MESSAGE_ID = "01990000-0000-7000-8000-000000000000"
ASKED: Document = {"model": "demo/demo", "input": "How long is a day on the Moon?"}
TEXT = "About twenty-nine and a half days."


def body(struct: type[msgspec.Struct], example: Document) -> Document:
    """Describe a body with items and tools, whose types are looked at one by one."""
    kinds = get_args(items.Item)
    described, parts = msgspec.json.schema_components(
        [*kinds, Function, Named, Allowed, struct], ref_template=REFS.format(name=PREFIX + "{name}")
    )
    # Of all items only messages may leave it out.
    parts["Message"]["required"].remove("type")
    open_up(parts[struct.__name__])
    fields = parts[struct.__name__]["properties"]
    for one in fields["input"]["anyOf"]:
        if one["type"] == "array":
            one["items"] = {"anyOf": list(described[: len(kinds)])}
    function, named, allowed, whole = described[len(kinds) :]
    hosted = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(HOSTED)}},
    }
    for one in fields["tools"]["anyOf"]:
        if one["type"] == "array":
            one["items"] = {"anyOf": [function, hosted]}
    choices = [{"enum": list(MODES)}, named, allowed, hosted, {"type": "null"}]
    fields["tool_choice"] = {"anyOf": choices, "default": None}
    content = {"application/json": {"schema": whole, "example": example}}
    return {
        "requestBody": {"required": True, "content": content},
        COMPONENTS: {PREFIX + name: part for name, part in parts.items()},
    }


def answer(description: str, example: Document, *required: str) -> Responses:
    """Describe an answer."""
    schema = {
        "type": "object",
        "required": list(required) or list(example),
        "properties": {"object": {"const": example["object"]}} if "object" in example else {},
    }
    content = {"application/json": {"schema": schema, "example": example}}
    return {200: {"description": description, "content": content}}


def example_response() -> Document:
    """Make an example of a response."""
    item = names.item_id("msg", MESSAGE_ID, 0)
    document = answers.NEUTRAL | {
        "id": names.response_id(MESSAGE_ID),
        "created_at": 1_790_000_000,
        "completed_at": 1_790_000_001,
        "status": "completed",
        "model": "demo/demo",
        "output": [answers.message_item(item, "completed", [answers.text_part(TEXT)])],
    }
    document["usage"] = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 19,
    }
    return document


EXAMPLE = example_response()
EVENTS = """\
event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"msg_0199…","output_index":0,\
"content_index":0,"logprobs":[],"delta":"About","sequence_number":4}

"""
EVENT: Document = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "type": "object",
                "required": ["type", "sequence_number"],
                "properties": {
                    "type": {"type": "string"},
                    "sequence_number": {"type": "integer"},
                },
            },
        },
    },
}
REQUIRED = ("id", "object", "created_at", "status", "model", "output", "tools", "tool_choice")
RESPONSE = answer("The response.", EXAMPLE, *REQUIRED)
STREAMED = answer("The response: whole, or as server-sent events.", EXAMPLE, *REQUIRED)
STREAMED[200]["content"]["text/event-stream"] = {"schema": EVENT, "example": EVENTS}
COUNTED = answer("The count.", {"object": "response.input_tokens", "input_tokens": 9})
DELETED: Responses = {
    200: {
        "description": "It is deleted.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["id", "object", "deleted"],
                    "properties": {"deleted": {"const": True}},
                },
                "example": {"id": EXAMPLE["id"], "object": "response", "deleted": True},
            }
        },
    }
}
ASKED_ITEM: Document = {
    "id": names.item_id("msg", MESSAGE_ID, 0),
    "type": "message",
    "status": "completed",
    "role": "user",
    "content": [{"type": "input_text", "text": ASKED["input"]}],
}
ITEM = answer("The item, of one kind or another.", ASKED_ITEM, "id", "type")
LISTED = answer(
    "A part of the list.",
    {
        "object": "list",
        "data": [ASKED_ITEM],
        "first_id": ASKED_ITEM["id"],
        "last_id": ASKED_ITEM["id"],
        "has_more": False,
    },
)
CONVERSATION = answer(
    "The conversation.",
    {
        "id": "conv_01990000000070008000000000000000",
        "object": "conversation",
        "created_at": 1_790_000_000,
        "metadata": {},
    },
)
BODY = body(Body, ASKED)
COUNT_BODY = body(Asked, ASKED)
CONVERSATION_BODY: Document = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "items": {
                            "anyOf": [{"type": "array", "maxItems": 0}, {"type": "null"}],
                            "default": None,
                        },
                        "metadata": {
                            "anyOf": [
                                {"type": "object", "additionalProperties": {"type": "string"}},
                                {"type": "null"},
                            ],
                            "default": None,
                        },
                    },
                    "additionalProperties": False,
                },
                "example": {"metadata": {"topic": "demo"}},
            }
        },
    }
}
