"""When a process is started again: told by a clock that the test turns."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from parley_local.child import Child, Process
from parley_local.faults import StartError

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ended() -> Process:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process


def make(clock: Clock, tmp_path: Path, launch: Callable[[], Process] = ended) -> Child:
    return Child("it", tmp_path / "it.log", launch=launch, stop=lambda _: None, clock=clock)


def delays(child: Child, clock: Clock, number: int) -> list[float]:
    """Ends it again and again, and returns how long each next start took to come."""
    found = []
    for _ in range(number):
        assert child.tend()  # Its end is noticed.
        waited, starts = 0.0, child.starts
        while not child.tend():
            clock.now += 0.1
            waited += 0.1
        assert child.starts == starts + 1
        found.append(round(waited, 1))
    return found


def about(*seconds: float) -> Any:
    """Within one turn of the clock."""
    return pytest.approx(list(seconds), abs=0.11)


def test_the_delay_doubles_up_to_five_seconds(clock: Clock, tmp_path: Path) -> None:
    child = make(clock, tmp_path)
    child.tend()
    assert delays(child, clock, 7) == about(0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)


def test_a_life_of_ten_seconds_makes_it_forget(clock: Clock, tmp_path: Path) -> None:
    child = make(clock, tmp_path)
    child.tend()
    delays(child, clock, 3)
    clock.now += 10
    assert delays(child, clock, 1) == about(0.2)


def test_nothing_changes_while_it_runs(clock: Clock, tmp_path: Path) -> None:
    running = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child = make(clock, tmp_path, launch=lambda: running)
    assert [child.tend() for _ in range(3)] == [True, False, False]
    assert (child.pid, child.starts) == (running.pid, 1)
    running.kill()
    running.wait()


def test_a_first_start_that_fails_is_told(clock: Clock, tmp_path: Path) -> None:
    def refuse() -> Process:
        raise StartError("no")

    with pytest.raises(StartError, match="no"):
        make(clock, tmp_path, launch=refuse).tend()


def test_a_later_start_that_fails_is_tried_again(clock: Clock, tmp_path: Path) -> None:
    outcomes: Iterator[Callable[[], Process] | StartError]
    outcomes = iter([ended, StartError("no"), ended])

    def launch() -> Process:
        outcome = next(outcomes)
        if isinstance(outcome, StartError):
            raise outcome
        return outcome()

    child = make(clock, tmp_path, launch=launch)
    child.tend()
    assert delays(child, clock, 1) == about(0.2)
    assert child.pid is None
    clock.now += 0.5
    assert child.tend()
    assert child.pid is not None
