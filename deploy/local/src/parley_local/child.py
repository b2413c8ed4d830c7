"""One process that is started again whenever it ends."""

import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from parley_local.faults import StartError

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
SETTLED = 10.0  # Seconds of life after which a process's past is forgotten.

Process = subprocess.Popen[bytes]
log = logging.getLogger(__name__)


class Child:
    """Knows how to start and stop its process, and when it is time to do so again."""

    def __init__(
        self,
        name: str,
        log_file: Path,
        launch: Callable[[], Process],
        stop: Callable[[Process], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`launch` starts the process, which writes `log_file`; `stop` returns when it is gone."""
        self.name = name
        self.log_file = log_file
        self.starts = 0
        self._launch = launch
        self._stop = stop
        self._clock = clock
        self._process: Process | None = None
        self._started_at = 0.0
        self._due_at = 0.0
        self._delay = FIRST_DELAY

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        return self._process.pid if self._process else None

    def tend(self) -> bool:
        """Notices that the process has ended, and starts it when its time has come.

        Returns whether anything has changed.
        """
        now = self._clock()
        if self._process is not None:
            return self._process.poll() is not None and self._bury(now)
        return now >= self._due_at and self._start(now)

    def stop(self) -> None:
        """Ends the process, if there is one."""
        if self._process is not None:
            self._stop(self._process)
            self._process = None

    def _start(self, now: float) -> bool:
        self.starts += 1
        self._started_at = now
        try:
            self._process = self._launch()
        except (OSError, StartError) as error:
            if self.starts == 1:  # Somebody waits for it, and can be told.
                raise
            self._fail(now, f"cannot start: {error}")
        return True

    def _bury(self, now: float) -> bool:
        ended, self._process = self._process, None
        if now - self._started_at >= SETTLED:
            self._delay = FIRST_DELAY
        self._fail(now, f"ended with {ended.returncode if ended else None}")
        return True

    def _fail(self, now: float, what: str) -> None:
        log.warning("%s %s; starting it again in %.1f s", self.name, what, self._delay)
        self._due_at = now + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)
