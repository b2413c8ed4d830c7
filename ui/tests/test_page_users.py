"""Users on the page, without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]
JSON = dict[str, Any]


@pytest.fixture
def bea(gateway: FakeGateway) -> JSON:
    return gateway.add_user("bea", limits={"requests_per_hour": 60}, budgets={"daily": "1.234567"})


@pytest.fixture
def opened(visit: Visit, bea: JSON) -> AppTest:
    """The page with bea's card unfolded."""
    page = visit("users").run()
    page.session_state[f"user_{bea['user_id']}_user_False"] = True
    return page.run()


def field(page: AppTest, kind: str, label: str) -> Any:
    assert not page.exception
    (found,) = [one for one in getattr(page, kind) if one.label == label]
    return found


def edited(page: AppTest, kind: str, label: str) -> Any:
    """A widget of a card's form, and not one of those for a new key."""
    assert not page.exception
    found = [one for one in getattr(page, kind) if one.label == label]
    return next(one for one in found if not str(one.key).endswith("_0"))


def press(page: AppTest, label: str) -> AppTest:
    field(page, "button", label).click().run()
    assert not page.exception
    return page


def change(gateway: FakeGateway, user: JSON) -> Any:
    (sent,) = gateway.calls("PATCH", f"/users/{user['user_id']}")
    return sent.body


def links(page: AppTest) -> list[str]:
    return [link.proto.label for link in page.get("page_link")]


def test_only_administrators_are_led_there(page: AppTest, gateway: FakeGateway) -> None:
    assert links(page.run())[-3:] == ["Keys", "Users", "Audit"]


def test_others_are_not(page: AppTest, gateway: FakeGateway) -> None:
    gateway.role = "user"
    assert links(page.run())[-1] == "Keys"


def test_others_are_refused_by_the_gateway_anyway(visit: Visit, gateway: FakeGateway) -> None:
    gateway.role = "user"
    page = visit("users").run()
    assert "Ask an administrator" in page.error[0].value
    assert len(page.expander) == 1


def test_everybody_is_listed(visit: Visit, gateway: FakeGateway, bea: JSON) -> None:
    gateway.add_user("cy", role="admin", disabled=True)
    labels = [expander.label for expander in visit("users").run().expander]
    assert labels == [
        "New user",
        "**bea**",
        "**cy** :blue-badge[Administrator] :red-badge[Disabled]",
    ]


def test_a_user_is_added(visit: Visit, gateway: FakeGateway) -> None:
    page = visit("users").run()
    page.text_input("new_user_name_0").set_value(" dee ")
    page.selectbox("new_user_role_0").select("admin")
    press(page, "Add")
    (sent,) = gateway.calls("POST", "/users")
    assert sent.body == {"name": "dee", "role": "admin"}
    assert "**dee** :blue-badge[Administrator]" in [one.label for one in page.expander]


def test_a_taken_name_is_explained_and_stays(visit: Visit, bea: JSON) -> None:
    page = visit("users").run()
    page.text_input("new_user_name_0").set_value("bea")
    press(page, "Add")
    assert "Choose another name" in page.error[0].value
    assert page.text_input("new_user_name_0").value == "bea"


def test_a_user_without_a_name_is_not_added(visit: Visit, gateway: FakeGateway) -> None:
    page = press(visit("users").run(), "Add")
    assert page.warning[0].value == "A user needs a name."
    assert gateway.calls("POST", "/users") == []


def test_only_what_was_changed_is_sent(opened: AppTest, gateway: FakeGateway, bea: JSON) -> None:
    edited(opened, "selectbox", "Role").select("admin")
    press(opened, "Save")
    assert change(gateway, bea) == {"role": "admin"}


def test_limits_are_changed_and_taken_back(
    opened: AppTest, gateway: FakeGateway, bea: JSON
) -> None:
    edited(opened, "number_input", "Requests per hour").set_value(None)
    edited(opened, "number_input", "Replies at once").set_value(3)
    edited(opened, "number_input", "USD per month").set_value(20.5)
    press(opened, "Save")
    sent = change(gateway, bea)
    assert sent["limits"]["requests_per_hour"] is None
    assert sent["limits"]["concurrent_turns"] == 3
    # What nobody touched keeps all its digits.
    assert sent["budgets"] == {"daily": "1.234567", "monthly": "20.50"}
    assert edited(opened, "number_input", "Replies at once").value == 3


def test_saving_nothing_asks_nothing(opened: AppTest, gateway: FakeGateway, bea: JSON) -> None:
    press(opened, "Save")
    assert opened.info[0].value == "Nothing has changed."
    assert gateway.calls("PATCH", f"/users/{bea['user_id']}") == []


def test_a_user_is_disabled_once_confirmed_and_enabled(
    opened: AppTest, gateway: FakeGateway, bea: JSON
) -> None:
    press(opened, "Disable them")
    assert change(gateway, bea) == {"disabled": True}
    press(opened, "Enable")
    assert bea["disabled"] is False


def test_the_first_administrator_stays(opened: AppTest, gateway: FakeGateway, bea: JSON) -> None:
    refusal = problem(409, "last_administrator", "The first administrator stays.")
    gateway.refusals[f"PATCH /users/{bea['user_id']}"] = refusal
    press(opened, "Disable them")
    assert "Somebody must be able to administer" in opened.error[0].value


def test_a_key_is_made_for_somebody_and_shown_once(
    opened: AppTest, gateway: FakeGateway, bea: JSON
) -> None:
    mark = f"{bea['user_id']}_0"
    assert "Administration" not in opened.multiselect(f"key_scopes_{mark}").options
    opened.text_input(f"key_name_{mark}").set_value("phone")
    press(opened, "Make key")
    (sent,) = gateway.calls("POST", "/keys")
    assert sent.body == {"name": "phone", "user_id": bea["user_id"], "scopes": []}
    (secret,) = gateway.tokens
    assert opened.code[0].value == secret
    press(opened, "I have it")
    assert secret not in str(opened._tree)


def test_a_users_keys_are_listed_and_revoked(
    opened: AppTest, gateway: FakeGateway, bea: JSON
) -> None:
    key, _ = gateway.add_key(bea["user_id"], "lost phone")
    opened.run().button(f"confirm_revoke_{key['key_id']}").click().run()
    assert gateway.keys == {}
