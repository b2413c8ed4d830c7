"""Replies that are being made, without a browser: followed, stopped, and gone on with."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from parley_client import Client, TurnStart
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]
LONG = " ".join(f"word{number}" for number in range(3000))


def said(page: AppTest) -> list[str]:
    assert not page.exception
    return [part.value for message in page.chat_message for part in message.markdown]


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def stop_button(page: AppTest) -> Button:
    return next(button for button in page.button if button.label == "Stop")


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.url, gateway.key) as client:
        yield client


@pytest.fixture
def begin(client: Client, gateway: FakeGateway) -> Callable[[str, float], dict[str, Any]]:
    """Returns what has somebody else ask for a reply in the chat `busy`: the stored reply."""

    def ask(reply: str, pace: float) -> dict[str, Any]:
        gateway.reply, gateway.pace = reply, pace
        events = client.stream_chat("Hello", chat_id="busy")
        start = next(events)
        events.close()
        assert isinstance(start, TurnStart)
        until(lambda: gateway.messages["busy"][1]["content"])
        return gateway.messages["busy"][1]

    return ask


def stream_of(reply: dict[str, Any]) -> str:
    return f"/chats/busy/messages/{reply['message_id']}/stream"


@pytest.fixture
def running() -> Iterator[Callable[[AppTest], Future[AppTest]]]:
    """Returns what runs a page beside the test."""
    with ThreadPoolExecutor(2) as threads:
        yield lambda page: threads.submit(page.run)


def test_a_reply_that_is_being_made_is_followed_to_its_end(
    visit: Visit,
    gateway: FakeGateway,
    begin: Callable[..., dict[str, Any]],
    running: Callable[[AppTest], Future[AppTest]],
) -> None:
    reply = begin(f"Grüße 🎈 {LONG}", 0.01)
    following = running(visit(chat="busy"))
    until(lambda: gateway.calls("GET", stream_of(reply)))
    gateway.pace = 0
    page = following.result(30)
    assert said(page) == ["Hello", reply["content"]]
    assert "tokens in" in captions(page)
    (followed,) = gateway.calls("GET", stream_of(reply))
    _, _, text = followed.headers["Last-Event-ID"].partition(".")
    assert 0 < int(text) < len(reply["content"])
    assert len(gateway.calls("POST", "/chat")) == 1


def test_thoughts_are_followed_where_they_are(
    visit: Visit,
    gateway: FakeGateway,
    begin: Callable[..., dict[str, Any]],
    running: Callable[[AppTest], Future[AppTest]],
) -> None:
    gateway.reasoning = "Über…"
    reply = begin(LONG, 0.01)
    following = running(visit(chat="busy"))
    until(lambda: gateway.calls("GET", stream_of(reply)))
    gateway.pace = 0
    assert said(following.result(30))[1] == "Über…"
    (followed,) = gateway.calls("GET", stream_of(reply))
    assert followed.headers["Last-Event-ID"].startswith("5.")


def test_a_reply_that_somebody_else_stops_is_shown_as_stopped(
    visit: Visit,
    gateway: FakeGateway,
    client: Client,
    begin: Callable[..., dict[str, Any]],
    running: Callable[[AppTest], Future[AppTest]],
) -> None:
    reply = begin(LONG, 0.01)
    # One at a time: all pages of a process share the settings that the test gives them.
    seen = running(visit(chat="busy"))
    until(lambda: gateway.calls("GET", stream_of(reply)))
    client.stop_message("busy", reply["message_id"])
    page = seen.result(30)
    assert said(page) == ["Hello", reply["content"]]
    assert "Stopped before its end" in captions(page)
    assert stop_button(page).disabled


def test_a_message_that_was_just_sent_can_be_stopped_too(
    page: AppTest,
    gateway: FakeGateway,
    client: Client,
    running: Callable[[AppTest], Future[AppTest]],
) -> None:
    gateway.reply, gateway.pace = LONG, 0.01
    page.run().chat_input[0].set_value("Hello")
    sending = running(page)
    until(lambda: any(len(said) == 2 and said[1]["content"] for said in gateway.messages.values()))
    ((chat_id, (_, reply)),) = gateway.messages.items()
    client.stop_message(chat_id, reply["message_id"])
    assert said(sending.result(30)) == ["Hello", reply["content"]]
    assert "Stopped before its end" in captions(page)


def test_nothing_is_stopped_while_nothing_is_made(page: AppTest, gateway: FakeGateway) -> None:
    assert stop_button(page.run()).disabled
    page.chat_input[0].set_value("Hello").run()
    assert stop_button(page).disabled


@pytest.fixture
def unseen(
    visit: Visit, gateway: FakeGateway, begin: Callable[..., dict[str, Any]]
) -> tuple[AppTest, dict[str, Any]]:
    """A page whose reply is being made and cannot be followed, and that reply."""
    reply = begin(LONG, 0.01)
    gateway.refusals[f"GET {stream_of(reply)}"] = problem(404, "route_not_found", "No stream.")
    return visit(chat="busy").run(), reply


def test_a_reply_that_cannot_be_followed_keeps_its_text_and_its_button(
    unseen: tuple[AppTest, dict[str, Any]],
) -> None:
    page, reply = unseen
    assert r"No stream\." in page.error[0].value
    assert reply["content"].startswith(said(page)[1])
    assert not stop_button(page).disabled


def test_the_button_stops_the_reply(
    unseen: tuple[AppTest, dict[str, Any]], gateway: FakeGateway
) -> None:
    page, reply = unseen
    stop_button(page).click().run()
    assert reply["status"] == "stopped"
    assert said(page) == ["Hello", reply["content"]]
    assert "Stopped before its end" in captions(page)
    assert len(page.error) == 0
    assert len(gateway.calls("POST", f"/chats/busy/messages/{reply['message_id']}/stop")) == 1


def test_a_stop_that_fails_is_told_once(
    unseen: tuple[AppTest, dict[str, Any]], gateway: FakeGateway
) -> None:
    page, reply = unseen
    route = f"POST /chats/busy/messages/{reply['message_id']}/stop"
    gateway.refusals[route] = problem(500, "internal", "No stop.")
    stop_button(page).click().run()
    assert [("No stop" in card.value) for card in page.error] == [True, False]
    assert [("No stop" in card.value) for card in page.run().error] == [False]


def test_running_again_stops_nothing(
    unseen: tuple[AppTest, dict[str, Any]], gateway: FakeGateway
) -> None:
    page, reply = unseen
    page.run().button("new_chat").click().run()
    assert reply["status"] == "running"


def test_what_a_stopped_reply_used_is_looked_for_a_while(
    visit: Visit, gateway: FakeGateway
) -> None:
    gateway.add_chat("busy", "Hello")
    reply = gateway.add_message("busy", "assistant", "Hm", status="stopped", usage=None, cost=None)
    page = visit(chat="busy")
    for _ in range(30):
        page.run()
    assert len(gateway.calls("GET", "/chat/history/busy")) < 30 * 2
    assert "tokens" not in captions(page)
    reply["usage"] = {"input_tokens": 7, "output_tokens": 1, "source": "reported"}
    assert "7 tokens in" in captions(page.run())


def test_a_connection_that_is_lost_changes_nothing(page: AppTest, gateway: FakeGateway) -> None:
    gateway.reply, gateway.piece, gateway.cuts = "one two three four", 2, [400, 90, 90]
    page.run().chat_input[0].set_value("Hello").run()
    assert said(page) == ["Hello", "one two three four"]
    assert len(gateway.calls("POST", "/chat")) == 1
    assert gateway.cuts == []


def test_a_chat_that_is_deleted_meanwhile_is_gone(
    visit: Visit,
    gateway: FakeGateway,
    client: Client,
    begin: Callable[..., dict[str, Any]],
    running: Callable[[AppTest], Future[AppTest]],
) -> None:
    reply = begin(LONG, 0.01)
    following = running(visit(chat="busy"))
    until(lambda: gateway.calls("GET", stream_of(reply)))
    client.delete_chat("busy")
    page = following.result(30)
    assert page.title[0].value == "What is on your mind?"
    assert len(page.error) == 0


def test_a_message_that_was_refused_waits_below_the_reply_that_is_made(
    page: AppTest, gateway: FakeGateway, begin: Callable[..., dict[str, Any]]
) -> None:
    reply = begin(LONG, 0.01)
    gateway.refusals["POST /chat"] = problem(409, "chat_busy", "Too many wait.")
    page.query_params["chat"] = "busy"
    gateway.refusals[f"GET {stream_of(reply)}"] = problem(404, "route_not_found", "No stream.")
    page.run().chat_input[0].set_value("And then?").run()
    del gateway.refusals[f"GET {stream_of(reply)}"]
    gateway.pace = 0
    page.run()
    assert said(page) == ["Hello", reply["content"], "And then?"]
    assert r"Too many wait\." in page.error[0].value
