"""Bytes become the data of events however they are cut."""

import pytest
from parley_provider_sdk.reading import EventTooLarge, LineCutter, SSECutter

pytestmark = pytest.mark.unit

STREAM = (
    ": comment\r\n\r\ndata: é世🚀\r\n\r\nevent: odd\nid: 7\nretry: 5\n"
    "data:no space\n\ndata:  two spaces\ndata: second line\n\n\n\n"
    "unknown: field\ndata\n\ndata: [DONE]\n\ndata: never"
).encode()
EVENTS = ["é世🚀", "no space", " two spaces\nsecond line", "[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64, len(STREAM)])
def test_events_are_whole_however_they_are_cut(size: int) -> None:
    cutter = SSECutter(1 << 20)
    seen: list[bytes] = []
    for start in range(0, len(STREAM), size):
        seen += cutter.feed(STREAM[start : start + size]) or []
    assert [event.decode() for event in seen] == EVENTS


def test_a_whole_line_is_a_sign_of_life_and_half_a_line_is_none() -> None:
    cutter = SSECutter(100)
    assert cutter.feed(b": still th") is None
    assert cutter.feed(b"ere\n") == []
    assert cutter.feed(b"data: x") is None


@pytest.mark.parametrize("chunk", [b"data: " + b"x" * 50, b"data: " + b"x" * 90 + b"\n", b"x" * 50])
def test_an_event_over_the_limit_is_refused(chunk: bytes) -> None:
    cutter = SSECutter(90)
    with pytest.raises(EventTooLarge):
        [cutter.feed(chunk) for _ in range(3)]


def test_many_small_events_are_no_large_one() -> None:
    cutter = SSECutter(90)
    assert [cutter.feed(b"data: " + b"x" * 60 + b"\n\n") for _ in range(9)] == [[b"x" * 60]] * 9


LINES = '{"a":"é世🚀"}\r\n\n{"b":1}\n{"c":2}'.encode()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, len(LINES)])
def test_lines_are_whole_however_they_are_cut(size: int) -> None:
    cutter = LineCutter()
    seen: list[bytes] = []
    for start in range(0, len(LINES), size):
        seen += cutter.feed(LINES[start : start + size]) or []
    assert [line.decode() for line in [*seen, cutter.rest()]] == [
        '{"a":"é世🚀"}',
        '{"b":1}',
        '{"c":2}',
    ]


@pytest.mark.parametrize("chunk", [b"x" * 50, b"x" * 91 + b"\n"])
def test_a_line_over_the_limit_is_refused(chunk: bytes) -> None:
    cutter = LineCutter(90)
    with pytest.raises(EventTooLarge):
        [cutter.feed(chunk) for _ in range(3)]
