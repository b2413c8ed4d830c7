"""Blocks of content, as clients send them; what none of these types knows is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Address = Annotated[str, Meta(pattern=r"^https?://", max_length=8192)]
Bytes = Annotated[bytes, Meta(min_length=1)]


class AnthropicCacheControl(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Asks a vendor to keep the prompt up to here."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None
    # Who else may profit, which is the vendor's own affair.
    scope: Any = None


Control = AnthropicCacheControl | None


class AnthropicBlock(Struct, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """A piece of content."""

    cache_control: Control = None


class AnthropicTextBlock(AnthropicBlock, tag="text"):
    """Text."""

    text: str
    citations: Any = None


class AnthropicInstruction(Struct, forbid_unknown_fields=True):
    """Text where there is nothing else."""

    type: Literal["text"]
    text: str
    cache_control: Control = None
    citations: Any = None


class AnthropicImageData(Struct, tag_field="type", tag="base64", forbid_unknown_fields=True):
    """An image, here and now."""

    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Bytes


class AnthropicAddress(Struct, tag_field="type", tag="url", forbid_unknown_fields=True):
    """Where a vendor finds an image or a document."""

    url: Address


class AnthropicPdf(Struct, tag_field="type", tag="base64", forbid_unknown_fields=True):
    """A PDF, here and now."""

    media_type: Literal["application/pdf"]
    data: Bytes


class AnthropicPlainText(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """A document that is all text."""

    media_type: Literal["text/plain"]
    data: Annotated[str, Meta(min_length=1)]


class AnthropicImageBlock(AnthropicBlock, tag="image"):
    """An image."""

    source: AnthropicImageData | AnthropicAddress
    transformations: Annotated[dict[str, Any], Meta(max_length=0)] | None = None


class AnthropicCitations(Struct, forbid_unknown_fields=True):
    """Whether a reply is to cite, which it cannot here."""

    enabled: Literal[False] = False


class AnthropicDocumentBlock(AnthropicBlock, tag="document"):
    """A document."""

    source: AnthropicPdf | AnthropicPlainText | AnthropicAddress
    title: str | None = None
    context: str | None = None
    citations: AnthropicCitations | None = None


class AnthropicResultText(Struct, forbid_unknown_fields=True):
    """A document that is all text, where there is no other."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class AnthropicResultDocument(AnthropicBlock, tag="document"):
    """A document that a tool answered."""

    source: AnthropicResultText
    title: str | None = None
    context: str | None = None
    citations: AnthropicCitations | None = None


class AnthropicCaller(Struct, forbid_unknown_fields=True):
    """Who asked for a call: the model itself."""

    type: Literal["direct"]


class AnthropicToolUseBlock(AnthropicBlock, tag="tool_use"):
    """A call of a tool that a model asked for."""

    id: str
    name: str
    input: dict[str, Any]
    caller: AnthropicCaller | None = None
    toolset_name: None = None


class AnthropicToolResultBlock(AnthropicBlock, tag="tool_result"):
    """What a tool answered."""

    tool_use_id: str
    content: (
        str | list[AnthropicTextBlock | AnthropicImageBlock | AnthropicResultDocument] | None
    ) = None
    is_error: bool | None = None


class AnthropicThinkingBlock(AnthropicBlock, kw_only=True, tag="thinking"):
    """What a model thought."""

    thinking: str
    signature: str = ""
    cache_control: None = None


class AnthropicRedactedThinkingBlock(AnthropicBlock, kw_only=True, tag="redacted_thinking"):
    """What only its vendor can read."""

    data: str
    cache_control: None = None


UserContent = (
    str
    | list[
        AnthropicTextBlock | AnthropicImageBlock | AnthropicDocumentBlock | AnthropicToolResultBlock
    ]
)
AssistantContent = (
    str
    | list[
        AnthropicTextBlock
        | AnthropicThinkingBlock
        | AnthropicRedactedThinkingBlock
        | AnthropicToolUseBlock
    ]
)


class AnthropicUserMessage(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    """What somebody says, or tools answer."""

    content: UserContent


class AnthropicAssistantMessage(
    Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True
):
    """What a model said; as the last one, how its reply begins."""

    content: AssistantContent


class AnthropicSystemMessage(Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    """An instruction among the messages; it counts as one before them."""

    content: str | list[AnthropicInstruction]


AnthropicInputMessage = AnthropicUserMessage | AnthropicAssistantMessage | AnthropicSystemMessage
