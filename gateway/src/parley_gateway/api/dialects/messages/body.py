"""Bodies, as clients send them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from parley_gateway.api.dialects.messages.blocks import (
    AnthropicInputMessage,
    AnthropicInstruction,
    Control,
)
from parley_gateway.api.schemas.chats import MOST_TOKENS

# Fewer make no thought, says the dialect.
LEAST_THINKING = 1024
MOST_STOPS = 16
# Who calls a tool unless something else is said: the model, and no program of its.
ITSELF = "direct"
Tokens = Annotated[int, Meta(ge=1, le=MOST_TOKENS)]
Count = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]
Label = Annotated[str, Meta(min_length=1, max_length=200)]


class AnthropicTool(Struct, forbid_unknown_fields=True, kw_only=True):
    """A tool that the client runs."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    cache_control: Control = None
    eager_input_streaming: bool | None = None
    strict: bool | None = None
    # What only vendors know that speak the dialect.
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    input_examples: list[dict[str, Any]] | None = None

    @property
    def is_special(self) -> bool:
        """Whether it says what only vendors know that speak the dialect."""
        callers = self.allowed_callers or [ITSELF]
        return bool(self.defer_loading or self.input_examples or callers != [ITSELF])


class AnthropicChoice(Struct, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """How free a model is to call tools."""

    disable_parallel_tool_use: bool | None = None


class AnthropicChoiceAuto(AnthropicChoice, tag="auto"):
    """The model decides."""


class AnthropicChoiceAny(AnthropicChoice, tag="any"):
    """It must call a tool, whichever."""


class AnthropicChoiceTool(AnthropicChoice, tag="tool"):
    """It must call the tool that is named."""

    name: Label


class AnthropicChoiceNone(Struct, tag_field="type", tag="none", forbid_unknown_fields=True):
    """It must call none."""


class AnthropicThinkingEnabled(Struct, tag_field="type", tag="enabled", forbid_unknown_fields=True):
    """It thinks, with at most so many tokens."""

    budget_tokens: Annotated[int, Meta(ge=LEAST_THINKING, le=MOST_TOKENS)]
    display: Literal["summarized", "omitted"] | None = None


class AnthropicThinkingAdaptive(
    Struct, tag_field="type", tag="adaptive", forbid_unknown_fields=True
):
    """It thinks as long as it sees fit."""

    display: Literal["summarized", "omitted"] | None = None


class AnthropicThinkingDisabled(
    Struct, tag_field="type", tag="disabled", forbid_unknown_fields=True
):
    """It does not think."""


class AnthropicFormat(Struct, forbid_unknown_fields=True):
    """JSON of a schema, instead of prose."""

    type: Literal["json_schema"]
    # `schema` on the wire.
    form: dict[str, Any] = field(name="schema")


class AnthropicOutput(Struct, forbid_unknown_fields=True):
    """What a reply is to be like."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: AnthropicFormat | None = None
    # What only vendors know that speak the dialect.
    task_budget: dict[str, Any] | None = None


class AnthropicPrompt(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a model is asked, without what limits its reply.

    What it does not know is not forbidden, but handed on (`bodies.decode`).
    """

    model: Label
    messages: Annotated[list[AnthropicInputMessage], Meta(min_length=1)]
    system: str | list[AnthropicInstruction] | None = None
    tools: list[AnthropicTool] | None = None
    tool_choice: (
        AnthropicChoiceAuto | AnthropicChoiceAny | AnthropicChoiceTool | AnthropicChoiceNone | None
    ) = None
    thinking: (
        AnthropicThinkingEnabled | AnthropicThinkingAdaptive | AnthropicThinkingDisabled | None
    ) = None
    output_config: AnthropicOutput | None = None
    output_format: AnthropicFormat | None = None
    # Asks to keep all of the prompt.
    cache_control: Control = None


class AnthropicBody(AnthropicPrompt):
    """What is sent to have a reply."""

    max_tokens: Tokens
    stop_sequences: (
        Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=MOST_STOPS)] | None
    ) = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Count | None = None
    stream: bool | None = None
    metadata: Any = None
    service_tier: Literal["auto", "standard_only"] | None = None
