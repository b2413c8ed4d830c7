"""Messages, turns and chats over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.fields import (
    ChatId,
    FilledText,
    Label,
    ModelChoices,
    Page,
    base64_only,
    body,
    example,
    whole,
)

MOST_TOKENS = 2**31 - 1
Picture = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]


class Attachment(BaseModel):
    """A picture for the model to look at."""

    model_config = body(examples.ATTACHMENT)

    media_type: Picture
    data: Annotated[
        str,
        AfterValidator(base64_only),
        Field(
            min_length=1,
            description="The bytes, in base64.",
            json_schema_extra={"format": "byte"},
        ),
    ]
    name: Label | None = None


class ChatBody(BaseModel):
    """A message for a model, and what else is to be said of the turn."""

    model_config = ConfigDict(**body(examples.CHAT_BODY), strict=True)

    message: Annotated[FilledText, Field(description="At most 200,000 characters (a setting).")]
    chat_id: Annotated[
        ChatId | None, Field(description="A chat that is not there is made; none means a new one.")
    ] = None
    provider: Annotated[Label | None, Field(description="The chat's last one, or the default.")] = (
        None
    )
    model: Annotated[Label | None, Field(description="The chat's last one, or the default.")] = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS), BeforeValidator(whole)] | None = None
    system_prompt_id: Annotated[
        Label | None, Field(description="A prompt for this turn alone.")
    ] = None
    attachments: Annotated[list[Attachment], Field(max_length=10)] | None = None
    fallbacks: Annotated[
        ModelChoices | None,
        Field(
            description="Who is asked instead when the provider fails before its first token, in "
            "this order: `provider/model`, or `provider` for its default model. None or an empty "
            "list means the administrator's list."
        ),
    ] = None
    stream: Annotated[bool | None, Field(description="Answer with server-sent events.")] = None


class Usage(BaseModel):
    """The tokens of a reply; `source` says how sure they are."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    source: Literal["reported", "counted", "estimated"] | None


class Cost(BaseModel):
    """What a reply cost."""

    amount: Annotated[str, Field(description="A decimal number.")]
    currency: Literal["USD"] = "USD"
    price_version: str


class ChatAnswer(BaseModel):
    """A turn that has ended."""

    model_config = example(examples.CHAT_ANSWER)

    chat_id: str
    message_id: str
    response: str
    provider: str
    model: str
    status: str
    finish_reason: str | None
    usage: Usage | None
    cost: Annotated[Cost | None, Field(description="Null when the price is unknown.")]
    created_at: datetime


class Chat(BaseModel):
    """A chat without its messages."""

    chat_id: str
    title: str
    provider: str | None
    model: str | None
    message_count: int
    created_at: datetime
    updated_at: datetime


class ChatPage(Page):
    """Chats, the most recently changed first."""

    model_config = example(examples.CHAT_PAGE)

    chats: list[Chat]


class ToolCall(BaseModel):
    """A call of a tool that a reply asks for."""

    tool_call_id: str
    name: str
    arguments: Annotated[
        str, Field(description="JSON as the model wrote it; it may not even be JSON.")
    ]


class Message(BaseModel):
    """One message of a chat."""

    model_config = example(examples.MESSAGE)

    message_id: str
    parent_id: str | None
    sibling_ids: list[str]
    seq: int
    role: str
    content: str
    reasoning: str | None
    status: str
    finish_reason: str | None
    provider: str | None
    model: str | None
    prompt_version: int | None
    tool_calls: Annotated[list[ToolCall], Field(description="What a reply ended with, in order.")]
    usage: Usage | None
    cost: Cost | None
    created_at: datetime


class Tokens(BaseModel):
    """The tokens of all messages of a chat."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int


class TotalCost(BaseModel):
    """What the messages of a chat cost whose price is known."""

    amount: Annotated[str, Field(description="A decimal number.")]
    currency: Literal["USD"] = "USD"


class ChatTotals(BaseModel):
    """What the messages of a chat used and cost together: the sums of what each says."""

    usage: Tokens
    cost: TotalCost
    unpriced_messages: Annotated[
        int, Field(description="Used tokens at an unknown price, so no cost tells them.")
    ]
    unsettled_messages: Annotated[
        int, Field(description="What they used and cost is known in a moment.")
    ]


class ChatHistory(Chat, ChatTotals, Page):
    """A chat and a part of its messages, oldest first."""

    model_config = example(examples.CHAT_HISTORY)

    messages: list[Message]
