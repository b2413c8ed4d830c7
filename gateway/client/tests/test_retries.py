"""What is sent again by itself, and what is not."""

import logging
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from parley_client import (
    Attachment,
    Call,
    Client,
    Context,
    GatewayUnreachable,
    ProblemError,
    Timeouts,
    account_calls,
    calls,
    provider_calls,
)
from parley_client.errors import ParleyError
from parley_client.retries import sending
from parley_client.wire import Wire
from parley_tests.fake_gateway import FakeGateway, problem

pytestmark = pytest.mark.unit

AWAY = problem(503, "unavailable", "Away.")
LATER = problem(503, "too_busy", "Later.", retry_after=1)
LOST = GatewayUnreachable("broken off")
NOBODY = GatewayUnreachable("refused", arrived=False)
SLOW = GatewayUnreachable("too slow", waited=True)
SECRET = "parley_0123456789"


@contextmanager
def impatient(gateway: FakeGateway, **seconds: float) -> Iterator[Client]:
    with Client(gateway.url, gateway.key, timeouts=Timeouts(**seconds)) as client:
        yield client


def test_a_read_is_repeated_while_nobody_answers_it(gateway: FakeGateway) -> None:
    gateway.passing["GET /system-prompts/default"] = [AWAY, LATER]
    gateway.lost["GET /system-prompts/default"] = 1
    with impatient(gateway, reread=60) as client:
        assert client.get_prompt("default").prompt_id == "default"

    assert len(gateway.calls("GET", "/system-prompts/default")) == 3


def test_a_list_goes_on_where_a_page_was_lost(client: Client, gateway: FakeGateway) -> None:
    gateway.add_chat("long", *map(str, range(7)))
    gateway.passing["GET /chat/history/long"] = [AWAY]

    texts = [message.content for message in client.all_messages("long", page_size=3)]

    assert texts == list("0123456")


def test_a_read_is_not_repeated_for_longer_than_one_waits(gateway: FakeGateway) -> None:
    gateway.refusals["GET /system-prompts/default"] = AWAY
    with impatient(gateway, reread=0) as client, pytest.raises(ProblemError):
        client.get_prompt("default")

    assert len(gateway.calls("GET", "/system-prompts/default")) == 1


@pytest.mark.parametrize("ask", [Client.about, Client.health, Client.is_live, Client.is_ready])
def test_how_it_is_just_now_is_asked_once(ask: Callable[[Client], Any]) -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(GatewayUnreachable) as caught:
        ask(client)

    with pytest.raises(GatewayUnreachable):
        sending(calls.health(), Timeouts()).wait_after(caught.value)
    assert not caught.value.arrived


TABLE: list[tuple[Call[Any], ParleyError, bool]] = [
    (calls.get_prompt("p"), LOST, True),
    (calls.get_prompt("p"), SLOW, False),
    (calls.get_prompt("p"), ProblemError(404, "prompt_not_found", ""), False),
    (calls.chat("Hello"), LOST, True),
    (calls.activate_prompt("p"), LOST, True),
    (account_calls.create_my_context(), LOST, True),
    (provider_calls.set_credential("p", "k"), LOST, True),
    (calls.create_prompt("p", "c"), LOST, False),
    (calls.create_prompt("p", "c"), NOBODY, True),
    (calls.delete_prompt("p"), LOST, False),
    (calls.delete_prompt("p"), NOBODY, True),
    (account_calls.create_key("k"), LOST, False),
    (account_calls.create_key("k"), NOBODY, True),
    (calls.chat("Hello"), GatewayUnreachable("line break", arrived=False, retryable=False), False),
]


@pytest.mark.parametrize(("call", "error", "again"), TABLE)
def test_what_is_sent_again(call: Call[Any], error: ParleyError, again: bool) -> None:
    retries = sending(call, Timeouts())
    if again:
        assert retries.wait_after(error) > 0
        return
    with pytest.raises(type(error)):
        retries.wait_after(error)


def test_a_gateway_is_told_who_asks(client: Client, gateway: FakeGateway) -> None:
    client.is_live()

    assert gateway.received[0].headers["User-Agent"].startswith("parley-client/")


def test_a_picture_is_sent_as_text(client: Client, gateway: FakeGateway) -> None:
    picture = Attachment("image/png", b"\x89PNG", "moon.png")

    call = calls.chat("What is this?", attachments=[picture])

    [sent] = (call.body or {})["attachments"]
    assert (b64decode(sent["data"]), sent["name"]) == (b"\x89PNG", "moon.png")
    assert "PNG" not in repr(picture)


def test_no_secret_is_told_by_the_way(
    gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Client(gateway.url, SECRET) as client, pytest.raises(ProblemError) as caught:
        client.me()
    call = provider_calls.set_credential("acme", SECRET)
    told = [client, client._wire, call, caught.value, Context(SECRET, None, None)]  # type: ignore[arg-type]
    wire = Wire(gateway.url, SECRET, None)

    assert SECRET not in "".join(map(repr, [*told, wire])) + str(caught.value) + caplog.text
