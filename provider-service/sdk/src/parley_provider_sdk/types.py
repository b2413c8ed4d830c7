"""What a provider is asked and what it answers: plain frozen values, one to one with the contract.

`provider_metadata` is JSON that the vendor wants back unchanged with a piece (signatures, encrypted
reasoning); it is stored and given back, and nobody but the provider that made it looks inside.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL = "tool"
    REFUSAL = "refusal"
    FILTERED = "filtered"
    PAUSED = "paused"
    OTHER = "other"


class ToolMode(StrEnum):
    # The model decides, which is what vendors do when nothing is said.
    AUTO = "auto"
    NONE = "none"
    # It must call one, whichever.
    REQUIRED = "required"
    # It must call the one that is named.
    NAMED = "named"


class Effort(StrEnum):
    """How long a model thinks before it answers; a plugin takes the nearest that the model has."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


class Keep(StrEnum):
    """How long a vendor is asked to keep the prompt up to a mark, for the next that begins alike.

    A prompt is its tools, then the instruction, then the messages. A provider whose vendor takes
    no marks, or keeps prompts unasked, ignores them.
    """

    # For some minutes.
    SHORT = "short"
    # For about an hour.
    LONG = "long"


class UsageSource(StrEnum):
    # The vendor said so.
    REPORTED = "reported"
    # Counted with the model's own tokens.
    COUNTED = "counted"
    # Estimated from the length of the text.
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str
    provider_metadata: bytes = b""
    # Asks to keep the prompt up to the end of this piece.
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    media_type: str
    data: bytes = field(repr=False)
    name: str = ""
    provider_metadata: bytes = b""
    # Where the vendor fetches it, http or https, in place of data; the media type may be unknown.
    url: str = ""
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    media_type: str
    data: bytes = field(repr=False)
    name: str = ""
    provider_metadata: bytes = b""
    # Where the vendor fetches it, http or https, in place of data; the media type may be unknown.
    url: str = ""
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    tool_call_id: str
    name: str
    # JSON text, exactly as the model wrote it; it may not even be JSON.
    arguments: str
    provider_metadata: bytes = b""
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    tool_call_id: str
    content: str
    is_error: bool = False
    provider_metadata: bytes = b""
    # Belong to the answer, after its text.
    images: Sequence[ImagePart] = ()
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    text: str
    provider_metadata: bytes = b""


Part: TypeAlias = TextPart | ImagePart | FilePart | ToolCallPart | ToolResultPart | ReasoningPart


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str = ""
    # The JSON schema of the arguments, as JSON text; empty when it takes none.
    parameters: str = ""
    # Whether the vendor must keep to the schema, where it makes that difference.
    strict: bool = False
    # Asks to keep the tools up to this one.
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class SystemMark:
    """Asks to keep the tools and the beginning of the instruction, of so many characters."""

    end: int
    keep: Keep


