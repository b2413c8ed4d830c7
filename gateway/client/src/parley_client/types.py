"""What the gateway answers, as plain values.

Statuses, roles, reasons and sources are strings, so that a newer gateway may add to them. Fields
that this client does not know are ignored; fields with a default may be missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_page_token` is None at its end."""

    items: tuple[T, ...]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route, and what it does."""

    method: str
    path: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """Who answers, and what it offers."""

    name: str
    version: str
    links: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the platform; `status` is "ok" when all services and the database are there."""

    status: str
    version: str
    services: Mapping[str, str]
    providers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply took; `source` is reported, counted or estimated, or None when unknown.

    Input that a vendor wrote to its cache is told of calls in the ledger only.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    source: str | None = "reported"
    cache_write_tokens: int = 0
    long_cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a reply cost."""

    amount: Decimal
    currency: str = "USD"
    price_version: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture for the model to look at: `image/png`, `image/jpeg`, `image/webp`, `image/gif`."""

    media_type: str
    data: bytes = field(repr=False)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one message, whole."""

    chat_id: str
    message_id: str
    response: str
    provider: str
    model: str
    status: str
    created_at: datetime
    finish_reason: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation, without its messages."""

    chat_id: str
    title: str
    message_count: int
    created_at: datetime
    updated_at: datetime
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a reply asks for; `arguments` are JSON as the model wrote it."""

    tool_call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; `status` is running, complete, stopped, failed or interrupted."""

    message_id: str
    role: str
    content: str
    status: str
    created_at: datetime
    seq: int = 0
    parent_id: str | None = None
    sibling_ids: tuple[str, ...] = ()
    reasoning: str | None = None
    finish_reason: str | None = None
    provider: str | None = None
    model: str | None = None
    prompt_version: int | str | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A chat with one page of its messages, oldest first."""

    chat: Chat
    messages: Page[Message]


@dataclass(frozen=True, slots=True)
class ActivePrompt:
    """The system prompt that the caller's next message will use."""

    prompt: str
    prompt_id: str
    name: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class Prompt:
    """A system prompt of the library; a `shared` one belongs to everybody and cannot be changed."""

    prompt_id: str
    name: str
    content: str
    description: str | None = None
    version: int = 1
    is_active: bool = False
    shared: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plugin:
    """The package a provider comes from."""

    package: str
    version: str


@dataclass(frozen=True, slots=True)
class Credential:
    """Where a provider's key comes from: environment, stored, or unreadable; never the key."""

    source: str
    last4: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a provider is configured, as administrators see it."""

    base_url: str | None = None
    priority: int = 0
    max_replies: int = 0
    fallbacks: tuple[str, ...] = ()
    retry_timeouts: bool = False
    credential: Credential | None = None
    default_model_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody who offers models; `error` says why it cannot be used, if so.

    `kind` names the plugin's provider that it configures; `circuit` is closed, open (it failed
    too often and is left alone) or half_open; `running` counts its replies in one process.
    """

    name: str
    display_name: str
    status: str
    enabled: bool = True
    is_default: bool = False
    default_model: str | None = None
    models: tuple[str, ...] = ()
    plugin: Plugin | None = None
    error: str | None = None
    kind: str = ""
    circuit: str = "unknown"
    running: int = 0
    configuration: Configuration | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """How many stored keys were encrypted anew, and whose no master key opens."""

    rotated: int
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a model; the provider's default when `model` is None."""

    alias: str
    provider: str
    model: str | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost; cached input costs as any when `cached_input` is None.

    So does what is written to a cache, by `cache_write`. What is kept there long costs as that,
    unless `long_cache_write` says otherwise.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    currency: str = "USD"
    version: str | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    long_cache_write: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a provider; None where the vendor does not say.

    `overridden` when an administrator added it or changed what is known of it; `gone_at` when
    its vendor lists it no more.
    """

    name: str
    display_name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] = ()
    price: Price | None = None
    overridden: bool = False
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """The outcome of asking a provider just now."""

    provider: str
    status: str
    latency_ms: float | None = None
    checked_at: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A turn was accepted: from here on it goes on without us.

    `position` of this and of the other events is the place in the reply behind the event, to go
    on from with `stream_message`.
    """

    chat_id: str
    message_id: str
    provider: str
    model: str
    user_message_id: str | None = None
    position: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Some more of the reply."""

    text: str
    position: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Some more of what the model thinks before it replies."""

    text: str
    position: str = ""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The reply is over and stored; `status` is complete or stopped, say."""

    message_id: str
    status: str
    finish_reason: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    position: str = ""


TurnEvent = TurnStart | TextDelta | ReasoningDelta | TurnEnd
