"""Connections that are lost, over a real socket: nothing is repeated and nothing is skipped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from parley_client import (
    AsyncClient,
    Client,
    GatewayUnreachable,
    ProblemError,
    ReasoningDelta,
    TextDelta,
    TurnEnd,
    TurnEvent,
    TurnStart,
)
from parley_tests.fake_gateway import FakeGateway, problem

pytestmark = pytest.mark.unit

THOUGHTS, TEXT = "Hm…:", "Ü, 世 🎈\n\n“\u2028id: 9.9"
AT_ONCE = 40  # so many streams; each waits a moment where it was cut
AWAY = problem(503, "unavailable", "Away.", retry_after=1)


@pytest.fixture
def stored(gateway: FakeGateway) -> str:
    """The id of a reply in the chat `c`, told in pieces of three code points."""
    gateway.piece = 3
    gateway.add_chat("c", "Hello")
    return str(gateway.add_message("c", "assistant", TEXT, reasoning=THOUGHTS)["message_id"])


def joined(events: list[TurnEvent], kind: type[TextDelta | ReasoningDelta]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def assert_whole(events: list[TurnEvent]) -> None:
    """One start, one end, and between them all of the reply once, at growing positions."""
    assert (joined(events, TextDelta), joined(events, ReasoningDelta)) == (TEXT, THOUGHTS)
    kinds = [type(event) for event in events]
    assert (kinds[0], kinds.count(TurnStart)) == (TurnStart, 1)
    assert (kinds[-1], kinds.count(TurnEnd)) == (TurnEnd, 1)
    places = [tuple(map(int, event.position.split("."))) for event in events]
    assert all(
        a <= b for one, next_one in pairwise(places) for a, b in zip(one, next_one, strict=True)
    )
    assert places[-1] == (len(THOUGHTS), len(TEXT))


def frames(gateway: FakeGateway, message_id: str) -> list[bytes]:
    """The events of the whole stream, as bytes."""
    with Client(gateway.url, gateway.key) as client:
        url = f"/chats/c/messages/{message_id}/stream"
        raw = client._http.get(url).content
    return [frame + b"\n\n" for frame in raw.split(b"\n\n")[:-1]]


async def many(
    gateway: FakeGateway, count: int, read: Callable[[AsyncClient], AsyncIterator[TurnEvent]]
) -> list[list[TurnEvent]]:
    """Reads so many streams to their ends."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(client: AsyncClient) -> list[TurnEvent]:
        async with turns:
            return [event async for event in read(client)]

    async with AsyncClient(gateway.url, gateway.key) as client:
        return await asyncio.gather(*(one(client) for _ in range(count)))


@pytest.mark.parametrize("how", ["close", "end"])
async def test_a_cut_at_any_byte_changes_nothing(
    gateway: FakeGateway, stored: str, how: str
) -> None:
    size = len(b"".join(frames(gateway, stored)))
    gateway.cut_by, gateway.cuts = how, list(range(size))

    def read(client: AsyncClient) -> AsyncIterator[TurnEvent]:
        return client.stream_message("c", stored)

    for events in await many(gateway, size, read):
        assert_whole(events)
    assert gateway.cuts == []


@pytest.mark.parametrize("how", ["close", "reset", "end", "farewell"])
def test_a_cut_between_any_two_events_changes_nothing(
    gateway: FakeGateway, stored: str, how: str
) -> None:
    told = frames(gateway, stored)
    gateway.cut_by = how
    gateway.cuts = [len(b"".join(told[: number + 1])) for number in range(len(told) - 1)]

    with (
        Client(gateway.url, gateway.key) as client,
        ThreadPoolExecutor(len(told)) as readers,
    ):
        reading = [
            readers.submit(list, client.stream_message("c", stored)) for _ in range(len(told) - 1)
        ]
        for one in reading:
            assert_whole(one.result(60))
    assert gateway.cuts == []


def test_a_stream_that_is_cut_again_and_again_comes_to_its_end(
    client: Client, gateway: FakeGateway, stored: str
) -> None:
    longest = max(map(len, frames(gateway, stored)))
    gateway.cuts = [2 * longest] * 12
    assert_whole(list(client.stream_message("c", stored)))
    assert len(gateway.cuts) < 12


async def test_a_send_that_is_cut_anywhere_is_sent_once(gateway: FakeGateway) -> None:
    gateway.reply, gateway.reasoning, gateway.piece = TEXT, THOUGHTS, 3
    gateway.cuts = list(range(0, 900, 7))
    sends = len(gateway.cuts)

    for events in await many(gateway, sends, lambda client: client.stream_chat("Hello")):
        assert_whole(events)
    assert len(gateway.chats) == sends