@dataclass(frozen=True, slots=True)
class ToolChoice:
    mode: ToolMode = ToolMode.AUTO
    # With NAMED only.
    name: str = ""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Asks for JSON instead of prose."""

    # The JSON schema of the reply, as JSON text; empty means any JSON object.
    schema: str = ""
    name: str = "reply"
    # Whether the vendor must keep to the schema, where it makes that difference.
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a provider waits for its vendor; past them it raises BackendTimeout.

    The time of the whole reply is not here: the service ends a reply by cancelling it.
    """

    # For a connection. Past it the vendor is not slow but away: BackendUnreachable.
    connect: float = 5.0
    # From the call to the first piece of the reply.
    first_token: float = 60.0
    # From one sign of life to the next. Half an event is no sign of life.
    idle: float = 30.0
    # For a reply that comes in one piece, in place of the two above: it shows no life before.
    whole: float = 600.0


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    model: str
    # Oldest first, never empty.
    messages: Sequence[Message]
    # Empty means no instruction.
    system: str = ""
    # None means the vendor's default; 0 is 0.
    temperature: float | None = None
    max_tokens: int | None = None
    # False is a hint: nobody watches, so the whole text may come in one delta.
    stream: bool = True
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice = ToolChoice()
    # None means the vendor's default.
    parallel_tool_calls: bool | None = None
    output: OutputFormat | None = None
    reasoning_effort: Effort | None = None
    # Texts at which the reply ends, themselves left out.
    stop: Sequence[str] = ()
    top_p: float | None = None
    seed: int | None = None
    # What only this vendor knows, passed on as it is.
    provider_options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = Limits()
    # Make a token less likely the more often it has come, or once it has come; -2 to 2.
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    # Limits the choice to so many of the likeliest tokens.
    top_k: int | None = None
    # Asks for the probability of each token and of so many others in its place, 0 to 20.
    top_logprobs: int | None = None
    # The most tokens to think with, for vendors that count them; the effort is for all others.
    reasoning_tokens: int | None = None
    # In order of their ends, which lie within the instruction.
    system_marks: Sequence[SystemMark] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    # All input tokens, cached ones included.
    input_tokens: int
    # All output tokens, reasoning included.
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = UsageSource.REPORTED
    # Input tokens that the vendor wrote to its cache, none of them cached ones; how many it keeps
    # long.
    cache_write_tokens: int = 0
    long_cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text that follows what came before. Metadata ends the piece: what follows begins another."""

    text: str
    provider_metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Like TextDelta; a piece may be all metadata and no text (reasoning that is encrypted)."""

    text: str
    provider_metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    # Counts the calls of this reply from 0.
    index: int
    # Id and name come with the first delta of a call only, metadata with the last only.
    tool_call_id: str = ""
    name: str = ""
    arguments: str = ""
    provider_metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """The probability of one token, as its natural logarithm."""

    token: str
    logprob: float
    # Empty when the vendor does not say.
    spelling: bytes = b""
    # The likeliest tokens in its place, without others in theirs.
    top: Sequence[TokenLogprob] = ()


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Probabilities of tokens of the text that came before, each token once."""

    tokens: Sequence[TokenLogprob]


@dataclass(frozen=True, slots=True)
class UsageUpdate:
    """What is known so far; never less than the one before."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The end. Exactly one, and nothing after it; a reply without it has failed."""

    reason: FinishReason
    usage: Usage
    # The text of `stop` that ended it, where the vendor says so.
    stop_sequence: str = ""


ReplyEvent: TypeAlias = (
    TextDelta | ReasoningDelta | ToolCallDelta | Logprobs | UsageUpdate | Finished
)
# A generator rather than any iterator, because whoever stops listening must be able to close it.
ReplyStream: TypeAlias = AsyncGenerator[ReplyEvent, None]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    model: str
    # Never empty, nor is any of them.
    texts: Sequence[str]
    # So many numbers in each vector; None means as many as the model makes.
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    # One for each text, in order.
    vectors: Sequence[Sequence[float]]
    # None when the vendor does not count; there is no output.
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Price:
    input_nano_usd_per_million: int
    output_nano_usd_per_million: int
    # Where the price comes from, and its date.
    version: str
    # None means as other input.
    cached_input_nano_usd_per_million: int | None = None
    # For what is written to a cache: None means as other input, of what is kept long as the rest.
    cache_write_nano_usd_per_million: int | None = None
    long_cache_write_nano_usd_per_million: int | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the vendor says of a model; what it does not say, the service's catalogue adds."""

    name: str
    display_name: str = ""
    # In tokens; 0 when the vendor does not say.
    context_window: int = 0
    max_output_tokens: int = 0
    # Of: text, images, tools, reasoning, structured_output; embedding for what does not chat. Empty
    # when the vendor does not say.
    capabilities: frozenset[str] = frozenset()
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Health:
    healthy: bool
    # One sentence: what was found and, when it is not well, what to do.
    detail: str = ""
