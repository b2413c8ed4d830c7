"""Providers on the page, without a browser."""

from collections.abc import Callable

import pytest
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit


@pytest.fixture
def providers(visit: Callable[..., AppTest]) -> AppTest:
    return visit("providers").run()


def test_each_provider_shows_its_state_and_what_ails_it(providers: AppTest) -> None:
    assert not providers.exception
    assert [header.value for header in providers.header] == ["Demo", "Acme", "Bare"]
    assert providers.warning[0].value == r"Refused\."


def test_models_are_listed_when_opened(providers: AppTest) -> None:
    providers.session_state["models_demo"] = True
    table = providers.run().dataframe[0].value
    assert table["Model"].tolist() == ["Demo-Fast", "Demo-Slow"]
    assert table["Price per million tokens"].tolist() == ["1.25 in, 10 out (USD)"] * 2


def test_a_provider_is_checked_now(providers: AppTest) -> None:
    providers.button("check_acme").click().run()
    assert ":material/warning: Unhealthy · 12 ms" in [part.value for part in providers.markdown]


def test_a_check_that_fails_is_explained_in_place(providers: AppTest, gateway: FakeGateway) -> None:
    gateway.refusals["GET /providers/demo/health"] = problem(504, "timeout", "Too slow.")
    providers.button("check_demo").click().run()
    assert "Too slow" in providers.error[0].value
    assert len(providers.header) == 3


def test_a_refresh_asks_again(providers: AppTest, gateway: FakeGateway) -> None:
    gateway.providers["acme"]["status"] = "ready"
    providers.run()
    assert len(gateway.calls("GET", "/providers")) == 1
    providers.button("refresh_providers").click().run()
    assert len(gateway.calls("GET", "/providers")) == 2


def test_a_price_tells_what_cached_input_costs(
    visit: Callable[..., AppTest], gateway: FakeGateway
) -> None:
    price = {"input": "1.25", "output": "10", "cached_input": "0.125", "currency": "USD"}
    price["cache_write"] = "1.5"
    gateway.models["demo", "demo-fast"] = {"price": price}
    page = visit("providers").run()
    page.session_state["models_demo"] = True
    prices = page.run().dataframe[0].value["Price per million tokens"].tolist()
    assert prices[0] == "1.25 in, 0.125 cached, 1.5 to cache, 10 out (USD)"
