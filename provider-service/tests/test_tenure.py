"""A provider is let go once, after its last reply, and whatever it does then disturbs nobody."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.tenure import Tenure
from typing_extensions import override

from .fakes import ScriptedProvider, said

pytestmark = pytest.mark.unit


class Leaving(ScriptedProvider):
    """Counts how often it is let go, and does what it is told to then."""

    times: int = 0
    farewell: Any = None

    @override
    async def aclose(self) -> None:
        self.times += 1
        await said(self.farewell)


@pytest.fixture
def leaving() -> Leaving:
    return Leaving()


@pytest.fixture
def tenure(leaving: Leaving) -> Tenure:
    return Tenure("acme", leaving)


async def over(tenure: Tenure) -> None:
    assert tenure.closing is not None
    async with asyncio.timeout(10):
        await tenure.closing


async def test_an_idle_provider_is_let_go_at_once(tenure: Tenure, leaving: Leaving) -> None:
    tenure.retire()
    await over(tenure)

    assert 1 == leaving.times


async def test_a_busy_one_after_its_last_reply(tenure: Tenure, leaving: Leaving) -> None:
    with tenure.serving() as first, tenure.serving():
        assert first is leaving
        tenure.retire()
        with tenure.serving():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (None, 0) == (tenure.closing, leaving.times)
    await over(tenure)

    assert 1 == leaving.times


async def test_a_reply_that_fails_is_over_too(tenure: Tenure, leaving: Leaving) -> None:
    def fail() -> None:
        with tenure.serving():
            tenure.retire()
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    await over(tenure)

    assert 1 == leaving.times


async def test_one_in_office_is_never_let_go(tenure: Tenure, leaving: Leaving) -> None:
    for _ in range(3):
        with tenure.serving():
            await asyncio.sleep(0)

    assert (None, 0) == (tenure.closing, leaving.times)


async def test_it_is_let_go_once_however_often_that_is_asked_for(
    tenure: Tenure, leaving: Leaving
) -> None:
    with tenure.serving():
        tenure.retire()
        tenure.retire()
    tenure.retire()
    await over(tenure)
    tenure.retire()
    with tenure.serving():
        pass
    await asyncio.sleep(0)

    assert 1 == leaving.times


@pytest.mark.parametrize(
    "farewell", [ValueError("secret"), sdk.BackendError("x"), SystemExit(3), TimeoutError()]
)
async def test_one_that_fails_in_leaving_disturbs_nobody(
    tenure: Tenure, leaving: Leaving, farewell: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    leaving.farewell = farewell
    with caplog.at_level(logging.ERROR):
        tenure.retire()
        await over(tenure)

    assert 1 == leaving.times
    assert "secret" not in str([vars(record) for record in caplog.records])


async def test_one_that_hangs_in_leaving_is_not_waited_for(leaving: Leaving) -> None:
    tenure = Tenure("acme", leaving, close_seconds=0.05)
    leaving.farewell = asyncio.Event().wait
    tenure.retire()
    await over(tenure)

    assert 1 == leaving.times


async def test_one_whose_leaving_is_no_coroutine_disturbs_nobody() -> None:
    class Plain(ScriptedProvider):
        @override
        def aclose(self) -> Any:
            return None

    tenure = Tenure("acme", Plain())
    tenure.retire()
    await over(tenure)
