"""What the prompt library needs from the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from parley_prompt_service.core.model import Change, Draft, Position, Prompt, Title


class PromptStore(Protocol):
    """Keeps prompts. Every method sees what `owner` sees: the shared prompts and the owner's.

    All methods raise DatabaseUnavailable when the prompts cannot be reached.
    """

    async def get(self, owner: UUID, prompt_id: str) -> Prompt | None:
        """Return one prompt."""

    async def page(self, owner: UUID, after: Position | None, limit: int) -> Sequence[Prompt]:
        """Return at most `limit` prompts after a place, by sort name and id."""

    async def taken(self, owner: UUID, title: Title, besides: str) -> bool:
        """Say whether a prompt other than `besides` has the slug as its id, or the same name."""

    async def create(self, draft: Draft) -> Prompt | None:
        """Make a prompt with its first version; None when the owner has one of that id."""

    async def update(self, owner: UUID, prompt_id: str, change: Change) -> Prompt | None:
        """Change a prompt of the owner's own; other content makes a version. None: no such one."""

    async def delete(self, owner: UUID, prompt_id: str) -> bool:
        """Delete a prompt of the owner's own with its versions; False when there is none."""

    async def activate(self, owner: UUID, prompt_id: str) -> Prompt | None:
        """Make a prompt the owner's active one; None when there is none."""

    async def active(self, owner: UUID) -> Prompt:
        """Return the owner's active prompt: `default` when none was chosen."""

    async def set_active(self, draft: Draft) -> Prompt:
        """Make a prompt or give it new content, and make it active: all of it, or nothing."""
