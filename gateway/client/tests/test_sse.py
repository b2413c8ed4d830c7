"""Streams of events, cut in every way."""

from itertools import pairwise

import pytest
from parley_client.sse import EventParser, ServerSentEvent

pytestmark = pytest.mark.unit

STREAM = (
    "\ufeff: a comment\n"
    "event: start\nid: 0.0\ndata: {}\n\n"
    "event:delta\r\nid: 0.3\r\ndata: Grüße, 世界 🎈\r\n\r\n"
    ": keep-alive\r\r"
    "data: one\rdata:  two\rdata\rretry: 10\runknown: field\r\r"
    "id\ndata: \u2028 is no line end\n\n"
    "event: without data\n\n"
    "event: cut off\ndata: no blank line follows\n"
).encode()

EVENTS = [
    ServerSentEvent("start", "{}", "0.0"),
    ServerSentEvent("delta", "Grüße, 世界 🎈", "0.3"),
    ServerSentEvent("message", "one\n two\n", "0.3"),
    ServerSentEvent("message", "\u2028 is no line end", ""),
]


def parsed(*chunks: bytes) -> list[ServerSentEvent]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_a_stream_in_one_piece_gives_its_events() -> None:
    assert parsed(STREAM) == EVENTS


@pytest.mark.parametrize("at", range(1, len(STREAM)))
def test_a_cut_anywhere_changes_nothing(at: int) -> None:
    assert parsed(STREAM[:at], STREAM[at:]) == EVENTS


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_small_pieces_change_nothing(size: int) -> None:
    cuts = [*range(0, len(STREAM), size), len(STREAM)]
    assert parsed(*(STREAM[start:end] for start, end in pairwise(cuts))) == EVENTS


def test_an_event_is_given_as_soon_as_its_blank_line_begins() -> None:
    parser = EventParser()
    assert list(parser.feed(b"data: now\r\n\r")) == [ServerSentEvent("message", "now", "")]
    assert list(parser.feed(b"\n")) == []


def test_an_id_with_a_nul_is_ignored() -> None:
    assert parsed(b"id: a\ndata: 1\n\nid: b\0\ndata: 2\n\n")[1].id == "a"


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert parsed(b"data: \xff!\n\n")[0].data == "\ufffd!"
