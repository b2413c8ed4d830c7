"""Measures what code takes, and not what a busy machine takes from it."""

from __future__ import annotations

import os
from contextlib import suppress
from time import perf_counter

__all__ = ["Clock"]

# Of Linux: nanoseconds on a processor, waiting for one, and turns, of the thread that reads it.
_SCHEDULED = "/proc/thread-self/schedstat"


class Clock:
    """Measures how long this thread works or sleeps, less the time that it waits for a processor.

    Where the system does not tell how long it waits (it is no Linux), all time counts.
    """

    def __init__(self) -> None:
        self._file = -1
        with suppress(OSError):
            self._file = os.open(_SCHEDULED, os.O_RDONLY)

    def __call__(self) -> float:
        """Returns seconds since some moment."""
        return perf_counter() - self._waited()

    def close(self) -> None:
        """Closes its file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _waited(self) -> float:
        if self._file < 0:
            return 0.0
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9
