"""The end of a chat, in few requests."""

import pytest
from parley_client import Client
from parley_tests.fake_gateway import FakeGateway
from parley_ui.history import PAGE_SIZE, Place, read_tail

pytestmark = pytest.mark.unit


def texts(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_a_short_chat_is_read_whole(gateway: FakeGateway) -> None:
    gateway.add_chat("short", "Hello", "Hi")
    place = Place("short")
    with Client(gateway.url, gateway.key) as client:
        tail = read_tail(client, place)
    assert [message.content for message in tail.messages] == ["Hello", "Hi"]
    assert not place.has_earlier


def test_a_long_chat_is_walked_once_and_then_read_at_its_end(gateway: FakeGateway) -> None:
    gateway.add_chat("long", *texts(100))
    place = Place("long")
    with Client(gateway.url, gateway.key) as client:
        read_tail(client, place)
        walked = len(gateway.received)
        tail = read_tail(client, place)
    assert (walked, len(gateway.received) - walked) == (7, 2)
    assert [message.content for message in tail.messages] == texts(100)[5 * PAGE_SIZE :]


def test_earlier_messages_come_when_asked_for(gateway: FakeGateway) -> None:
    gateway.add_chat("long", *texts(50))
    place = Place("long")
    with Client(gateway.url, gateway.key) as client:
        assert len(read_tail(client, place).messages) == 20
        assert place.has_earlier
        place.show_more()
        assert [message.content for message in read_tail(client, place).messages] == texts(50)
    assert not place.has_earlier


def test_a_chat_that_grows_is_followed(gateway: FakeGateway) -> None:
    gateway.add_chat("growing", *texts(30))
    place = Place("growing")
    with Client(gateway.url, gateway.key) as client:
        read_tail(client, place)
        gateway.add_message("growing", "assistant", "", status="running")
        tail = read_tail(client, place)
    assert [message.content for message in tail.settled] == texts(30)[PAGE_SIZE:]
    assert [message.status for message in tail.running] == ["running"]
