"""Keys on the page, without a browser."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from parley_client import NewKey
from parley_tests.fake_gateway import FakeGateway, problem
from parley_ui import snippets
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]


def soon(**later: int) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


def body(gateway: FakeGateway, path: str) -> Any:
    (sent,) = gateway.calls("POST", path)
    return sent.body


def texts(page: AppTest) -> str:
    assert not page.exception
    return "\n".join(one.value for one in [*page.markdown, *page.caption])


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [one for one in page.button if one.label == label]
    button.click().run()
    assert not page.exception
    return page


def made(page: AppTest, name: str) -> AppTest:
    page.text_input("key_name_mine_0").set_value(name)
    return press(page, "Make key")


def test_ones_own_keys_are_listed_with_what_matters(visit: Visit, gateway: FakeGateway) -> None:
    used = "2026-11-20T10:30:00+00:00"
    gateway.add_key("ada", "ci", scopes=["chat", "provider:demo"], last_used_at=used)
    gateway.add_key("ada", "old", expires_at="2026-01-01T00:00:00+00:00")
    gateway.add_key("ada", "new", expires_at=soon(days=2), limits={"requests_per_hour": 60})
    gateway.add_key(gateway.add_user("bea")["user_id"], "theirs")
    told = texts(visit("keys").run())
    assert "For Chats · asks only demo · does not expire" in told
    assert "last used 2026-11-20 10:30 UTC" in told
    assert "For all that its user may do" in told
    assert "at most 60 requests per hour" in told
    assert told.count("Expired") == 1
    assert told.count("Expires soon") == 1
    assert "wxyz" in told
    assert "theirs" not in told


def test_a_key_is_made_as_it_was_asked_for(visit: Visit, gateway: FakeGateway) -> None:
    page = visit("keys").run()
    page.multiselect("key_scopes_mine_0").set_value(["chat", "read"])
    page.multiselect("key_askable_mine_0").set_value(["model:demo/demo-fast"])
    page.date_input("key_last_day_mine_0").set_value(datetime.now(UTC).date())
    page.number_input("minute_mine_0").set_value(5000)
    page.number_input("day_mine_0").set_value(1.1)
    made(page, " ci ")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert body(gateway, "/keys") == {
        "name": "ci",
        "scopes": ["chat", "read", "model:demo/demo-fast"],
        "expires_at": f"{tomorrow}T00:00:00+00:00",
        "limits": {"tokens_per_minute": 5000},
        "budgets": {"daily": "1.10"},
    }


def test_a_key_is_shown_once_with_what_to_type(visit: Visit, gateway: FakeGateway) -> None:
    page = made(visit("keys").run(), "ci")
    (secret,) = gateway.tokens
    shown = [code.value for code in page.code]
    assert shown[0] == secret
    assert [secret in code for code in shown] == [True] * 3
    assert page.text_input("key_name_mine_1").value == ""
    press(page, "I have it")
    assert secret not in str(page._tree)
    assert secret not in str(page.session_state._state.filtered_state)


def test_a_plain_key_is_for_everything(visit: Visit, gateway: FakeGateway) -> None:
    made(visit("keys").run(), "all")
    assert body(gateway, "/keys") == {"name": "all", "scopes": []}


def test_administration_is_offered_to_administrators(visit: Visit, gateway: FakeGateway) -> None:
    assert "Administration" in visit("keys").run().multiselect("key_scopes_mine_0").options


def test_it_is_not_offered_to_others(visit: Visit, gateway: FakeGateway) -> None:
    gateway.role = "user"
    assert "Administration" not in visit("keys").run().multiselect("key_scopes_mine_0").options


def test_a_key_without_a_name_is_not_made(visit: Visit, gateway: FakeGateway) -> None:
    page = made(visit("keys").run(), " ")
    assert page.warning[0].value == "A key needs a name."
    assert gateway.calls("POST", "/keys") == []


def test_a_refused_key_is_explained_and_what_was_typed_stays(
    visit: Visit, gateway: FakeGateway
) -> None:
    refusal = problem(403, "scope_missing", "The key lacks the scope keys.")
    gateway.refusals["POST /keys"] = refusal
    page = made(visit("keys").run(), "ci")
    assert "This key is not for that" in page.error[0].value
    assert page.text_input("key_name_mine_0").value == "ci"


@pytest.mark.parametrize(("chosen", "seconds"), [("Not at all", 0), ("For a day", 86_400)])
def test_a_key_is_rotated_with_an_overlap(
    visit: Visit, gateway: FakeGateway, chosen: str, seconds: int
) -> None:
    old, _ = gateway.add_key("ada", "ci", scopes=["chat"])
    page = visit("keys").run()
    page.selectbox(f"overlap_{old['key_id']}").select(chosen)
    page.button(f"confirm_rotate_{old['key_id']}").click().run()
    assert body(gateway, f"/keys/{old['key_id']}/rotate") == {"overlap_seconds": seconds}
    assert page.code[0].value == list(gateway.tokens)[-1]
    page.button(f"confirm_rotate_{old['key_id']}").click().run()
    assert "has a successor" in page.error[0].value


def test_a_key_is_revoked_once_confirmed(visit: Visit, gateway: FakeGateway) -> None:
    key, _ = gateway.add_key("ada", "ci")
    page = visit("keys").run()
    page.button(f"confirm_revoke_{key['key_id']}").click().run()
    assert gateway.keys == {}
    assert "ci" not in texts(page)


def test_the_key_that_one_acts_with_is_marked(visit: Visit, gateway: FakeGateway) -> None:
    user = gateway.add_user("bea")
    _, token = gateway.add_key(user["user_id"], "laptop")
    page = visit("keys")
    page.secrets["api_key"] = token
    told = texts(page.run())
    assert "In use here" in told
    assert "you will have to sign in with another one" in told


def test_more_keys_than_a_page_holds(visit: Visit, gateway: FakeGateway) -> None:
    for number in range(25):
        gateway.add_key("ada", f"key {number}")
    page = visit("keys").run()
    assert "key 24" not in texts(page)
    assert "key 24" in texts(press(page, "More keys"))


@pytest.mark.parametrize(("scopes", "path"), [((), "/chat"), (("read",), "/me")])
def test_what_to_type_is_what_the_key_may_do(
    gateway: FakeGateway, scopes: tuple[str, ...], path: str
) -> None:
    key = NewKey("k", "ci", scopes=scopes, key=gateway.key)
    program = snippets.python(gateway.url, key)
    compile(program, "snippet", "exec")
    command = snippets.curl(gateway.url, key)
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0
    assert f"{gateway.url}{path}" in command
    assert gateway.key in command
    exec(program, {})  # noqa: S102 - the text that readers are given
    assert gateway.received[-1].path == path


def test_a_key_that_only_reads_is_offered_nothing_else(visit: Visit, gateway: FakeGateway) -> None:
    _, token = gateway.add_key(gateway.add_user("bea")["user_id"], "reader", scopes=["read"])
    page = visit("keys")
    page.secrets["api_key"] = token
    assert "reader" in texts(page.run())
    assert [button.key for button in page.button] == []


@pytest.mark.parametrize(
    ("scopes", "titles", "panels"),
    [
        (["chat"], ["Chat", "Providers"], 1),
        (["prompts", "model:demo/demo-fast"], ["Chat", "Prompts", "Providers"], 2),
        (["keys"], ["Chat", "Providers", "Keys"], 1),
        (["admin"], ["Chat", "Providers"], 1),
    ],
)
def test_a_key_leads_to_what_it_is_for(
    page: AppTest, gateway: FakeGateway, scopes: list[str], titles: list[str], panels: int
) -> None:
    _, token = gateway.add_key(gateway.add_user("bea")["user_id"], "narrow", scopes=scopes)
    page.secrets["api_key"] = token
    page.run()
    assert not page.exception
    assert [link.proto.label for link in page.get("page_link")] == titles
    assert len(page.expander) == panels


def test_whoever_leaves_does_not_find_the_secret_again(page: AppTest, gateway: FakeGateway) -> None:
    page.session_state["new_key"] = NewKey("k", "ci", key="parley_not_taken_along")
    page.run()
    assert not page.exception
    assert "new_key" not in page.session_state
