"""What clients make of the bytes that they are sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from parley_tests.checker.aftermath import trouble
from parley_tests.checker.history import View
from parley_tests.checker.reading import concluded, note, position
from parley_tests.checker.wire import Event, parsed

pytestmark = pytest.mark.unit


def delta(text: str, position: str, name: str = "delta") -> Event:
    return Event(name, position, {"text": text})


def test_a_frame_is_an_event_and_a_comment_is_none() -> None:
    frame = 'event: delta\nid: 0.2\ndata: {"text":"a:b"}'

    assert Event("delta", "0.2", {"text": "a:b"}) == parsed(frame)
    assert parsed(": keep-alive") is None


def test_a_view_knows_its_place_in_code_points() -> None:
    view = View("m", "resume", 0.0, at=(3, 10))
    note(view, delta("日本", "", "reasoning"))
    note(view, delta("𝄞é", "5.12"))

    assert ("5.12", []) == (position(view), view.misplaced)


@pytest.mark.parametrize("told", ["0.1", "0.3", "1.2"])
def test_an_event_id_that_is_not_its_place_is_noted(told: str) -> None:
    view = View("m", "send", 0.0)
    note(view, delta("ab", told))

    assert [f"{told} is at 0.2"] == view.misplaced


def test_only_what_tells_of_the_reply_concludes_a_view() -> None:
    ends = [
        View("m", "send", 0.0, end={"status": "complete"}),
        View("m", "send", 0.0, problem="turn_interrupted"),
        View("m", "send", 0.0, problem="unavailable"),
        View("m", "send", 0.0, broken="TimeoutError"),
    ]

    assert [True, True, False, False] == list(map(concluded, ends))


def test_logs_are_searched_for_bugs_and_told_once_each(tmp_path: Path) -> None:
    lines = [
        '{"at":"2026-01-01T00:00:00","level":"error","event":"failed"}',
        '{"at":"2026-01-01T00:00:09","level":"error","event":"failed"}',
        '{"at":"2026-01-01T00:00:01","level":"warning","event":"database unavailable"}',
        "Traceback (most recent call last):",
        '{"level":"error","event":"Cancel 2 running task(s), timeout graceful shutdown exceeded"}',
    ]
    log = tmp_path / "chat0.log"
    log.write_text("\n".join(lines))

    assert [
        "1 x chat: Traceback (most recent call last):",
        '2 x chat: {"at":"#","level":"error","event":"failed"}',
    ] == trouble([log])
