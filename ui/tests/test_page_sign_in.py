"""Whose page it is: signing in, out, and being turned out, without a browser."""

import logging
from collections.abc import Callable

import pytest
import streamlit as st
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]


@pytest.fixture
def bea(gateway: FakeGateway) -> str:
    """The key of a user who is no administrator and has a chat."""
    user = gateway.add_user("bea")
    gateway.add_chat("beas", "Of bea")
    gateway.owners["beas"] = user["user_id"]
    gateway.add_chat("admins", "Of the administrator")
    return gateway.add_key(user["user_id"], "laptop")[1]


@pytest.fixture
def at_the_door(visit: Visit) -> Callable[..., AppTest]:
    """Opens a page that has no key of its own."""

    def opened(**parameters: str) -> AppTest:
        page = visit(**parameters)
        page.secrets |= {"sign_in": True, "api_key": "", "key_file": ""}
        return page.run()

    return opened


def sign_in(page: AppTest, key: str) -> AppTest:
    field = next(one for one in page.text_input if one.label == "Key")
    field.set_value(key)
    next(one for one in page.button if one.label == "Sign in").click().run()
    assert not page.exception
    return page


def titles(page: AppTest) -> list[str]:
    assert not page.exception
    return [title.value for title in page.title]


def chats(page: AppTest) -> list[str]:
    return [str(one.key)[5:] for one in page.button if str(one.key).startswith("open_")]


def leave(page: AppTest) -> AppTest:
    page.button("leave").click().run()
    assert not page.exception
    return page


def test_nothing_is_asked_and_nothing_shown_before_the_door(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    page = at_the_door()
    assert titles(page) == ["Sign in"]
    assert (chats(page), len(page.chat_input), gateway.received) == ([], 0, [])
    assert "go_on" not in {button.key for button in page.button}


def test_one_signs_in_and_acts_with_their_key(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    page = sign_in(at_the_door(), f" {bea} ")
    assert chats(page) == ["beas"]
    assert "You act as **bea** with the key **laptop**." in [one.value for one in page.markdown]
    page.chat_input[0].set_value("Hello").run()
    shown = {one.headers["Authorization"] for one in gateway.received}
    assert shown == {f"Bearer {bea}"}


def test_a_link_to_a_chat_survives_the_door(at_the_door: Callable[..., AppTest], bea: str) -> None:
    page = sign_in(at_the_door(chat="beas"), bea)
    assert page.header[0].value == "Of bea"


def test_the_key_is_in_no_widget_no_address_and_no_log(
    at_the_door: Callable[..., AppTest], bea: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = sign_in(at_the_door(), bea)
    assert bea not in str(page.session_state._state.filtered_state)
    assert bea not in str(page.query_params)
    assert bea not in str(page.main)
    assert bea not in caplog.text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (" ", "Type the key first"),
        ("a\tb", "Type the key first"),
        ("parley_wrong", "does not accept this key"),
    ],
)
def test_what_is_no_key_is_said_to_be_none(
    at_the_door: Callable[..., AppTest], bea: str, typed: str, words: str
) -> None:
    page = sign_in(at_the_door(), typed)
    told = page.error[0].value
    assert words in told
    assert "parley_wrong" not in told
    assert titles(page) == ["Sign in"]
    assert chats(sign_in(page, bea)) == ["beas"]


def test_a_gateway_that_throttles_or_is_away_is_no_wrong_key(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    limit = problem(429, "limit_exceeded", "Too many wrong keys.", retry_after=30)
    gateway.refusals["GET /me"] = limit
    told = sign_in(at_the_door(), bea).error[0].value
    assert "Too many wrong keys" in told
    assert "Try again in 30 s" in told
    assert "does not accept" not in told


def test_who_signs_out_leaves_nothing_behind(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    page = sign_in(at_the_door(chat="beas"), bea)
    page = leave(page)
    assert (titles(page), page.query_params) == (["Sign in"], {})
    assert "Of bea" not in str(page._tree)
    assert chats(sign_in(page, gateway.key)) == ["admins"]


def test_a_message_that_waits_is_not_sent_by_another(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    gateway.refusals["POST /chat"] = problem(503, "provider_error", "Away.")
    page = sign_in(at_the_door(), bea)
    page.chat_input[0].set_value("A secret of bea").run()
    page = sign_in(leave(page), gateway.key)
    gateway.refusals.clear()
    assert "A secret of bea" not in str(page.run()._tree)
    assert {one.headers["Authorization"] for one in gateway.calls("POST", "/chat")} == {
        f"Bearer {bea}"
    }


def test_the_pages_own_key_is_exchanged_for_ones_own_and_taken_again(
    page: AppTest, bea: str
) -> None:
    assert chats(page.run()) == ["admins"]
    assert any("which is the page's own" in one.value for one in page.markdown)
    assert chats(sign_in(leave(page), bea)) == ["beas"]
    leave(page).button("go_on").click().run()
    assert chats(page) == ["admins"]


@pytest.mark.parametrize("first", ["the message", "a read"])
def test_a_revoked_key_leads_to_the_door_and_the_message_waits(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str, first: str
) -> None:
    """Whichever of the page's requests is the first to be refused."""
    page = sign_in(at_the_door(), bea)
    page.selectbox("model_None_demo").select("demo-slow").run()
    user_id, key_id = gateway.tokens[bea]
    gateway.revoke(key_id)
    if first == "a read":
        st.cache_data.clear()
    page.chat_input[0].set_value("Do not lose me").run()
    assert titles(page) == ["Sign in"]
    assert "Your key is not accepted any more" in page.error[0].value
    assert "revoked" in page.error[0].value
    assert "Of bea" not in str(page._tree)
    sign_in(page, gateway.add_key(user_id, "new")[1])
    assert [one["content"] for one in gateway.messages[page.query_params["chat"]]] == [
        "Do not lose me",
        "You said: Do not lose me",
    ]
    assert gateway.calls("POST", "/chat")[-1].body["model"] == "demo-slow"


def test_what_was_kept_for_one_is_not_sent_by_another(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    page = sign_in(at_the_door(), bea)
    gateway.revoke(gateway.tokens[bea][1])
    page.chat_input[0].set_value("Only mine").run()
    sign_in(page, gateway.key).run()
    assert "Only mine" not in str(page._tree)
    assert "Only mine" not in str(gateway.messages)


def test_a_page_whose_own_key_is_refused_says_so_and_tries_again(
    page: AppTest, gateway: FakeGateway
) -> None:
    page.secrets["api_key"] = "wrong"
    page.run()
    assert "does not accept this page" in page.error[0].value
    page.secrets["api_key"] = gateway.key
    page.button("go_on").click().run()
    assert titles(page) == ["What is on your mind?"]


def test_two_visits_of_one_page_never_mix(
    at_the_door: Callable[..., AppTest], gateway: FakeGateway, bea: str
) -> None:
    one, other = sign_in(at_the_door(), bea), sign_in(at_the_door(), gateway.key)
    assert (chats(one.run()), chats(other.run())) == (["beas"], ["admins"])
    assert (chats(other.run()), chats(one.run())) == (["admins"], ["beas"])
