"""The platform itself over HTTP, and its failures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.fields import example

Word = Literal["ok", "unavailable"]


class Route(BaseModel):
    """A route and what it does."""

    method: str
    path: str
    summary: str


class About(BaseModel):
    """Who answers here, and what it offers."""

    model_config = example(examples.ABOUT)

    name: str
    version: str
    links: dict[str, str]
    routes: list[Route]


class Health(BaseModel):
    """How the platform is; `ok` when all services and the database are there."""

    model_config = example(examples.HEALTH)

    status: Word
    version: str
    services: dict[str, Word]
    providers: dict[str, str]


class Probe(BaseModel):
    """Whether the gateway works."""

    model_config = example({"status": "ok"})

    status: Word


class FieldError(BaseModel):
    """A field that breaks its rule."""

    pointer: Annotated[
        str,
        Field(description="A JSON Pointer into the body, or `/` and a parameter's name."),
    ]
    detail: str


class Problem(BaseModel):
    """A failure (RFC 9457)."""

    type: Annotated[str, Field(description="Leads to a page about the reason.")]
    title: str
    status: int
    detail: str
    instance: Annotated[str, Field(description="The request id.")]
    reason: Annotated[str, Field(description="What programs branch on.")]
    retryable: bool
    metadata: dict[str, str]
    errors: list[FieldError] | None = None
