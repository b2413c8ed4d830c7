"""One JSON line per record on standard output, and one record per request.

Of a failure that nobody foresaw it is told what it is and where it was, not what it says:
PostgreSQL quotes the row, pydantic the value, and so what a user wrote. Level DEBUG tells it all.

Nothing that happens to standard output stops a service: a line that cannot be written is lost, and
once lines can be written again one of them says how many were.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from typing_extensions import override

# How long a full pipe is waited for before lines are lost; while they are, it is not.
PATIENCE_SECONDS = 0.05
# What a pipe that can be written to takes at once: POSIX promises no more.
PIPE_BYTES = select.PIPE_BUF

access = logging.getLogger("parley.access")


class JSONFormatter(logging.Formatter):
    """Writes a record as one JSON object; fields come in `extra={"fields": {…}}`."""

    def __init__(self, service: str, *, whole: bool = False) -> None:
        """`whole` tells what failures say, too; a record with `whole` does so by itself."""
        super().__init__()
        self.service = service
        self.whole = whole

    @override
    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        is_whole = self.whole or getattr(record, "whole", False)
        event = record.getMessage()
        if error is not None and not is_whole:
            # What follows repeats what the failure says, as asyncio's of a forgotten task does.
            event = event.partition("\n")[0]
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "service": self.service,
            "event": event,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and is_whole:
            line["traceback"] = self.formatException(record.exc_info)
        elif error is not None:
            line["traceback"] = "".join(places_of(error))
        return orjson.dumps(line, default=str).decode()


def places_of(error: BaseException, known: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield a traceback, with those of its causes, in which no failure says anything."""
    if id(error) in known:
        return
    known |= {id(error)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for one in filter(None, (cause, *inner)):
        yield from places_of(one, known)
        yield "\nand then\n\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}{codes_of(error)}\n"


def codes_of(error: BaseException) -> str:
    """Return what a failure has for programs and nobody wrote: numbers, and names of rules."""
    rule = getattr(getattr(error, "diag", None), "constraint_name", None)
    codes = (getattr(error, "errno", None), getattr(error, "sqlstate", None), rule)
    told = ", ".join(str(code) for code in codes if code is not None)
    return f" ({told})" if told else ""


class LineWriter(logging.Handler):
    """Writes each record as a line to a file descriptor, and never waits for long.

    Without a buffer, so that a crash loses nothing, nor the end of the process what it cannot
    write. A pipe that nobody reads would block the whole process.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.lost = 0
        self._writable = select.poll()
        self._writable.register(descriptor, select.POLLOUT)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode() + b"\n"
        except (TypeError, ValueError):
            self.handleError(record)
            return
        if not self._write(line):
            self.lost += 1
        elif self.lost:
            lost, self.lost = self.lost, 0
            fields = {"lines": lost}
            lines = logging.getLogger(__name__)
            lines.warning("lines of the log were lost", extra={"fields": fields})

    def _write(self, line: bytes) -> bool:
        give_up = time.monotonic() + (0.0 if self.lost else PATIENCE_SECONDS)
        while line:
            wait = max(0.0, give_up - time.monotonic())
            try:
                if not self._writable.poll(wait * 1000):
                    return False
                line = line[os.write(self.descriptor, line[:PIPE_BYTES]) :]
            except OSError:
                return False
        return True


def is_told(record: logging.LogRecord) -> bool:
    """Say whether a record is worth a line.

    gRPC takes a call that ends with its server, such as a watch of health, for a failure. What
    others' libraries say to those who look for mistakes in them may hold whole requests.
    """
    if record.levelno < logging.INFO and not record.name.startswith("parley"):
        return False
    error = record.exc_info[0] if record.exc_info else None
    cancelled = error is not None and issubclass(error, asyncio.CancelledError)
    return not (cancelled and record.name.startswith("grpc"))


def configure(service: str, level: str = "INFO") -> None:
    """Send everything that is logged in this process to standard output."""
    output = standard_output()
    output.setFormatter(JSONFormatter(service, whole=level.upper() == "DEBUG"))
    output.addFilter(is_told)
    logging.basicConfig(level=level.upper(), handlers=[output], force=True)


def standard_output() -> logging.Handler:
    """Return what writes to standard output, or to nothing when that is closed."""
    if sys.stdout is None:
        # Its number may belong to something else by now.
        return logging.NullHandler()
    try:
        return LineWriter(sys.stdout.fileno())
    except OSError:  # something in memory
        return logging.StreamHandler(sys.stdout)
