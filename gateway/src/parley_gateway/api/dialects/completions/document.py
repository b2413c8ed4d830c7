"""What the OpenAPI document says of these routes' answers."""

from __future__ import annotations

from typing import Any

from parley_gateway.api.dialects.documentation import Responses, stream_of

Document = dict[str, Any]
STRING: Document = {"type": "string"}
NUMBER: Document = {"type": "integer"}
NULLABLE: Document = {"type": ["string", "null"]}
ID = "chatcmpl-0199a000000070008000000000000000"
USAGE: Document = {
    "type": "object",
    "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
    "properties": {
        "prompt_tokens": NUMBER,
        "completion_tokens": NUMBER,
        "total_tokens": NUMBER,
        "prompt_tokens_details": {"type": "object"},
        "completion_tokens_details": {"type": "object"},
    },
}
MESSAGE: Document = {
    "type": "object",
    "required": ["role", "content", "refusal"],
    "properties": {
        "role": {"const": "assistant"},
        "content": NULLABLE,
        "refusal": NULLABLE,
        "tool_calls": {"type": "array", "items": {"type": "object"}},
        "reasoning_content": {
            "type": "string",
            "description": "What the model thought aloud.",
        },
        "reasoning_details": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The same in pieces, with what its vendor wants back with each.",
        },
        "extra_content": {
            "type": "object",
            "description": "What its vendor wants back: send the message back as it is.",
        },
    },
}
FINISH_REASON: Document = {
    "enum": ["stop", "length", "tool_calls", "content_filter", "function_call", None]
}
LOGPROBS: Document = {"type": ["object", "null"]}


def answered(kind: str, said: str, schema: Document) -> Document:
    """Describe a completion, or a chunk of one."""
    choice: Document = {
        "type": "object",
        "required": ["index", said, "finish_reason"],
        "properties": {
            "index": NUMBER,
            said: schema,
            "logprobs": LOGPROBS,
            "finish_reason": FINISH_REASON,
        },
    }
    return {
        "type": "object",
        "required": ["id", "object", "created", "model", "choices"],
        "properties": {
            "id": STRING,
            "object": {"const": kind},
            "created": NUMBER,
            "model": {"type": "string", "description": "The one that answered."},
            "choices": {"type": "array", "items": choice},
            "usage": {"anyOf": [USAGE, {"type": "null"}]},
            "system_fingerprint": {"type": "null"},
            "service_tier": STRING,
            "conversation": {"type": "string", "description": "The chat, when there is one."},
            "message_id": {"type": "string", "description": "The reply in that chat."},
        },
    }


COMPLETION_EXAMPLE: Document = {
    "id": ID,
    "object": "chat.completion",
    "created": 1_795_000_000,
    "model": "demo/demo",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "A day on Venus is longer than its year.",
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19},
}
STREAM_EXAMPLE = (
    f'data: {{"id":"{ID}","object":"chat.completion.chunk","created":1795000000,'
    '"model":"demo/demo","choices":[{"index":0,"delta":{"content":"A day"},'
    '"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)
COMPLETION: Responses = {
    200: {
        "description": "The completion: whole, or as chunks.",
        "content": {
            "application/json": {
                "schema": answered("chat.completion", "message", MESSAGE),
                "example": COMPLETION_EXAMPLE,
            },
            **stream_of(
                answered("chat.completion.chunk", "delta", {"type": "object"}),
                STREAM_EXAMPLE,
                last="[DONE]",
            ),
        },
    }
}
COMPLETION_BODY: Document = {
    "model": "demo/demo",
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Tell me something about Venus."},
    ],
}
EMBEDDINGS: Responses = {
    200: {
        "description": "The vectors.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["object", "data", "model", "usage"],
                    "properties": {
                        "object": {"const": "list"},
                        "model": STRING,
                        "usage": {"type": "object"},
                        "data": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["object", "index", "embedding"],
                                "properties": {
                                    "object": {"const": "embedding"},
                                    "index": NUMBER,
                                    "embedding": {
                                        "description": "Numbers, or in base64 their bytes as "
                                        "float32, the smallest first.",
                                        "anyOf": [
                                            {"type": "array", "items": {"type": "number"}},
                                            STRING,
                                        ],
                                    },
                                },
                            },
                        },
                    },
                },
                "example": {
                    "object": "list",
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
                    "model": "demo/demo-embedding",
                    "usage": {"prompt_tokens": 2, "total_tokens": 2},
                },
            }
        },
    }
}
EMBEDDINGS_BODY: Document = {"model": "demo/demo-embedding", "input": ["Venus", "Mars"]}
OPENAI_MODEL: Document = {
    "id": "demo/demo",
    "object": "model",
    "created": 0,
    "owned_by": "demo",
}
ANTHROPIC_MODEL: Document = {
    "type": "model",
    "id": "demo/demo",
    "display_name": "demo",
    "created_at": "1970-01-01T00:00:00Z",
    "lifecycle": "active",
}


def in_both(openai: Document, anthropic: Document, description: str) -> Responses:
    """Describe an answer that looks as its client wants it."""
    schema = {
        "anyOf": [{"type": "object", "required": sorted(shape)} for shape in (openai, anthropic)]
    }
    examples = {"openai": {"value": openai}, "anthropic": {"value": anthropic}}
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {200: {"description": description, "content": content}}


MODEL = in_both(OPENAI_MODEL, ANTHROPIC_MODEL, "The model.")
MODELS = in_both(
    {"object": "list", "data": [OPENAI_MODEL]},
    {
        "data": [ANTHROPIC_MODEL],
        "has_more": False,
        "first_id": "demo/demo",
        "last_id": "demo/demo",
    },
    "The models.",
)
