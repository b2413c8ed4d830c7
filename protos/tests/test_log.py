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
