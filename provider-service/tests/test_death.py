"""kill -9 and a frozen process: what was recorded is charged once, by whoever lives."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from parley_provider_service.adapters.database import Database
from parley_provider_service.adapters.ledger.reading import LedgerReader
from parley_provider_service.core.housekeeping import INTERVAL_SECONDS
from parley_provider_service.core.sums import UsageFilter
from parley_provider_service.settings import Settings

from parley.provider.v1 import reply_pb2

from .processes import ADA, Service, client_of, serving

pytestmark = pytest.mark.integration

WORDS_PER_SECOND = 40


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Any]:
    """Start one more process on the same database; all end after the test."""
    with ExitStack() as stack:

        def start() -> Service:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = int(free.getsockname()[1])
            log = tmp_path / str(port)
            paced = {"DEMO_PACE": str(WORDS_PER_SECOND)}
            return stack.enter_context(serving(port, settings.conninfo, log, **paced))

        yield start


async def charges(database: Database) -> tuple[int, int]:
    """How many calls the sums know of Ada's, and their output tokens."""
    [total] = await LedgerReader(database).sums(UsageFilter(owner_id=ADA), [])
    return total.requests, total.output_tokens


async def test_a_killed_process_calls_are_settled_from_its_last_record(
    start: Any, database: Database
) -> None:
    dying = start()
    await dying.is_well()
    async with client_of(dying.port) as client:
        call = client.ask("/long 100000")
        await call.spoke.wait()
        began = time.monotonic()
        await asyncio.sleep(4.3)
        dying.process.kill()
        spoke = time.monotonic() - began
        await call.ended()
    living = start()
    await living.is_well()
    async with client_of(living.port) as client:
        record = await client.settled(call)

    assert ("interrupted", reply_pb2.USAGE_SOURCE_ESTIMATED) == (
        record.outcome,
        record.usage.source,
    )
    # What came since the last record, one interval ago at most, is missing; another second is for
    # a machine that is busy.
    tokens = len(call.text) / 4
    most_missing = tokens * min((INTERVAL_SECONDS + 1) / spoke, 1)
    assert tokens - most_missing <= record.usage.output_tokens <= tokens + 1
    assert (1, record.usage.output_tokens) == await charges(database)


async def test_a_killed_process_call_is_made_by_another_at_once(
    start: Any, database: Database
) -> None:
    dying, living = start(), start()
    await dying.is_well()
    await living.is_well()
    async with client_of(dying.port) as client:
        call = client.ask("/slow 30")
        await client.held(call)
        dying.process.kill()
        await call.ended()

    async with client_of(living.port) as client:
        again = client.ask("/echo Hi there.", usage_id=call.usage_id)
        async with asyncio.timeout(8):
            await again.ended()
        record = await client.settled(again)

    assert (None, "finished") == (again.fault, again.kinds[-1])
    assert ("stop", 1) == (record.outcome, (await charges(database))[0])


async def test_a_frozen_process_settles_nothing_twice_and_leaves_nothing_held(
    start: Any, database: Database
) -> None:
    frozen, living = start(), start()
    await frozen.is_well()
    await living.is_well()
    async with client_of(frozen.port) as one, client_of(living.port) as other:
        calls = [one.ask(text) for text in ("/long 100000", "/slow 50", "/slow 50")]
        for call in calls:
            await other.held(call)
        await calls[0].spoke.wait()
        await asyncio.sleep(INTERVAL_SECONDS)
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            again = other.ask("/echo Hi.", usage_id=calls[2].usage_id)
            await again.ended()
            await asyncio.sleep(15)
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        outcomes = [(await other.settled(call)).outcome for call in calls]
        before = await charges(database)
        for call in calls:
            await call.ended()
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        after = await charges(database)

    assert (["interrupted", "interrupted", "stop"], None) == (outcomes, again.fault)
    assert (3, before) == (before[0], after)
    assert [True] * 3 == [call.fault is not None for call in calls]
    assert "Traceback" not in frozen.log.read_text()
