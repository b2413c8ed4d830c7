"""Standard output may be full, stuck or gone: lines are lost then, and nothing else happens."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from parley_rpc.log import JSONFormatter, LineWriter, is_told

pytestmark = pytest.mark.unit

FULL = Path("/dev/full")
LOGS_A_LINE = """
import logging
from parley_rpc import log
log.configure("test")
logging.getLogger("test").info("told")
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def logger_to(descriptor: int) -> logging.Logger:
    logger = logging.Logger("test")  # noqa: LOG001  (nobody else's handlers)
    writer = LineWriter(descriptor)
    writer.setFormatter(JSONFormatter("test"))
    logger.addHandler(writer)
    return logger


def events(reader: int) -> list[str]:
    os.set_blocking(reader, False)
    read = b""
    while chunk := os.read(reader, 1 << 20):
        read += chunk
        if chunk.endswith(b"\n"):
            break
    return [json.loads(line)["event"] for line in read.splitlines()]


def test_a_line_is_written_at_once(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    logger_to(writer).warning("one")
    logger_to(writer).warning("a long one " + "x" * 20_000)

    assert ["one", "a long one " + "x" * 20_000] == events(reader)


def test_a_pipe_that_nobody_reads_holds_nobody_up(
    pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = pipe
    logger = logger_to(writer)
    began = time.monotonic()

    for _ in range(2_000):
        logger.warning("x" * 100)

    assert time.monotonic() - began < 5
    assert len(events(reader)) < 2_000
    logger.warning("again")
    assert ["again"] == events(reader)
    [lost] = [r for r in caplog.records if r.message == "lines of the log were lost"]
    assert vars(lost)["fields"]["lines"] > 0


def test_a_reader_that_has_gone_ends_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    logger_to(writer).warning("one")

    os.close(writer)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
def test_a_process_ends_well_whatever_became_of_its_output(redirect: str) -> None:
    shell = f'"$0" -c "$1" {redirect}'
    command = ["/bin/sh", "-c", shell, sys.executable, LOGS_A_LINE]

    assert 0 == subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode


SECRET = "what a user wrote"


class Refused(Exception):  # noqa: N818  (one as others' libraries have them)
    sqlstate = "23505"


def quote() -> None:
    raise Refused(f"Key (name)=({SECRET}) exists already.")


def fail() -> None:
    try:
        quote()
    except Refused as cause:
        raise OSError(28, SECRET) from cause


def failing() -> logging.LogRecord:
    """Make a record of a failure with a cause, both of which quote what they should not."""
    with pytest.raises(OSError, match=SECRET) as caught:
        fail()
    group = ExceptionGroup(SECRET, [caught.value])
    text = f"Task exception was never retrieved\nfuture: <Task exception={group!r}>"
    info = (type(group), group, None)
    return logging.LogRecord("asyncio", logging.ERROR, "", 0, text, None, info)


def test_a_failure_is_placed_without_what_it_says() -> None:
    line = json.loads(JSONFormatter("test").format(failing()))

    assert SECRET not in str(line)
    assert "Task exception was never retrieved" == line["event"]
    for told in ("Refused (23505)", "builtins.OSError (28)", "ExceptionGroup", "in quote"):
        assert told in line["traceback"]


@pytest.mark.parametrize("where", ["formatter", "record"])
def test_who_asks_for_it_is_told_all(where: str) -> None:
    record = failing()
    if where == "record":
        record.whole = True

    line = json.loads(JSONFormatter("test", whole=where == "formatter").format(record))

    assert SECRET in line["traceback"]


def test_a_failure_in_a_ring_comes_to_an_end() -> None:
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    record = logging.LogRecord("x", logging.ERROR, "", 0, "x", None, (ValueError, one, None))

    assert 2 == json.loads(JSONFormatter("x").format(record))["traceback"].count("ValueError")


@pytest.mark.parametrize(
    ("name", "level", "told"),
    [
        ("acme._base_client", logging.DEBUG, False),
        ("httpcore2.http11", logging.DEBUG, False),
        ("httpx2", logging.INFO, True),
        ("parley_gateway.api", logging.DEBUG, True),
        ("parley.access", logging.DEBUG, True),
    ],
)
def test_others_libraries_do_not_think_aloud(name: str, level: int, told: bool) -> None:
    assert told == is_told(logging.LogRecord(name, level, "", 0, "x", None, None))


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("grpc._cython.cygrpc", asyncio.CancelledError(), False),
        ("grpc._cython.cygrpc", ZeroDivisionError(), True),
        ("parley_chat_service", asyncio.CancelledError(), True),
    ],
)
def test_a_call_that_ends_with_its_server_is_no_failure(
    name: str, error: BaseException, told: bool
) -> None:
    info = (type(error), error, None)
    record = logging.LogRecord(name, logging.ERROR, "", 0, "not handled", None, info)

    assert told == is_told(record)
