"""The prompt library: what a user may do with prompts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from uuid import UUID, uuid4

from parley_rpc.faults import InvalidArgument, Violation

from parley_prompt_service.core.faults import PromptExists, PromptNotFound, PromptShared
from parley_prompt_service.core.model import Change, Draft, Page, Position, Prompt, Title
from parley_prompt_service.core.ports import PromptStore

NAME_CHARACTERS = 100
CONTENT_CHARACTERS = 100_000
DESCRIPTION_CHARACTERS = 1_000
# The one prompt that a user can set without naming it.
CUSTOM = Title(name="Custom", slug="custom", sort_name="custom")


class Prompts:
    """The use cases of the prompt library, each for one user."""

    def __init__(self, store: PromptStore) -> None:
        self.store = store

    async def get(self, owner: UUID, prompt_id: str) -> Prompt:
        """Return one prompt; PromptNotFound."""
        prompt = await self.store.get(owner, prompt_id) if is_id(prompt_id) else None
        if prompt is None:
            raise PromptNotFound(prompt_id)
        return prompt

    async def page(self, owner: UUID, after: Position | None, size: int) -> Page:
        """Return the next `size` prompts by name."""
        prompts = await self.store.page(owner, after, size + 1)
        if len(prompts) <= size:
            return Page(prompts, None)
        last = prompts[size - 1]
        return Page(prompts[:size], Position(sort_name(last.name), last.prompt_id))

    async def create(self, owner: UUID, name: str, content: str, description: str) -> Prompt:
        """Make a prompt of the owner's own; InvalidArgument, PromptExists."""
        check(name, content, description)
        title = title_of(name)
        if await self.store.taken(owner, title, besides=""):
            raise PromptExists(title.slug)
        prompt = await self.store.create(Draft(owner, title, content, description))
        if prompt is None:
            raise PromptExists(title.slug)
        return prompt

    async def update(
        self,
        owner: UUID,
        prompt_id: str,
        *,
        name: str | None = None,
        content: str | None = None,
        description: str | None = None,
    ) -> Prompt:
        """Change a prompt; InvalidArgument, PromptNotFound, PromptShared, PromptExists."""
        check(name, content, description)
        await self._own(owner, prompt_id)
        title = None if name is None else title_of(name)
        if title is not None and await self.store.taken(owner, title, besides=prompt_id):
            raise PromptExists(title.slug)
        changed = await self.store.update(owner, prompt_id, Change(title, content, description))
        if changed is None:
            raise PromptNotFound(prompt_id)
        return changed

    async def delete(self, owner: UUID, prompt_id: str) -> None:
        """Delete a prompt; PromptNotFound, PromptShared."""
        await self._own(owner, prompt_id)
        if not await self.store.delete(owner, prompt_id):
            raise PromptNotFound(prompt_id)

    async def activate(self, owner: UUID, prompt_id: str) -> Prompt:
        """Make a prompt the active one; PromptNotFound."""
        prompt = await self.store.activate(owner, prompt_id) if is_id(prompt_id) else None
        if prompt is None:
            raise PromptNotFound(prompt_id)
        return prompt

    async def active(self, owner: UUID) -> Prompt:
        """Return the active prompt."""
        return await self.store.active(owner)

    async def set_active(self, owner: UUID, content: str) -> Prompt:
        """Give the owner's prompt `custom` this content and make it active; InvalidArgument."""
        check(None, content, None)
        return await self.store.set_active(Draft(owner, CUSTOM, content, ""))

    async def _own(self, owner: UUID, prompt_id: str) -> None:
        if (await self.get(owner, prompt_id)).shared:
            raise PromptShared(prompt_id)


def check(name: str | None, content: str | None, description: str | None) -> None:
    """Raise InvalidArgument with every field that breaks its rule; None is no field."""
    violations = [
        *_broken_rules("name", name, NAME_CHARACTERS, blank=False),
        *_broken_rules("content", content, CONTENT_CHARACTERS, blank=False),
        *_broken_rules("description", description, DESCRIPTION_CHARACTERS, blank=True),
    ]
    if violations:
        first = violations[0]
        sentence = "; ".join(f"{one.field}: {one.description}" for one in violations)
        raise InvalidArgument(sentence, violations=violations, field=first.field)


def _broken_rules(field: str, text: str | None, limit: int, *, blank: bool) -> Iterator[Violation]:
    if text is None:
        return
    if not blank and not text.strip():
        yield Violation(field, "must not be blank")
    if len(text) > limit:
        yield Violation(field, f"must have at most {limit:,} characters")
    if "\0" in text:
        yield Violation(field, "must not hold a NUL character")


def title_of(name: str) -> Title:
    """Return what follows from a name that people gave."""
    name = name.strip()
    return Title(name, slug(name) or f"prompt-{uuid4().hex[:12]}", sort_name(name))


def slug(name: str) -> str:
    """Return a name as an id: `Café Crème!` is `cafe-creme`. Empty when nothing is left of it."""
    folded = unicodedata.normalize("NFKD", name.casefold()).casefold()
    plain = folded.encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:NAME_CHARACTERS].strip("-")


def sort_name(name: str) -> str:
    """Return the name that decides the order, and whether two names are the same to people."""
    return unicodedata.normalize("NFKC", name).casefold()


def is_id(text: str) -> bool:
    """Say whether a text can be a prompt's id at all; what cannot is not looked for."""
    return re.fullmatch(r"[a-z0-9-]{1,100}", text) is not None
