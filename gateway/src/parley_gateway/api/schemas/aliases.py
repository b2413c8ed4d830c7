"""Other names of models over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.fields import Label, Text, body, example


class AliasSet(BaseModel):
    """What an alias means from now on."""

    model_config = ConfigDict(**body(examples.ALIAS_SET), strict=True)

    provider: Label
    model: Annotated[
        Annotated[Text, Field(max_length=200)] | None,
        Field(description='Null, or `""`, means the provider\'s default.'),
    ] = None


class Alias(BaseModel):
    """Another name for a model."""

    model_config = example(examples.ALIAS)

    alias: str
    provider: str
    model: Annotated[str | None, Field(description="Null means the provider's default.")]
    updated_at: datetime


class AliasList(BaseModel):
    """All aliases, by name."""

    model_config = example(examples.ALIAS_LIST)

    aliases: list[Alias]
