"""Providers and models over HTTP."""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.fields import (
    Dollars,
    Label,
    ModelChoices,
    Text,
    body,
    example,
    whole,
)

MOST_TOKENS = 2**53  # what every JSON reader holds exactly
# A setter that is sent says something; one that is left out does not, whatever its default.
# `default_factory` keeps that default out of the document.
Switch = Annotated[bool, Field(default_factory=bool)]
TokenCount = Annotated[
    int, Field(default_factory=int, ge=1, le=MOST_TOKENS), BeforeValidator(whole)
]
BaseUrl = Annotated[str, Field(max_length=500, pattern=r"^[ -~]*$")]
Capability = Literal["text", "images", "files", "tools", "reasoning", "structured_output"]


class ProviderCreate(BaseModel):
    """Another configuration of an installed plugin."""

    model_config = ConfigDict(**body(examples.PROVIDER_CREATE), strict=True)

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$", description="No other provider's name."),
    ]
    plugin: Annotated[Label, Field(description="The `kind` of a provider that is listed.")]
    display_name: Annotated[Text, Field(max_length=100)] | None = None
    base_url: Annotated[
        BaseUrl | None, Field(description="Where its vendor is reached; else as its plugin has it.")
    ] = None


class ProviderUpdate(BaseModel):
    """What is to change in a provider; what is left out stays."""

    model_config = ConfigDict(**body(examples.PROVIDER_UPDATE), strict=True)

    enabled: Switch
    is_default: Switch
    default_model: Annotated[
        Annotated[Text, Field(max_length=200)] | None,
        Field(default_factory=NoneType, description='Null, or `""`, takes the choice back.'),
    ]
    base_url: Annotated[
        BaseUrl | None,
        Field(
            default_factory=NoneType,
            description='Null, or `""`, takes it back. Another one clears the stored key.',
        ),
    ]
    priority: Annotated[
        int,
        Field(default_factory=int, ge=0, le=1000, description="Lower ones come first."),
        BeforeValidator(whole),
    ]
    max_replies: Annotated[
        Annotated[int, Field(ge=0, le=10_000), BeforeValidator(whole)] | None,
        Field(
            default_factory=NoneType,
            description="Replies at once in one process; null, or 0, is the platform's setting.",
        ),
    ]
    fallbacks: Annotated[
        ModelChoices | None,
        Field(
            default_factory=NoneType,
            description="Who is asked instead when it fails before its first token, in order.",
        ),
    ]
    retry_timeouts: Annotated[
        Switch,
        Field(description="Ask again for a reply that began too late, which may bill twice."),
    ]
    display_name: Annotated[
        Annotated[Text, Field(max_length=100)] | None,
        Field(default_factory=NoneType, description='Null, or `""`, takes it back.'),
    ]


class Credential(BaseModel):
    """A vendor's key."""

    model_config = ConfigDict(**body(examples.CREDENTIAL), strict=True)

    api_key: Annotated[
        str,
        Field(
            pattern=r"^[!-~]{1,4096}$",
            description="Printable ASCII without spaces. Kept encrypted, and never answered.",
            json_schema_extra={"format": "password", "writeOnly": True},
        ),
    ]


class Rotation(BaseModel):
    """How many stored keys were encrypted anew, and whose none of the master keys opens."""

    model_config = example(examples.ROTATION)

    rotated: int
    unreadable: list[str]


class Plugin(BaseModel):
    """Where a provider comes from."""

    package: str
    version: str


class ShownCredential(BaseModel):
    """Where a provider's key comes from; the key itself is never answered."""

    source: Annotated[
        str, Field(description="`environment`, `stored`, or `unreadable` without its master key.")
    ]
    last4: Annotated[str | None, Field(description="Null when it is short, or not readable.")]


class Configuration(BaseModel):
    """How a provider is configured."""

    base_url: str | None
    priority: int
    max_replies: int
    fallbacks: list[str]
    retry_timeouts: bool
    credential: ShownCredential | None
    default_model_chosen: Annotated[
        bool, Field(description="False when `default_model` is the platform's guess.")
    ]


class Provider(BaseModel):
    """Somebody who offers models."""

    model_config = example(examples.PROVIDER)

    name: str
    display_name: str
    kind: Annotated[str, Field(description="The plugin's provider that this configures.")]
    status: str
    enabled: bool
    is_default: bool
    default_model: str | None
    models: list[str]
    plugin: Plugin
    error: str | None
    circuit: Annotated[
        str,
        Field(description="`closed`; `open`: it failed too often and is left alone; `half_open`."),
    ]
    running: Annotated[int, Field(description="Replies that it makes now, in one process.")]
    configuration: Annotated[
        Configuration | None, Field(description="For administrators; null for others.")
    ]


class ProviderList(BaseModel):
    """All providers, in order of preference."""

    model_config = example(examples.PROVIDER_LIST)

    providers: list[Provider]


AS_INPUT = "Of input that the vendor writes to its cache. Null means as any input."
AS_WRITE = "Of what it keeps there long. Null means as other input that it writes to its cache."


class PriceSet(BaseModel):
    """What a million tokens cost, in USD."""

    model_config = ConfigDict(extra="forbid", strict=True)

    input: Dollars
    output: Dollars
    cached_input: Annotated[Dollars | None, Field(description="Null means as any input.")] = None
    cache_write: Annotated[Dollars | None, Field(description=AS_INPUT)] = None
    long_cache_write: Annotated[Dollars | None, Field(description=AS_WRITE)] = None


class ModelUpdate(BaseModel):
    """What is laid over what is known of a model; what is left out stays."""

    model_config = ConfigDict(**body(examples.MODEL_UPDATE), strict=True)

    display_name: Annotated[Text, Field(default_factory=str, max_length=200)]
    context_window: TokenCount
    max_output_tokens: TokenCount
    capabilities: Annotated[
        list[Capability],
        Field(default_factory=list, max_length=20, description="What it can be asked for."),
    ]
    price: Annotated[PriceSet | None, Field(description="Null changes nothing.")] = None


class Price(BaseModel):
    """What a million tokens cost, as decimal numbers."""

    input: str
    output: str
    cached_input: Annotated[str | None, Field(description="Null means as any input.")]
    cache_write: Annotated[str | None, Field(description=AS_INPUT)]
    long_cache_write: Annotated[str | None, Field(description=AS_WRITE)]
    currency: Literal["USD"] = "USD"
    version: str


class Model(BaseModel):
    """A model; null where its vendor says nothing."""

    model_config = example(examples.MODEL)

    name: str
    display_name: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: list[str]
    price: Price | None
    overridden: Annotated[
        bool, Field(description="An administrator added it, or changed what is known of it.")
    ]
    gone_at: Annotated[
        datetime | None,
        Field(description="When its vendor stopped listing it; null while it does."),
    ]


class ModelList(BaseModel):
    """The models of a provider."""

    model_config = example(examples.MODEL_LIST)

    provider: str
    models: list[Model]


class ProviderHealth(BaseModel):
    """How a provider is, asked just now."""

    model_config = example(examples.PROVIDER_HEALTH)

    provider: str
    status: str
    latency_ms: float
    checked_at: datetime
    detail: str
