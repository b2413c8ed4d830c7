"""The rules of the prompt library."""

from __future__ import annotations

from uuid import UUID

import pytest
from parley_prompt_service.core.faults import PromptExists, PromptNotFound, PromptShared
from parley_prompt_service.core.model import Change, Draft
from parley_prompt_service.core.prompts import Prompts, slug, title_of
from parley_rpc.faults import InvalidArgument
from typing_extensions import override

from .fakes import MemoryPromptStore

pytestmark = pytest.mark.unit


@pytest.fixture
def prompts() -> Prompts:
    return Prompts(MemoryPromptStore())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Customer Support", "customer-support"),
        ("  C++ & Rust!  ", "c-rust"),
        ("Café Crème", "cafe-creme"),
        ("Straße №5", "strasse-no5"),
        ("ﬁne", "fine"),
        ("海賊", ""),
        ("☠", ""),
        ("-- --", ""),
        ("x" * 99 + " yz", "x" * 99),
    ],
)
def test_a_slug_is_what_ascii_leaves_of_a_name(name: str, expected: str) -> None:
    assert expected == slug(name)


def test_a_name_without_ascii_gets_an_id_of_its_own() -> None:
    first, second = title_of("海賊"), title_of("海賊")

    assert first.slug.startswith("prompt-")
    assert first.slug != second.slug
    assert first.sort_name == second.sort_name


async def test_a_created_prompt_is_found_under_its_slug(prompts: Prompts, ada: UUID) -> None:
    made = await prompts.create(ada, "  Sea Dog ", "Arr.", "")

    assert ("sea-dog", "Sea Dog", 1) == (made.prompt_id, made.name, made.version)
    assert made == await prompts.get(ada, "sea-dog")


@pytest.mark.parametrize(
    "name",
    [
        "Pirate",
        "pirate!",
        "Pira\N{FULLWIDTH LATIN SMALL LETTER T}e",
        "Default",
        "research-assistant",
    ],
)
async def test_a_name_that_is_seen_already_is_refused(
    prompts: Prompts, ada: UUID, name: str
) -> None:
    await prompts.create(ada, "Pirate", "Arr.", "")

    with pytest.raises(PromptExists) as caught:
        await prompts.create(ada, name, "Arr.", "")
    assert {"prompt_id": slug(name)} == caught.value.metadata


async def test_a_prompt_that_somebody_makes_at_the_same_time_is_refused(ada: UUID) -> None:
    class Raced(MemoryPromptStore):
        @override
        async def create(self, draft: Draft) -> None:
            return None

    with pytest.raises(PromptExists):
        await Prompts(Raced()).create(ada, "Pirate", "Arr.", "")


async def test_two_users_may_use_the_same_name(prompts: Prompts, ada: UUID, bob: UUID) -> None:
    await prompts.create(ada, "Pirate", "Ada's.", "")

    assert "Bob's." == (await prompts.create(bob, "Pirate", "Bob's.", "")).content
    assert "Ada's." == (await prompts.get(ada, "pirate")).content


async def test_what_belongs_to_others_does_not_exist(
    prompts: Prompts, ada: UUID, bob: UUID
) -> None:
    await prompts.create(bob, "Poet", "Roses.", "")
    sentences = set()
    for call in (
        prompts.get(ada, "poet"),
        prompts.update(ada, "poet", content="Mine."),
        prompts.delete(ada, "poet"),
        prompts.activate(ada, "poet"),
    ):
        with pytest.raises(PromptNotFound) as caught:
            await call
        sentences.add(caught.value.sentence)

    assert {"There is no prompt 'poet'."} == sentences
    assert "Roses." == (await prompts.get(bob, "poet")).content


@pytest.mark.parametrize("prompt_id", ["", "no such", "NUL\0", "x" * 101, "Default", "../default"])
async def test_what_cannot_be_an_id_is_not_found(
    prompts: Prompts, ada: UUID, prompt_id: str
) -> None:
    with pytest.raises(PromptNotFound):
        await prompts.get(ada, prompt_id)
    with pytest.raises(PromptNotFound):
        await prompts.activate(ada, prompt_id)


