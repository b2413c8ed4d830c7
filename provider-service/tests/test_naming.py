"""What callers call models: full names, aliases, and names that one provider alone has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core import catalog as module
from parley_provider_service.core.counting import Counting
from parley_provider_service.core.faults import (
    ModelNotFound,
    Overloaded,
    ProviderNotFound,
    ProviderNotReady,
)
from parley_provider_service.core.model import Answerer, Config, Ended, ModelChoice
from parley_provider_service.core.naming import Alias
from parley_rpc.faults import ScopeMissing

from .conftest import NewAsk
from .fakes import DONE, wait
from .town import Town

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi there")
GOOD = (HI, DONE)


async def town_of(models: Mapping[str, Sequence[str]], **aliases: str) -> Town:
    """Return a town whose vendors have listed these models; the first by name is the default."""
    scripts: dict[str, Any] = {name: [GOOD] for name in models}
    town = Town(**scripts)
    for name, listed in models.items():
        town.providers[name].listed = [sdk.ModelInfo(model) for model in listed]
        town.store.decided[name] = Config()
        await town.catalog.models(name)
    town.catalog.names.aliases = {
        name: Alias(name, ModelChoice.parsed(meaning)) for name, meaning in aliases.items()
    }
    return town


async def meant(town: Town, name: str, within: float = 5.0) -> str:
    return str(await town.catalog.meant("", name, within=within))


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("beta/large", "beta/large"),
        # Whether it has such a model its vendor says.
        ("beta/unheard-of", "beta/unheard-of"),
        # The rest of a full name may hold slashes, and a bare name may.
        ("beta/acme/large", "beta/acme/large"),
        ("maker/tiny", "beta/maker/tiny"),
        # Only one has it.
        ("large", "beta/large"),
        # The default provider's comes first.
        ("small", "acme/small"),
        # An alias goes before a bare name; a full name before an alias.
        ("fast", "beta/large"),
        ("medium", "beta/small"),
        ("any", "beta"),
    ],
)
async def test_what_a_name_means(name: str, meaning: str) -> None:
    town = await town_of(
        {"acme": ["small", "medium"], "beta": ["small", "large", "maker/tiny"]},
        fast="beta/large",
        medium="beta/small",
        any="beta",
    )
    asked = [one.listings for one in town.providers.values()]

    assert meaning == await meant(town, name)
    assert asked == [one.listings for one in town.providers.values()]


async def test_a_provider_that_is_named_means_its_own() -> None:
    town = await town_of({"acme": ["small"], "beta": ["fast"]}, fast="acme/small")

    assert ModelChoice("beta", "fast") == await town.catalog.meant("beta", "fast")
    assert ModelChoice("beta", "acme/small") == await town.catalog.meant("beta", "acme/small")


async def test_a_name_that_several_have_and_the_default_has_not_is_refused_with_all_of_them() -> (
    None
):
    town = await town_of({"acme": ["small"], "beta": ["large"], "gamma": ["large"]})

    with pytest.raises(ModelNotFound, match="Say which: beta/large or gamma/large") as caught:
        await meant(town, "large")

    assert "beta/large, gamma/large" == caught.value.metadata["near"]


async def test_who_cannot_be_used_or_lists_it_no_more_does_not_have_it() -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"], "gamma": ["large"]})
    town.decide("beta", enabled=False)

    assert "gamma/large" == await meant(town, "large")

    models = dict(town.entry("gamma").models)
    models["large"] = replace(models["large"], gone_at=datetime.now(UTC))
    town.entry("gamma").models = models
    with pytest.raises(ModelNotFound):
        await meant(town, "large")


async def test_a_name_that_nobody_has_is_refused_with_full_names_and_aliases_like_it() -> None:
    town = await town_of({"acme": ["small-1", "large"], "beta": ["small-2"]}, smart="acme/large")

    for name, near in {
        "small": {"acme/small-1", "beta/small-2", "smart"},
        "acne/large": {"acme/large"},
        "smrt": {"smart"},
    }.items():
        with pytest.raises(ModelNotFound) as caught:
            await meant(town, name)
        assert near <= set(caught.value.metadata["near"].split(", "))
    with pytest.raises(ModelNotFound, match=r"^No provider has a model 'qqq'.*called so\.$"):
        await meant(town, "qqq")


async def test_vendors_are_asked_once_for_a_name_that_nobody_is_known_to_have() -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"]})
    for name in ("acme", "beta"):
        town.entry(name).asked_at = float("-inf")
    town.providers["beta"].listed = [sdk.ModelInfo("new")]

    assert "beta/new" == await meant(town, "new")
    with pytest.raises(ModelNotFound):
        await meant(town, "other")
    assert [2, 2] == [one.listings for one in town.providers.values()]


async def test_a_vendor_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    town = await town_of({"acme": ["small"], "beta": ["large"]})
    for name in ("acme", "beta"):
        town.entry(name).asked_at = float("-inf")
    town.providers["acme"].listed = wait(30)

    async with asyncio.timeout(5):
        with pytest.raises(ModelNotFound):
            await meant(town, "new")
    await town.catalog.aclose()


async def test_a_default_that_cannot_list_its_models_is_believed_to_have_it() -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"]})
    town.providers["acme"].listed = sdk.BackendUnreachable("No list.")
    town.entry("acme").asked_at = float("-inf")

    assert "acme/new" == await meant(town, "new")
    assert "beta/large" == await meant(town, "large")


async def test_without_any_provider_none_is_ready() -> None:
    town = await town_of({"acme": ["small"]})
    town.decide("acme", enabled=False)

    with pytest.raises(ProviderNotReady, match="No provider is ready"):
        await meant(town, "small")


async def test_the_default_that_an_operator_set_says_what_it_lacks() -> None:
    town = await town_of({"acme": ["small"]})
    town.roster.default_provider = "acne"

    assert "acme/small" == await meant(town, "small")
    with pytest.raises(ProviderNotFound, match="no provider 'acne'"):
        await meant(town, "large")


async def test_a_model_is_found_and_its_tokens_are_counted_by_any_name() -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"]}, fast="beta/large", any="beta")

    for name in ("large", "beta/large", "fast", "any"):
        model = await town.catalog.find("", name)
        assert ("beta", "large") == (model.provider, model.name)
        message = sdk.Message(sdk.Role.USER, [sdk.TextPart("12345678")])
        counted = await Counting(town.catalog).count("", sdk.ReplyRequest(name, [message]))
        assert 2 == counted.input_tokens
    assert "small" == (await town.catalog.find("", "")).name


@pytest.mark.parametrize("name", ["fast", "large", "beta/large", "any"])
async def test_a_reply_says_first_which_model_is_meant(new_ask: NewAsk, name: str) -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"]}, fast="beta/large", any="beta")
    ask = new_ask(provider="", model=name)

    events, fault = await town.hear(ask)

    assert fault is None
    assert [Answerer("beta", "large"), HI] == events[:2]
    assert isinstance(events[-1], Ended)
    assert ("beta", "large") == (events[-1].provider, events[-1].model)
    assert [("beta", "stop")] == town.attempts(ask)
    assert ["large"] == [asked.model for asked in town.providers["beta"].asked]


async def test_a_reply_that_fails_at_once_says_nothing_before(new_ask: NewAsk) -> None:
    """So that whoever asked can still answer with a status of its own."""
    town = await town_of({"acme": ["small"]})
    town.providers["acme"].scripts = [(sdk.Overloaded("Full.", retry_after=3_600),)]

    events, fault = await town.hear(new_ask(provider="", model="small"))

    assert ([], Overloaded) == (list(events), type(fault))


async def test_who_answers_instead_is_told_alone(new_ask: NewAsk) -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"]})
    town.providers["acme"].scripts = [(sdk.Overloaded("Full.", retry_after=3_600),)]
    ask = new_ask(provider="", model="small", fallbacks=[ModelChoice("beta", "large")])

    events, _ = await town.hear(ask)

    assert [Answerer("beta", "large"), HI] == events[:2]


@pytest.mark.parametrize("scope", ["provider:acme", "model:acme/small", "model:beta/fast"])
async def test_a_key_may_ask_what_the_name_means(new_ask: NewAsk, scope: str) -> None:
    town = await town_of({"acme": ["small"], "beta": ["large"]}, fast="beta/large")
    ask = replace(new_ask(provider="", model="fast"), scopes=frozenset({scope}))

    _, fault = await town.hear(ask)
    _, allowed = await town.hear(replace(ask, scopes=frozenset({"model:beta/large"})))

    assert isinstance(fault, ScopeMissing)
    assert allowed is None


async def test_an_alias_whose_provider_is_gone_fails_as_that_provider_would(
    new_ask: NewAsk,
) -> None:
    town = await town_of({"acme": ["small"]}, fast="beta/large")

    _, fault = await town.hear(new_ask(provider="", model="fast"))

    assert isinstance(fault, ProviderNotFound)
