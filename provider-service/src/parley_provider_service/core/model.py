"""What the provider service speaks of. Replies and their parts are the SDK's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from parley_provider_sdk import (
    FinishReason,
    Provider,
    ReasoningDelta,
    ReplyRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)


class ProviderStatus(StrEnum):
    """How a provider stands."""

    READY = "ready"
    UNCONFIGURED = "unconfigured"
    UNHEALTHY = "unhealthy"
    DISABLED = "disabled"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Installed:
    """One provider that a plugin brings, or what is left of one that could not be loaded."""

    name: str
    display_name: str
    # The distribution it came from.
    package: str
    version: str
    # What keeps it from working, and what to do; empty when nothing does.
    error: str = ""
    broken: bool = False
    # Its tokens cost nothing.
    free: bool = False
    # Where its vendor is reached; empty when its settings do not say.
    base_url: str = ""
    # There when it is configured.
    provider: Provider | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What an administrator may decide about a provider; None means nobody has."""

    enabled: bool = True
    # Lower ones come first.
    priority: int = 100
    is_default: bool | None = None
    default_model: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in nano-dollars."""

    input: int
    output: int
    # For input that the vendor had cached; None means as any other.
    cached_input: int | None
    # Where the price comes from, and its date.
    version: str


FREE = Price(0, 0, 0, "free")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model besides what its vendor says; 0 and None mean unknown."""

    context_window: int
    price: Price | None


@dataclass(frozen=True, slots=True)
class Model:
    """One model in the catalogue."""

    provider: str
    name: str
    display_name: str
    # In tokens; 0 when unknown.
    context_window: int = 0
    max_output_tokens: int = 0
    capabilities: frozenset[str] = frozenset()
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """How a provider stands, for a list."""

    installed: Installed
    status: ProviderStatus
    enabled: bool
    is_default: bool
    default_model: str
    models: Sequence[str]
    error: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What came of asking a provider how it is."""

    provider: str
    status: ProviderStatus
    latency_ms: float
    checked_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One reply that somebody wants. `seconds` is the time it may take altogether."""

    usage_id: UUID
    owner_id: UUID
    key_id: str
    provider: str
    request: ReplyRequest
    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """The ledger's row while a call runs: enough to settle it when nobody else can."""

    usage_id: UUID
    owner_id: UUID
    key_id: str
    provider: str
    model: str
    input_chars: int
    price: Price | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, and the price list that said so."""

    nano_usd: int
    price_version: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended. No usage means that nothing was produced and nothing reported."""

    usage_id: UUID
    # A finish reason, a fault's reason, or `stopped`.
    outcome: str
    usage: Usage | None
    cost: Cost | None
    output_chars: int


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One row of the ledger."""

    usage_id: UUID
    settled: bool
    usage: Usage | None
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a reply: settled."""

    reason: FinishReason
    usage: Usage
    cost: Cost | None


# What the one who asked for a reply is told.
Event: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta | UsageUpdate | Ended
