"""What a message consists of, for the OpenAPI document: answers are written without these types."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType


class AnthropicText(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Text of a reply."""

    text: str


class AnthropicThinking(Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True):
    """What a model thought; the signature is to be given back with it."""

    thinking: str
    signature: str


class AnthropicRedactedThinking(
    Struct, tag_field="type", tag="redacted_thinking", forbid_unknown_fields=True
):
    """What a vendor wants back, and nobody else reads."""

    data: str


class AnthropicToolUse(Struct, tag_field="type", tag="tool_use", forbid_unknown_fields=True):
    """A call of a tool."""

    id: str
    name: str
    input: dict[str, Any]


class AnthropicTokenDetails(Struct, forbid_unknown_fields=True):
    """What output tokens were spent on."""

    thinking_tokens: int


class AnthropicCacheCreation(Struct, forbid_unknown_fields=True):
    """What was written to a cache, by how long it is kept."""

    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class AnthropicUsage(Struct, forbid_unknown_fields=True):
    """What a message used; input tokens count apart that were cached, or written to a cache."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    cache_creation: AnthropicCacheCreation | UnsetType = UNSET
    output_tokens_details: AnthropicTokenDetails | UnsetType = UNSET


class AnthropicStopDetails(Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True):
    """Why a model refused, which nobody says here."""

    category: None
    explanation: None


class AnthropicMessage(Struct, tag_field="type", tag="message", forbid_unknown_fields=True):
    """A whole reply."""

    id: str
    role: Literal["assistant"]
    model: str
    content: list[AnthropicText | AnthropicThinking | AnthropicRedactedThinking | AnthropicToolUse]
    stop_reason: Literal[
        "end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "pause_turn"
    ]
    stop_sequence: str | None
    usage: AnthropicUsage
    stop_details: AnthropicStopDetails | UnsetType = UNSET


class AnthropicCount(Struct, forbid_unknown_fields=True):
    """How many tokens a message would have."""

    input_tokens: int
