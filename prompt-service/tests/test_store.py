"""One suite for every store: what the fake says must be true of PostgreSQL."""

from __future__ import annotations

from uuid import UUID

from parley_prompt_service.core.model import Change, Draft, Position, Prompt
from parley_prompt_service.core.ports import PromptStore
from parley_prompt_service.core.prompts import CUSTOM, title_of

SHARED_IDS = ["code-assistant", "default", "research-assistant"]


async def create(store: PromptStore, owner: UUID, name: str, content: str = "Arr.") -> Prompt:
    prompt = await store.create(Draft(owner, title_of(name), content, "Talks."))
    assert prompt is not None
    return prompt


async def ids(store: PromptStore, owner: UUID) -> list[str]:
    return [prompt.prompt_id for prompt in await store.page(owner, None, 100)]


async def test_the_shared_prompts_are_there_and_default_is_active(
    store: PromptStore, ada: UUID
) -> None:
    prompts = await store.page(ada, None, 100)

    assert SHARED_IDS == [prompt.prompt_id for prompt in prompts]
    assert ["default"] == [prompt.prompt_id for prompt in prompts if prompt.is_active]
    assert all(prompt.shared and prompt.content and prompt.version == 1 for prompt in prompts)


async def test_a_prompt_comes_back_as_it_was_made(store: PromptStore, ada: UUID) -> None:
    made = await create(store, ada, "Pirate ☠", "Arr, 🏴‍☠️\n\tme hearty.")

    assert made == await store.get(ada, "pirate")
    assert ("Pirate ☠", "Arr, 🏴‍☠️\n\tme hearty.") == (made.name, made.content)
    assert (1, False, False) == (made.version, made.is_active, made.shared)
    assert made.created_at.tzinfo is not None


async def test_the_same_id_cannot_be_made_twice(store: PromptStore, ada: UUID) -> None:
    await create(store, ada, "Pirate")

    assert await store.create(Draft(ada, title_of("pirate!"), "Other.", "")) is None


async def test_two_users_do_not_meet(store: PromptStore, ada: UUID, bob: UUID) -> None:
    await create(store, ada, "Pirate", "Ada's.")
    await create(store, bob, "Pirate", "Bob's.")
    await create(store, bob, "Poet")

    assert await store.get(ada, "poet") is None
    assert await store.activate(ada, "poet") is None
    assert await store.update(ada, "poet", Change(None, "Ada was here.", None)) is None
    assert not await store.delete(ada, "poet")
    assert not await store.taken(ada, title_of("Poet"), besides="")
    assert [*SHARED_IDS[:2], "pirate", SHARED_IDS[2]] == await ids(store, ada)
    assert "Bob's." == (await store.get(bob, "pirate") or await store.active(bob)).content


async def test_pages_go_on_where_the_last_one_ended(store: PromptStore, ada: UUID) -> None:
    for name in ("écho", "Alpha", "zulu", "bravo"):
        await create(store, ada, name)

    first = await store.page(ada, None, 3)
    rest = await store.page(ada, Position("code assistant", "code-assistant"), 100)

    assert ["alpha", "bravo", "code-assistant"] == [prompt.prompt_id for prompt in first]
    assert ["default", "research-assistant", "zulu", "echo"] == [p.prompt_id for p in rest]


async def test_a_name_is_taken_by_its_slug_or_by_its_look(store: PromptStore, ada: UUID) -> None:
    await create(store, ada, "Sea Dog")
    await store.update(ada, "sea-dog", Change(title_of("海賊"), None, None))

    assert await store.taken(ada, title_of("sea dog"), besides="")
    assert await store.taken(ada, title_of("海賊"), besides="")
    assert await store.taken(ada, title_of("DEFAULT"), besides="")
    assert not await store.taken(ada, title_of("海賊"), besides="sea-dog")
    assert not await store.taken(ada, title_of("Sea Cat"), besides="")


async def test_only_other_content_makes_a_version(store: PromptStore, ada: UUID) -> None:
    await create(store, ada, "Pirate", "One.")

    renamed = await store.update(ada, "pirate", Change(title_of("Corsair"), None, "New."))
    same = await store.update(ada, "pirate", Change(None, "One.", None))
    other = await store.update(ada, "pirate", Change(None, "Two.", None))

    assert renamed is not None
    assert same is not None
    assert other is not None
    assert ("pirate", "Corsair", "New.", 1) == (
        renamed.prompt_id,
        renamed.name,
        renamed.description,
        renamed.version,
    )
    assert 1 == same.version
    assert ("Two.", 2, "Corsair") == (other.content, other.version, other.name)
    assert other.updated_at > other.created_at


async def test_an_empty_description_replaces_one(store: PromptStore, ada: UUID) -> None:
    await create(store, ada, "Pirate")

    changed = await store.update(ada, "pirate", Change(None, None, ""))

    assert changed is not None
    assert "" == changed.description


async def test_an_activated_prompt_is_active_for_its_user_only(
    store: PromptStore, ada: UUID, bob: UUID
) -> None:
    await create(store, ada, "Pirate")

    activated = await store.activate(ada, "pirate")

    assert activated == await store.active(ada)
    assert activated is not None
    assert activated.is_active
    assert "default" == (await store.active(bob)).prompt_id
    assert ["pirate"] == [p.prompt_id for p in await store.page(ada, None, 100) if p.is_active]


async def test_a_shared_prompt_can_be_active(store: PromptStore, ada: UUID) -> None:
    await store.activate(ada, "code-assistant")

    active = await store.active(ada)

    assert ("code-assistant", True, True) == (active.prompt_id, active.shared, active.is_active)


async def test_deleting_the_active_prompt_makes_default_active(
    store: PromptStore, ada: UUID
) -> None:
    await create(store, ada, "Pirate")
    await store.activate(ada, "pirate")

    assert await store.delete(ada, "pirate")
    assert "default" == (await store.active(ada)).prompt_id
    assert not await store.delete(ada, "pirate")


async def test_shared_prompts_cannot_be_changed_through_the_store(
    store: PromptStore, ada: UUID
) -> None:
    assert await store.update(ada, "default", Change(None, "Obey me.", None)) is None
    assert not await store.delete(ada, "default")


async def test_setting_the_active_prompt_makes_and_then_changes_custom(
    store: PromptStore, ada: UUID, bob: UUID
) -> None:
    first = await store.set_active(Draft(ada, CUSTOM, "One.", ""))
    again = await store.set_active(Draft(ada, CUSTOM, "One.", ""))
    second = await store.set_active(Draft(ada, CUSTOM, "Two.", ""))

    assert ("custom", "Custom", "One.", 1, True) == (
        first.prompt_id,
        first.name,
        first.content,
        first.version,
        first.is_active,
    )
    assert 1 == again.version
    assert ("Two.", 2) == (second.content, second.version)
    assert second == await store.active(ada)
    assert "default" == (await store.active(bob)).prompt_id


async def test_setting_the_active_prompt_keeps_what_custom_was_called(
    store: PromptStore, ada: UUID
) -> None:
    await store.set_active(Draft(ada, CUSTOM, "One.", ""))
    await store.update(ada, "custom", Change(title_of("Mine"), None, "My own."))

    changed = await store.set_active(Draft(ada, CUSTOM, "Two.", ""))

    assert ("Mine", "My own.", "Two.") == (changed.name, changed.description, changed.content)
