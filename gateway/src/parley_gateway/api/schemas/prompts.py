"""The prompt library over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.fields import FilledText, Name, Page, Text, body, example


class PromptText(BaseModel):
    """A text for the caller's own prompt `custom`."""

    model_config = body(examples.PROMPT_TEXT)

    prompt: Annotated[FilledText, Field(max_length=100_000)]


class PromptCreate(BaseModel):
    """A new prompt."""

    model_config = body(examples.PROMPT_BODY)

    name: Name
    content: Annotated[FilledText, Field(max_length=100_000)]
    description: Annotated[Text, Field(max_length=1000)] | None = None


class PromptUpdate(BaseModel):
    """What is to change in a prompt; what is left out stays."""

    model_config = body(examples.PROMPT_CHANGE)

    name: Name | None = None
    content: Annotated[FilledText, Field(max_length=100_000)] | None = None
    description: Annotated[Text, Field(max_length=1000)] | None = None


class ActivePrompt(BaseModel):
    """The prompt that the caller's next turn uses."""

    model_config = example(examples.ACTIVE_PROMPT)

    prompt: str
    prompt_id: str
    name: str
    version: int


class Prompt(BaseModel):
    """A prompt of the library."""

    model_config = example(examples.PROMPT)

    prompt_id: str
    name: str
    content: str
    description: str
    version: int
    is_active: bool
    shared: bool
    created_at: datetime
    updated_at: datetime


class PromptPage(Page):
    """Prompts, by name."""

    model_config = example(examples.PROMPT_PAGE)

    prompts: list[Prompt]