@pytest.mark.parametrize(
    ("name", "content", "description", "field"),
    [
        ("", "Arr.", "", "name"),
        (" \n", "Arr.", "", "name"),
        ("x" * 101, "Arr.", "", "name"),
        ("a\0b", "Arr.", "", "name"),
        ("Pirate", "", "", "content"),
        ("Pirate", " \t\n", "", "content"),
        ("Pirate", "x" * 100_001, "", "content"),
        ("Pirate", "a\0b", "", "content"),
        ("Pirate", "Arr.", "x" * 1_001, "description"),
        ("Pirate", "Arr.", "a\0b", "description"),
    ],
)
async def test_a_field_that_breaks_its_rule_is_named(
    prompts: Prompts, ada: UUID, name: str, content: str, description: str, field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await prompts.create(ada, name, content, description)

    assert [field] == [violation.field for violation in caught.value.violations]
    assert {"field": field} == caught.value.metadata


async def test_all_broken_rules_are_told_at_once(prompts: Prompts, ada: UUID) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await prompts.create(ada, "", "", "\0" * 1_001)

    fields = [violation.field for violation in caught.value.violations]
    assert ["name", "content", "description", "description"] == fields


async def test_the_longest_allowed_prompt_is_taken(prompts: Prompts, ada: UUID) -> None:
    made = await prompts.create(ada, "🏴" * 100, "🏴" * 100_000, "🏴" * 1_000)

    assert made == await prompts.get(ada, made.prompt_id)


async def test_a_renamed_prompt_keeps_its_id(prompts: Prompts, ada: UUID) -> None:
    await prompts.create(ada, "Pirate", "Arr.", "")

    renamed = await prompts.update(ada, "pirate", name="Corsair")

    assert ("pirate", "Corsair", 1) == (renamed.prompt_id, renamed.name, renamed.version)


async def test_a_prompt_cannot_be_renamed_to_another_ones_name(prompts: Prompts, ada: UUID) -> None:
    await prompts.create(ada, "Pirate", "Arr.", "")
    await prompts.create(ada, "Poet", "Roses.", "")

    for taken in ("POET", "default"):
        with pytest.raises(PromptExists):
            await prompts.update(ada, "pirate", name=taken)
    assert "PIRATE" == (await prompts.update(ada, "pirate", name="PIRATE")).name


async def test_a_change_is_held_to_the_same_rules(prompts: Prompts, ada: UUID) -> None:
    await prompts.create(ada, "Pirate", "Arr.", "")

    with pytest.raises(InvalidArgument):
        await prompts.update(ada, "pirate", content=" ")
    assert "Arr." == (await prompts.get(ada, "pirate")).content


async def test_a_shared_prompt_cannot_be_changed_or_deleted(prompts: Prompts, ada: UUID) -> None:
    with pytest.raises(PromptShared) as caught:
        await prompts.update(ada, "default", content="Obey me.")
    assert {"prompt_id": "default"} == caught.value.metadata
    with pytest.raises(PromptShared):
        await prompts.delete(ada, "default")


async def test_default_is_active_until_another_is_chosen_and_after_its_deletion(
    prompts: Prompts, ada: UUID
) -> None:
    before = await prompts.active(ada)
    await prompts.create(ada, "Pirate", "Arr.", "")
    chosen = await prompts.activate(ada, "pirate")
    during = await prompts.active(ada)
    await prompts.delete(ada, "pirate")

    assert ("default", "pirate", "pirate", "default") == (
        before.prompt_id,
        chosen.prompt_id,
        during.prompt_id,
        (await prompts.active(ada)).prompt_id,
    )


async def test_setting_the_active_prompt_is_held_to_the_rules(prompts: Prompts, ada: UUID) -> None:
    with pytest.raises(InvalidArgument):
        await prompts.set_active(ada, "  ")
    assert "default" == (await prompts.active(ada)).prompt_id
    assert "custom" == (await prompts.set_active(ada, "Be brief.")).prompt_id


async def test_a_prompt_called_custom_is_the_one_that_is_set(prompts: Prompts, ada: UUID) -> None:
    await prompts.create(ada, "Custom", "Mine.", "")

    changed = await prompts.set_active(ada, "Be brief.")

    assert ("custom", 2) == (changed.prompt_id, changed.version)


async def test_pages_hold_every_prompt_once(prompts: Prompts, ada: UUID) -> None:
    for number in range(7):
        await prompts.create(ada, f"Prompt {number}", "Text.", "")
    found, after = [], None
    while True:
        page = await prompts.page(ada, after, 3)
        found += [prompt.prompt_id for prompt in page.prompts]
        after = page.following
        if after is None:
            break

    assert 10 == len(found)
    assert sorted(found) == found


async def test_what_is_deleted_while_it_is_changed_is_not_found(ada: UUID) -> None:
    class Deleted(MemoryPromptStore):
        @override
        async def update(self, owner: UUID, prompt_id: str, change: Change) -> None:
            return None

        @override
        async def delete(self, owner: UUID, prompt_id: str) -> bool:
            return False

    prompts = Prompts(Deleted())
    await prompts.create(ada, "Pirate", "Arr.", "")

    with pytest.raises(PromptNotFound):
        await prompts.update(ada, "pirate", content="Arr!")
    with pytest.raises(PromptNotFound):
        await prompts.delete(ada, "pirate")
