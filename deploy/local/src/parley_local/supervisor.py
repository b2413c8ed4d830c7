"""Keeps a row of processes running until it is told to stop."""

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType

from parley_local.child import Child
from parley_local.faults import StartError
from parley_local.processes import tail

TICK = 0.1  # Seconds between two looks at the processes.
STARTS_BEFORE_GIVING_UP = 4


class Stop:
    """Becomes true at the first SIGINT, SIGTERM or SIGHUP."""

    def __init__(self) -> None:
        self._requested = False

    def listen(self) -> None:
        """Takes the signals over, for the rest of the process's life."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request)

    def __bool__(self) -> bool:
        return self._requested

    def _request(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._requested = True


class Supervisor:
    """Starts its children in order, tends them, and stops them in the opposite order."""

    def __init__(self, stop: Stop, changed: Callable[[Sequence[Child]], None]) -> None:
        """`changed` is called with the children whenever one has been started or has ended."""
        self._stop = stop
        self._changed = changed
        self.children: list[Child] = []

    def start(self, child: Child) -> None:
        """Starts a child, and tends it from now on."""
        self.children.append(child)
        self._tend()

    def until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> bool:
        """Tends the children until something is ready; false when told to stop meanwhile.

        Raises `StartError` when it takes too long, or when a child only ever ends.
        """
        give_up = time.monotonic() + seconds
        while not self._stop:
            self._tend()
            for child in self.children:
                if child.starts >= STARTS_BEFORE_GIVING_UP:
                    raise StartError(
                        f"{child.name} ends as soon as it is started. The end of {child.log_file}:"
                        f"\n{tail(child.log_file)}"
                    )
            if ready():
                return True
            if time.monotonic() > give_up:
                raise StartError(f"{what} after {seconds:.0f} s.")
            time.sleep(TICK)
        return False

    def run(self) -> None:
        """Tends the children until told to stop."""
        while not self._stop:
            self._tend()
            time.sleep(TICK)

    def stop(self) -> None:
        """Stops the children, the last one first."""
        while self.children:
            self.children.pop().stop()

    def _tend(self) -> None:
        changes = [child.tend() for child in self.children]
        if any(changes):
            self._changed(self.children)
