"""An in-memory prompt store: what the tests of the core and of the servicer stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from parley_prompt_service.core.model import Change, Draft, Position, Prompt, Title
from parley_prompt_service.core.ports import PromptStore
from parley_prompt_service.core.prompts import sort_name
from typing_extensions import override

Key = tuple[UUID | None, str]


def shared(name: str) -> Prompt:
    """One of the prompts that an installation comes with."""
    now = datetime.now(UTC)
    slug = name.lower().replace(" ", "-")
    return Prompt(slug, name, f"I am {name}.", f"{name}.", 1, False, True, now, now)


@dataclass
class MemoryPromptStore(PromptStore):
    """Keeps prompts in a dictionary by owner and id; no owner means shared."""

    prompts: dict[Key, Prompt] = field(
        default_factory=lambda: {
            (None, prompt.prompt_id): prompt
            for prompt in map(shared, ("Default", "Code Assistant", "Research Assistant"))
        }
    )
    active_keys: dict[UUID, Key] = field(default_factory=dict)

    @override
    async def get(self, owner: UUID, prompt_id: str) -> Prompt | None:
        key = self._visible(owner, prompt_id)
        return self._seen(owner, key) if key else None

    @override
    async def page(self, owner: UUID, after: Position | None, limit: int) -> Sequence[Prompt]:
        start = (after.sort_name, after.prompt_id) if after else ("", "")
        keys = [key for key in self.prompts if key[0] in {owner, None}]
        places = sorted((sort_name(self.prompts[key].name), key[1], key) for key in keys)
        return [self._seen(owner, key) for *place, key in places if tuple(place) > start][:limit]

    @override
    async def taken(self, owner: UUID, title: Title, besides: str) -> bool:
        return any(
            prompt_id == title.slug or sort_name(prompt.name) == title.sort_name
            for (whose, prompt_id), prompt in self.prompts.items()
            if whose in {owner, None} and prompt_id != besides
        )

    @override
    async def create(self, draft: Draft) -> Prompt | None:
        key = (draft.owner, draft.title.slug)
        if key in self.prompts:
            return None
        now = datetime.now(UTC)
        name, slug = draft.title.name, draft.title.slug
        self.prompts[key] = Prompt(
            slug, name, draft.content, draft.description, 1, False, False, now, now
        )
        return self._seen(draft.owner, key)

    @override
    async def update(self, owner: UUID, prompt_id: str, change: Change) -> Prompt | None:
        old = self.prompts.get((owner, prompt_id))
        if old is None:
            return None
        content = old.content if change.content is None else change.content
        self.prompts[owner, prompt_id] = replace(
            old,
            name=change.title.name if change.title else old.name,
            content=content,
            description=old.description if change.description is None else change.description,
            version=old.version + (content != old.content),
            updated_at=datetime.now(UTC),
        )
        return self._seen(owner, (owner, prompt_id))

    @override
    async def delete(self, owner: UUID, prompt_id: str) -> bool:
        if self.active_keys.get(owner) == (owner, prompt_id):
            del self.active_keys[owner]
        return self.prompts.pop((owner, prompt_id), None) is not None

    @override
    async def activate(self, owner: UUID, prompt_id: str) -> Prompt | None:
        key = self._visible(owner, prompt_id)
        if key is None:
            return None
        self.active_keys[owner] = key
        return self._seen(owner, key)

    @override
    async def active(self, owner: UUID) -> Prompt:
        return self._seen(owner, self._active(owner))

    @override
    async def set_active(self, draft: Draft) -> Prompt:
        change = Change(None, draft.content, None)
        slug = draft.title.slug
        if await self.update(draft.owner, slug, change) is None:
            await self.create(draft)
        self.active_keys[draft.owner] = (draft.owner, slug)
        return await self.active(draft.owner)

    def _visible(self, owner: UUID, prompt_id: str) -> Key | None:
        keys: list[Key] = [(owner, prompt_id), (None, prompt_id)]
        return next((key for key in keys if key in self.prompts), None)

    def _active(self, owner: UUID) -> Key:
        return self.active_keys.get(owner, (None, "default"))

    def _seen(self, owner: UUID, key: Key) -> Prompt:
        return replace(self.prompts[key], is_active=self._active(owner) == key)
