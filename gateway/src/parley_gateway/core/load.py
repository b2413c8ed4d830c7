"""How much a gateway does at once: what is too much is refused before it costs anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from parley_rpc.faults import TooBusy


class Load:
    """Counts what runs or waits here.

    The services behind decide what runs; this keeps the queue before them short.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.running = 0

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one for the length of a block; TooBusy at once when there are too many."""
        if self.running >= self.most:
            sentence = f"{self.most} turns run or wait already."
            raise TooBusy(sentence, retry_after=1.0, limit=self.most)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