def test_any_position_is_gone_on_from(client: Client, stored: str) -> None:
    events = list(client.stream_message("c", stored))
    for number, event in enumerate(events[:-1]):
        rest = list(client.stream_message("c", stored, after=event.position))
        for kind in (TextDelta, ReasoningDelta):
            assert joined(rest, kind) == joined(events[number + 1 :], kind)
        assert rest[-1] == events[-1]


def test_several_read_the_same_reply_while_it_is_made(client: Client, gateway: FakeGateway) -> None:
    gateway.pace, gateway.reply = 0.01, " ".join(map(str, range(50)))
    first = client.stream_chat("Hello", chat_id="c")
    start = next(first)
    assert isinstance(start, TurnStart)
    with ThreadPoolExecutor(3) as readers:
        others = [
            readers.submit(list, client.stream_message("c", start.message_id)) for _ in range(3)
        ]
        texts = [joined(one.result(30), TextDelta) for one in others]
    assert {*texts, joined(list(first), TextDelta)} == {gateway.reply}


def test_a_gateway_that_is_away_for_a_moment_is_waited_for(
    client: Client, gateway: FakeGateway, stored: str
) -> None:
    route = f"GET /chats/c/messages/{stored}/stream"
    gateway.cuts = [300]
    events = client.stream_message("c", stored)
    next(events)
    gateway.passing[route] = [AWAY, problem(503, "unavailable", "Away.")]
    assert joined(list(events), TextDelta) == TEXT
    assert gateway.passing[route] == []


@pytest.mark.parametrize("status", [401, 404])
def test_a_reply_that_cannot_be_had_any_more_is_not_asked_for_again(
    client: Client, gateway: FakeGateway, stored: str, status: int
) -> None:
    gateway.cuts = [300]
    events = client.stream_message("c", stored)
    next(events)
    route = f"GET /chats/c/messages/{stored}/stream"
    gateway.refusals[route] = problem(status, "chat_not_found", "Gone.")
    with pytest.raises(ProblemError, match="Gone"):
        list(events)
    assert len(gateway.calls(*route.split(" "))) == 2


def test_a_position_that_is_none_is_refused(client: Client, stored: str) -> None:
    with pytest.raises(ProblemError, match="invalid_argument"):
        list(client.stream_message("c", stored, after="the end"))


def test_a_send_whose_answer_was_lost_is_answered_by_the_same_turn(
    client: Client, gateway: FakeGateway
) -> None:
    gateway.lost["POST /chat"] = 2
    assert client.chat("Hello", chat_id="c").response == "You said: Hello"
    sent = gateway.calls("POST", "/chat")
    assert (len(sent), len({one.headers["Idempotency-Key"] for one in sent})) == (3, 1)
    assert len(gateway.messages["c"]) == 2


def test_a_send_that_is_not_taken_just_now_is_repeated(
    client: Client, gateway: FakeGateway
) -> None:
    gateway.passing["POST /chat"] = [AWAY]
    assert client.chat("Hello").status == "complete"
    gateway.passing["POST /chat"] = [problem(503, "too_busy", "Later.")]
    assert isinstance(list(client.stream_chat("Hello"))[-1], TurnEnd)


def test_two_sends_of_the_same_words_are_two(client: Client, gateway: FakeGateway) -> None:
    client.chat("Hello", chat_id="c")
    client.chat("Hello", chat_id="c")
    assert len(gateway.messages["c"]) == 4


def test_what_changes_something_and_has_no_key_is_not_repeated(
    client: Client, gateway: FakeGateway
) -> None:
    gateway.lost["POST /system-prompts"] = 1
    with pytest.raises(GatewayUnreachable):
        client.create_prompt("Pirate", "Arr.")
    assert len(gateway.calls("POST", "/system-prompts")) == 1


def test_a_reply_is_stopped_once_and_for_all(client: Client, gateway: FakeGateway) -> None:
    gateway.pace = 0.01
    events = client.stream_chat("word " * 1000, chat_id="c")
    start = next(events)
    assert isinstance(start, TurnStart)
    while not isinstance(next(events), TextDelta):
        pass
    gateway.lost[f"POST /chats/c/messages/{start.message_id}/stop"] = 1
    stopped = client.stop_message("c", start.message_id)
    assert (stopped.status, stopped.usage) == ("stopped", None)
    assert gateway.messages["c"][1]["content"] == stopped.content != ""
    end = list(events)[-1]
    assert isinstance(end, TurnEnd)
    assert end.status == "stopped"
    assert client.stop_message("c", start.message_id) == stopped


def test_a_message_that_is_not_there_is_not_stopped(client: Client, gateway: FakeGateway) -> None:
    gateway.add_chat("c", "Hello")
    with pytest.raises(ProblemError, match="message_not_found"):
        client.stop_message("c", "other")
    with pytest.raises(ProblemError, match="chat_not_found"):
        client.stop_message("d", "other")
