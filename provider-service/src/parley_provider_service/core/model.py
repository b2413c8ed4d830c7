"""What the provider service speaks of. Replies and their parts are the SDK's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from parley_provider_sdk import (
    EmbeddingRequest,
    FinishReason,
    Logprobs,
    Provider,
    ReasoningDelta,
    ReplyRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from typing_extensions import override

from parley_provider_service.core.allowances import Allowance, Share


class ProviderStatus(StrEnum):
    """How a provider stands."""

    READY = "ready"
    UNCONFIGURED = "unconfigured"
    UNHEALTHY = "unhealthy"
    DISABLED = "disabled"
    BROKEN = "broken"


class CredentialSource(StrEnum):
    """Where a provider's key comes from."""

    NONE = ""
    ENVIRONMENT = "environment"
    STORED = "stored"
    # Stored, and no master key opens it.
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Credential:
    """What may be told of a key."""

    source: CredentialSource = CredentialSource.NONE
    last4: str = ""


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
    # The name that its plugin has for it; another one for a further configuration of the same.
    kind: str = ""
    # The model that its plugin calls the default; empty when it names none.
    default_model: str = ""
    # The default only while no other is ready.
    stand_in: bool = False
    # Counts as set up only once its server has answered.
    detected: bool = False
    # The API whose words it passes on to its vendor as options; empty when none but its own.
    dialect: str = ""
    # Seconds before the first token that it needs at the least.
    first_token_seconds: float = 0.0
    # Where its key comes from, and the last characters of it.
    credential: Credential = Credential()
    # Makes another configuration of it; None for one that could not be loaded.
    configure: Callable[[Wish], Installed] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a plugin is to be configured. None means that nobody has decided."""

    name: str
    # None means as its plugin calls itself.
    display_name: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    # A stored key that no master key opens: it is not replaced by another one.
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """What an administrator may decide about a provider; None means nobody has."""

    enabled: bool = True
    # Lower ones come first.
    priority: int = 100
    is_default: bool | None = None
    default_model: str | None = None
    # The plugin's name for it; None for the configuration that comes with the plugin.
    kind: str | None = None
    display_name: str | None = None
    base_url: str | None = None
    # The encrypted key.
    sealed: bytes | None = field(default=None, repr=False)
    # Replies at once in one process; None means the service's setting.
    max_replies: int | None = None
    # Who is asked instead, as `provider/model`.
    fallbacks: tuple[str, ...] = ()
    # Whether a reply that began too late is asked for again.
    retry_timeouts: bool = False
    # When an administrator last changed its models.
    models_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model of a provider; an empty model means the provider's default."""

    provider: str
    model: str = ""

    @classmethod
    def parsed(cls, text: str) -> ModelChoice:
        """Read `provider/model`, or a provider alone."""
        provider, _, model = text.partition("/")
        return cls(provider, model)

    @override
    def __str__(self) -> str:
        """Write it as `provider/model`, or the provider alone."""
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in nano-dollars."""

    input: int
    output: int
    # For input that the vendor had cached; None means as any other.
    cached_input: int | None
    # Where the price comes from, and its date.
    version: str
    # For input that the vendor writes to its cache; None means as any other.
    cache_write: int | None = None
    # For what of that it keeps long; None means as the rest of it.
    long_cache_write: int | None = None

    @property
    def rates(self) -> tuple[int, int, int, int]:
        """What input costs: any, cached, written to a cache, and kept there long."""
        cached = self.input if self.cached_input is None else self.cached_input
        write = self.input if self.cache_write is None else self.cache_write
        lasting = write if self.long_cache_write is None else self.long_cache_write
        return self.input, cached, write, lasting


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
    # When the vendor stopped listing it; None while it does.
    gone_at: datetime | None = None
    # An administrator put it in, or changed what is known of it.
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What an administrator lays over what is known of a model; None changes nothing."""

    display_name: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] | None = None
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
    config: Config = Config()
    circuit: str = "closed"
    running: int = 0
    max_replies: int = 0


@dataclass(frozen=True, slots=True)
class Checkup:
    """What came of asking a provider how it is."""

    provider: str
    status: ProviderStatus
    latency_ms: float
    checked_at: datetime
    detail: str


Owners: TypeAlias = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One reply that somebody wants. `seconds` is the time it may take altogether."""

    usage_id: UUID
    owner_id: UUID
    key_id: str
    provider: str
    request: ReplyRequest
    seconds: float
    # Who is asked instead; empty means whom an administrator named.
    fallbacks: Sequence[ModelChoice] = ()
    # What the key that was shown may be used for.
    scopes: frozenset[str] = frozenset()
    # What it counts against.
    allowances: Sequence[Allowance] = ()
    # The API in whose words its options are; empty means the vendor's own.
    options_dialect: str = ""
    # Of each message's parts the providers whose metadata they hold; empty means whoever is asked.
    owners: Owners = ()
    # There when vectors are wanted, for the texts that the request holds.
    embedding: EmbeddingRequest | None = None


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
    # What it holds of its caller's allowances, at most one of each.
    shares: Sequence[Share] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, and the price list that said so."""

    nano_usd: int
    price_version: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """One time that a vendor was asked. No usage means that nothing was produced or reported."""

    provider: str
    model: str
    # A finish reason, a fault's reason, or `stopped`.
    outcome: str
    usage: Usage | None = None
    cost: Cost | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended, whoever was asked: the sums of what was used, and each attempt."""

    usage_id: UUID
    outcome: str
    usage: Usage | None
    cost: Cost | None
    output_chars: int
    attempts: Sequence[Attempted] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What a call has produced so far, and by whom: what a sweeper would need to settle it."""

    output_chars: int
    provider: str = ""
    model: str = ""
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One row of the ledger."""

    usage_id: UUID
    settled: bool
    usage: Usage | None
    cost: Cost | None
    owner_id: UUID | None = None
    key_id: str = ""
    provider: str = ""
    model: str = ""
    outcome: str = ""
    started_at: datetime | None = None
    settled_at: datetime | None = None
    attempts: Sequence[Attempted] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a reply: settled."""

    reason: FinishReason
    usage: Usage
    cost: Cost | None
    provider: str = ""
    model: str = ""
    # The text of `stop` that ended it, where somebody says so.
    stop_sequence: str = ""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who makes the reply, when somebody else was asked first, or nobody by name."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Vectors:
    """What was made of texts, one for each, in their order."""

    vectors: Sequence[Sequence[float]]


# What the one who asked for a reply is told.
Event: TypeAlias = (
    TextDelta | ReasoningDelta | ToolCallDelta | Logprobs | UsageUpdate | Answerer | Vectors | Ended
)
