"""What the prompt library speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as one user sees it."""

    prompt_id: str
    name: str
    content: str
    description: str
    # Counts the changes of the content from 1.
    version: int
    is_active: bool
    shared: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Title:
    """A prompt's name, with what follows from it: an id and a place in the list."""

    name: str
    # A slug of the name; random when the name has no letter or digit of ASCII.
    slug: str
    # The name without its case: equal for names that people would take for the same.
    sort_name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt that is to be made."""

    owner: UUID
    title: Title
    content: str
    description: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed of a prompt; None leaves a field as it is."""

    title: Title | None
    content: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list of prompts: after the prompt with this sort name and id."""

    sort_name: str
    prompt_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list; `following` is None at its end."""

    prompts: Sequence[Prompt]
    following: Position | None
