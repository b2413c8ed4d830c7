"""Other names of models on the page, without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit


@pytest.fixture
def opened(visit: Callable[..., AppTest]) -> Callable[[], AppTest]:
    """Opens the page with the aliases unfolded."""

    def opened() -> AppTest:
        page = visit("providers").run()
        page.session_state["aliases"] = True
        return page.run()

    return opened


@pytest.fixture
def gateway(gateway: FakeGateway) -> FakeGateway:
    for name, model in (("any", None), ("fast_1", "demo-fast")):
        gateway.aliases[name] = {"alias": name, "provider": "demo", "model": model}
    return gateway


def told(page: AppTest) -> list[str]:
    assert not page.exception
    return [part.value for part in page.markdown if " means " in part.value]


def field(page: AppTest, kind: str, label: str) -> Any:
    (found,) = [one for one in getattr(page, kind) if one.label == label]
    return found


def test_nobody_asks_for_them_before_somebody_looks(
    visit: Callable[..., AppTest], gateway: FakeGateway
) -> None:
    assert told(visit("providers").run()) == []
    assert gateway.calls("GET", "/aliases") == []


def test_others_see_what_they_mean(opened: Callable[[], AppTest], gateway: FakeGateway) -> None:
    gateway.role = "user"
    page = opened()
    assert told(page) == [
        r"**any** means demo / its default",
        r"**fast\_1** means demo / demo\-fast",
    ]
    assert {"Remove", "Set"}.isdisjoint(button.label for button in page.button)


def test_an_administrator_sets_one(opened: Callable[[], AppTest], gateway: FakeGateway) -> None:
    page = opened()
    field(page, "text_input", "Alias").input(" smart ")
    field(page, "selectbox", "Provider").select("acme")
    field(page, "text_input", "Model, if not its default").input("acme-large")
    field(page, "button", "Set").click().run()
    (sent,) = gateway.calls("PUT", "/aliases/smart")
    assert sent.body == {"provider": "acme", "model": "acme-large"}
    assert r"**smart** means acme / acme\-large" in told(page)


def test_one_without_a_provider_is_not_sent(
    opened: Callable[[], AppTest], gateway: FakeGateway
) -> None:
    page = opened()
    field(page, "text_input", "Alias").input("smart")
    field(page, "button", "Set").click().run()
    assert "needs a name and a provider" in page.warning[-1].value
    assert "smart" not in gateway.aliases


def test_an_administrator_removes_one(opened: Callable[[], AppTest], gateway: FakeGateway) -> None:
    page = opened()
    page.button("unalias_any").click().run()
    assert list(gateway.aliases) == ["fast_1"]
    assert len(told(page)) == 1


def test_a_refusal_is_explained_in_place(
    opened: Callable[[], AppTest], gateway: FakeGateway
) -> None:
    gateway.refusals["DELETE /aliases/any"] = problem(503, "unavailable", "Not now.")
    page = opened()
    page.button("unalias_any").click().run()
    assert "Not now" in page.error[0].value
    assert len(page.header) == 3
