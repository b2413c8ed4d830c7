"""A turn as events, and when its stream is asked for again."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from parley_client import (
    GatewayUnreachable,
    ParleyError,
    ProblemError,
    ReasoningDelta,
    TextDelta,
    Timeouts,
    TurnEnd,
    TurnStart,
    UnexpectedAnswer,
)
from parley_client.calls import stream_chat, stream_message
from parley_client.positions import Position
from parley_client.retries import Retries, not_taken
from parley_client.turns import STEADY, Turn, TurnReader
from parley_client.types import Cost, Usage

pytestmark = pytest.mark.unit

BROKEN = GatewayUnreachable("broken off")
START = {"chat_id": "c", "message_id": "m", "provider": "p", "model": "x"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def event(name: str, position: str = "", **data: object) -> bytes:
    place = f"id: {position}\n" if position else ""
    return f"event: {name}\n{place}data: {json.dumps(data)}\n\n".encode()


def problem(reason: str, status: int = 503, retry_after: float | None = None) -> ProblemError:
    error = ProblemError(status, reason, "")
    error.retryable, error.retry_after = True, retry_after
    return error


def test_a_turn_is_read_event_by_event() -> None:
    reader = TurnReader()
    usage = {"input_tokens": 1, "output_tokens": 2}
    cost = {"amount": "0.000000001", "currency": "USD", "price_version": "1"}
    stream = (
        event("start", "0.0", **START, user_message_id="u")
        + event("delta", "0.2", text="Hi")
        + event("of the future", anything=True)
        + event("end", message_id="m", status="complete", usage=usage, cost=cost)
    )
    spent = Usage(1, 2), Cost(Decimal("1E-9"), "USD", "1")
    assert list(reader.feed(stream)) == [
        TurnStart("c", "m", "p", "x", "u", position="0.0"),
        TextDelta("Hi", "0.2"),
        TurnEnd("m", "complete", None, *spent, position="0.2"),
    ]
    reader.finish()


def test_a_turn_that_fails_after_its_start_raises_the_problem() -> None:
    reader = TurnReader()
    with pytest.raises(ProblemError, match="limit_exceeded"):
        list(reader.feed(event("problem", reason="limit_exceeded")))


def test_a_turn_that_breaks_off_is_said_to_have() -> None:
    reader = TurnReader()
    list(reader.feed(event("delta", text="Hi")))
    with pytest.raises(GatewayUnreachable, match="broke off"):
        reader.finish()


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"event: delta\ndata: {\n\n", "'delta' carries no JSON"),
        (event("delta", "0.7", text="Hi"), r"is at 0\.2, and says 0\.7"),
        (event("delta", "two", text="Hi"), "'two' is no position"),
        (event("delta", text=3), "str expected"),
    ],
)
def test_a_stream_that_is_none_is_said_to_be_none(stream: bytes, words: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=words):
        list(TurnReader().feed(stream))


def test_positions_count_code_points_where_the_stream_names_none() -> None:
    stream = event("reasoning", text="🎈é") + event("delta", "2.1", text="世")
    assert list(TurnReader().feed(stream)) == [
        ReasoningDelta("🎈é", "2.0"),
        TextDelta("世", "2.1"),
    ]


def test_what_was_read_before_is_left_out() -> None:
    reader = TurnReader("1.1", Position(2, 3))
    stream = (
        event("reasoning", text="b") + event("reasoning", text="c") + event("delta", text="BCD")
    )
    assert list(reader.feed(stream)) == [ReasoningDelta("c", "3.3"), TextDelta("D", "3.4")]


def test_a_stream_that_begins_anew_brings_only_what_is_new() -> None:
    turn = Turn(stream_message("c", "m"), Timeouts(), ("c", "m"))
    turn.opened()
    begun = event("start", "0.0", **START) + event("delta", "0.2", text="Hi")
    assert len(list(turn.feed(begun))) == 2
    turn.wait_after(BROKEN)
    assert turn.call().headers == {"Last-Event-ID": "0.2"}
    turn.opened()
    assert list(turn.feed(begun + event("delta", "0.3", text="!"))) == [TextDelta("!", "0.3")]


def test_a_send_is_repeated_until_it_has_begun_and_then_only_asked_for() -> None:
    turn = Turn(stream_chat("Hello", idempotency_key="k"), Timeouts())
    turn.opened()
    turn.wait_after(BROKEN)
    assert (turn.call().method, turn.call().headers) == ("POST", {"Idempotency-Key": "k"})
    turn.opened()
    list(turn.feed(event("start", "0.0", **START)))
    turn.wait_after(BROKEN)
    assert (turn.call().method, turn.call().path) == ("GET", "/chats/c/messages/m/stream")


@pytest.mark.parametrize(
    "error",
    [
        problem("rate_limited", 429),
        problem("overloaded"),
        UnexpectedAnswer("no gateway", 404),
        GatewayUnreachable("took too long", waited=True),
    ],
)
def test_a_send_that_may_have_been_taken_or_was_refused_is_not_repeated(error: ParleyError) -> None:
    with pytest.raises(type(error)):
        Retries(not_taken, 60).wait_after(error)


@pytest.mark.parametrize(
    "error", [BROKEN, problem("too_busy"), UnexpectedAnswer("no gateway", 502)]
)
def test_a_send_that_was_not_taken_is_repeated(error: ParleyError) -> None:
    assert 0.1 < Retries(not_taken, 60).wait_after(error) <= 0.25


def test_waits_grow_and_end() -> None:
    clock = Clock()
    retries = Retries(not_taken, 10, clock=clock)
    waits = []
    with suppress(GatewayUnreachable):
        while True:
            waits.append(retries.wait_after(BROKEN))
            clock.now += waits[-1]
    assert sum(waits) <= 10
    assert waits[3] > waits[0]
    retries = Retries(not_taken, 10, most=1, clock=clock)
    retries.wait_after(BROKEN)
    with pytest.raises(GatewayUnreachable):
        retries.wait_after(BROKEN)


def test_a_named_time_is_waited_for_or_given_up() -> None:
    assert Retries(not_taken, 10).wait_after(problem("too_busy", retry_after=7)) == 7
    with pytest.raises(ProblemError):
        Retries(not_taken, 10).wait_after(problem("too_busy", retry_after=11))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turn(clock: Clock) -> Turn:
    turn = Turn(stream_message("c", "m", "0.0"), Timeouts(resume=30), ("c", "m"), clock)
    turn.opened()
    return turn


def hopes(turn: Turn, clock: Clock, error: ParleyError = BROKEN) -> bool:
    try:
        clock.now += turn.wait_after(error)
    except type(error):
        return False
    return True


def test_a_stream_that_brings_nothing_more_is_given_up(turn: Turn, clock: Clock) -> None:
    began = clock.now
    while hopes(turn, clock):
        turn.opened()
    assert 20 < clock.now - began <= 30


@pytest.mark.parametrize("sign", ["an event", "a long silence"])
def test_a_sign_of_life_starts_the_time_anew(turn: Turn, clock: Clock, sign: str) -> None:
    for place in range(50):
        if sign == "an event":
            list(turn.feed(event("delta", f"0.{place + 1}", text="x")))
        else:
            clock.now += STEADY
        assert hopes(turn, clock)
        clock.now += 2
        assert hopes(turn, clock)  # the gateway was away
        turn.opened()


def test_an_hour_without_a_gateway_is_no_sign_of_life(turn: Turn, clock: Clock) -> None:
    hopes(turn, clock)
    clock.now += 3600
    assert not hopes(turn, clock)


def farewell(turn: Turn, reason: str) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        list(turn.feed(event("problem", status=503, reason=reason, retryable=True)))
    return caught.value


def test_a_gateway_that_says_farewell_is_no_end_of_the_turn(turn: Turn, clock: Clock) -> None:
    for place in range(9):
        list(turn.feed(event("delta", f"0.{place + 1}", text="x")))
        assert hopes(turn, clock, farewell(turn, "unavailable"))
        turn.opened()


def test_a_turn_that_ended_so_says_it_again_and_is_believed(turn: Turn, clock: Clock) -> None:
    believed = [hopes(turn, clock, farewell(turn, "unavailable"))]
    while believed[-1]:
        turn.opened()
        believed.append(hopes(turn, clock, farewell(turn, "unavailable")))
    assert believed == [True, True, False]


def test_what_a_vendor_said_at_the_end_is_final(turn: Turn, clock: Clock) -> None:
    assert not hopes(turn, clock, farewell(turn, "overloaded"))


@pytest.mark.parametrize("reason", ["chat_not_found", "message_not_found"])
def test_a_reply_that_is_gone_is_not_asked_for_again(turn: Turn, clock: Clock, reason: str) -> None:
    assert not hopes(turn, clock, ProblemError(404, reason, ""))
