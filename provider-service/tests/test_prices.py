"""Prices from the package that holds them: a few that have been the same for long."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from parley_provider_service.adapters.prices import GenAIPrices

pytestmark = pytest.mark.unit

LIST = f"genai-prices {version('genai-prices')}"


@pytest.fixture(scope="module")
def prices() -> GenAIPrices:
    return GenAIPrices()


async def test_a_model_is_found_by_its_providers_name(prices: GenAIPrices) -> None:
    facts = await prices.facts("openai", "", ["gpt-4o", "gpt-4o-mini", "unheard-of"])

    assert {"gpt-4o", "gpt-4o-mini"} == facts.keys()
    price = facts["gpt-4o"].price
    assert price is not None
    assert (2_500_000_000, 10_000_000_000, 1_250_000_000, LIST) == (
        price.input,
        price.output,
        price.cached_input,
        price.version,
    )
    assert 128_000 == facts["gpt-4o"].context_window


async def test_what_is_written_to_a_cache_has_two_prices(prices: GenAIPrices) -> None:
    facts = await prices.facts("anthropic", "", ["claude-opus-4-5"])
    price = facts["claude-opus-4-5"].price

    assert price is not None
    assert (5_000_000_000, 500_000_000, 6_250_000_000, 10_000_000_000) == price.rates


async def test_an_address_that_is_known_says_more_than_a_name(prices: GenAIPrices) -> None:
    named = await prices.facts("acme", "https://api.openai.com/v1", ["gpt-4o"])
    elsewhere = await prices.facts("openai", "http://127.0.0.1:8080/v1", ["gpt-4o"])

    assert "gpt-4o" in named
    assert named == elsewhere


async def test_of_a_price_in_steps_the_first_counts(prices: GenAIPrices) -> None:
    facts = await prices.facts("google", "", ["gemini-2.5-pro"])

    price = facts["gemini-2.5-pro"].price
    assert price is not None
    assert (1_250_000_000, 10_000_000_000) == (price.input, price.output)


@pytest.mark.parametrize(
    ("provider", "base_url", "model"),
    [
        ("acme", "", "gpt-4o"),
        ("acme", "http://127.0.0.1:1", "gpt-4o"),
        ("openai", "", "\N{PILE OF POO}" * 100),
        ("", "", ""),
    ],
)
async def test_what_nobody_knows_is_left_out(
    prices: GenAIPrices, provider: str, base_url: str, model: str
) -> None:
    assert {} == await prices.facts(provider, base_url, [model])


async def test_a_model_without_an_output_price_has_none(prices: GenAIPrices) -> None:
    facts = await prices.facts("openai", "", ["text-embedding-3-small"])

    assert facts["text-embedding-3-small"].price is None
