"""What goes on in the background goes on."""

from __future__ import annotations

import asyncio

import pytest
from parley_gateway import bootstrap

pytestmark = pytest.mark.unit


async def test_work_that_fails_is_told_and_begun_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bootstrap, "LOOK_AGAIN_SECONDS", 0.01)
    begun, again, left = [0], asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun[0] += 1
        if begun[0] == 1:
            raise ZeroDivisionError
        again.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    keeping = asyncio.create_task(bootstrap.kept(work))
    async with asyncio.timeout(10):
        await again.wait()
    keeping.cancel()
    await asyncio.wait({keeping})

    assert left.is_set()
    [told] = caplog.records
    assert told.exc_info
    assert ZeroDivisionError is told.exc_info[0]
