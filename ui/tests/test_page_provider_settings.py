"""What administrators decide about providers on the page, without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]


@pytest.fixture
def open_card(visit: Visit) -> Callable[[str], AppTest]:
    """Opens the page with the configuration of one provider unfolded."""

    def opened(name: str) -> AppTest:
        page = visit("providers").run()
        page.session_state[f"configure_{name}"] = True
        return page.run()

    return opened


def field(page: AppTest, kind: str, label: str) -> Any:
    """The widget of this label."""
    assert not page.exception
    (found,) = [one for one in getattr(page, kind) if one.label == label]
    return found


def press(page: AppTest, label: str) -> AppTest:
    field(page, "button", label).click().run()
    return page


def body(gateway: FakeGateway, method: str, path: str) -> Any:
    (sent,) = gateway.calls(method, path)
    return sent.body


def test_others_see_no_configuration(visit: Visit, gateway: FakeGateway) -> None:
    gateway.role = "user"
    page = visit("providers").run()
    assert not page.exception
    assert {button.label for button in page.button} == {"Refresh", "Check now"}
    assert [expander.label for expander in page.expander] == ["Models"] * 3 + ["Aliases"]
    assert "key" not in " ".join(caption.value for caption in page.caption)


def test_a_card_tells_the_key_and_the_circuit(visit: Visit, gateway: FakeGateway) -> None:
    gateway.providers["acme"]["circuit"] = "open"
    gateway.providers["demo"]["circuit"] = "half_open"
    credential = {"source": "unreadable", "last4": None}
    gateway.providers["bare"]["configuration"]["credential"] = credential
    page = visit("providers").run()
    captions = [caption.value for caption in page.caption]
    assert any("key …7Qz0 from the environment" in caption for caption in captions)
    assert any("no master key opens it" in caption for caption in captions)
    badges = " ".join(markdown.value for markdown in page.markdown)
    assert "Left alone for a while" in badges
    assert "Being tried again" in badges


def test_a_provider_is_switched_off_and_on(visit: Visit, gateway: FakeGateway) -> None:
    page = visit("providers").run()
    page.button("switch_acme").click().run()
    assert gateway.providers["acme"]["enabled"] is False
    assert page.button("switch_acme").label == "Switch on"
    page.button("switch_acme").click().run()
    assert gateway.providers["acme"]["enabled"] is True


def test_a_provider_is_made_the_default(visit: Visit, gateway: FakeGateway) -> None:
    page = visit("providers").run()
    assert page.button("default_demo").disabled
    page.button("default_acme").click().run()
    assert gateway.providers["acme"]["is_default"] is True
    assert page.button("default_acme").disabled


def test_only_what_was_changed_is_sent(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    page = open_card("demo")
    field(page, "selectbox", "Default model").select("demo-slow")
    field(page, "multiselect", "Fallbacks").select("acme/acme-large")
    field(page, "number_input", "Priority").set_value(5)
    press(page, "Save")
    assert body(gateway, "PATCH", "/providers/demo") == {
        "default_model": "demo-slow",
        "fallbacks": ["acme/acme-large"],
        "priority": 5,
    }
    assert field(page, "number_input", "Priority").value == 5
    assert field(page, "selectbox", "Default model").value == "demo-slow"


def test_choices_are_taken_back(open_card: Callable[[str], AppTest], gateway: FakeGateway) -> None:
    gateway.providers["demo"]["configuration"]["default_model_chosen"] = True
    page = open_card("demo")
    field(page, "selectbox", "Default model").select("")
    field(page, "text_input", "Base URL").set_value("")
    press(page, "Save")
    assert body(gateway, "PATCH", "/providers/demo") == {"base_url": "", "default_model": ""}


def test_saving_nothing_asks_nothing(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    page = press(open_card("demo"), "Save")
    assert page.info[0].value == "Nothing has changed."
    assert gateway.calls("PATCH", "/providers/demo") == []


def test_a_refused_change_is_explained_on_its_card(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    errors = [{"pointer": "/base_url", "detail": "It must be an address."}]
    gateway.refusals["PATCH /providers/demo"] = problem(
        422, "invalid_argument", "No.", errors=errors
    )
    page = open_card("demo")
    field(page, "text_input", "Base URL").set_value("https://")
    press(page, "Save")
    assert "base_url: It must be an address." in page.error[0].value
    assert len(page.header) == 3


def test_a_key_is_set_and_not_shown_again(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    page = open_card("acme")
    field(page, "text_input", "API key").set_value(" sk-secret-wxyz ")
    press(page, "Set key")
    assert body(gateway, "PUT", "/providers/acme/credentials") == {"api_key": "sk-secret-wxyz"}
    assert field(page, "text_input", "API key").value in {"", None}
    assert "sk-secret" not in str(page.session_state._state.filtered_state)
    assert any("key …wxyz stored" in caption.value for caption in page.caption)


def test_an_empty_key_is_not_sent(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    page = press(open_card("acme"), "Set key")
    assert "Type the key first." in [warning.value for warning in page.warning]
    assert gateway.calls("PUT", "/providers/acme/credentials") == []


def test_a_stored_key_is_forgotten_once_confirmed(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    stored = {"source": "stored", "last4": "wxyz"}
    gateway.providers["acme"]["configuration"]["credential"] = stored
    page = open_card("acme")
    page.button("confirm_forget_acme").click().run()
    assert gateway.providers["acme"]["configuration"]["credential"] is None
    assert "confirm_forget_acme" not in {button.key for button in page.button}


def test_a_missing_master_key_is_explained(
    open_card: Callable[[str], AppTest], gateway: FakeGateway
) -> None:
    refusal = problem(409, "master_key_missing", "There is no master key.")
    gateway.refusals["PUT /providers/acme/credentials"] = refusal
    page = open_card("acme")
    field(page, "text_input", "API key").set_value("sk-secret")
    press(page, "Set key")
    assert "`MASTER_KEY_FILE`" in page.error[0].value
    assert "sk-secret" not in page.error[0].value


def test_a_configuration_is_added_and_removed(visit: Visit, gateway: FakeGateway) -> None:
    page = visit("providers").run()
    page.text_input("new_provider_name").set_value("demo-eu")
    page.selectbox("new_provider_kind").select("demo")
    press(page, "Add")
    assert body(gateway, "POST", "/providers") == {"name": "demo-eu", "plugin": "demo"}
    assert r"demo\-eu" in [header.value for header in page.header]
    page.session_state["configure_demo-eu"] = True
    page.run().button("confirm_remove_demo-eu").click().run()
    assert "demo-eu" not in gateway.providers


def test_what_comes_with_a_plugin_cannot_be_removed(open_card: Callable[[str], AppTest]) -> None:
    keys = {button.key for button in open_card("demo").button}
    assert "confirm_remove_demo" not in keys


def test_a_provider_without_a_name_is_not_added(visit: Visit, gateway: FakeGateway) -> None:
    page = press(visit("providers").run(), "Add")
    assert page.warning[0].value == "A provider needs a name."
    assert gateway.calls("POST", "/providers") == []


def test_models_are_asked_for_now(visit: Visit, gateway: FakeGateway) -> None:
    gateway.models["demo", "extra"] = {"overridden": True}
    page = visit("providers").run()
    page.session_state["models_demo"] = True
    page.run().button("refresh_demo").click().run()
    assert len(gateway.calls("POST", "/providers/demo/models/refresh")) == 1
    table = page.dataframe[0].value
    assert table["Remark"].tolist() == ["", "", "set here"]
