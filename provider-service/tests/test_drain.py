"""SIGTERM, to a real process: what runs finishes or is told, nothing is lost, it is soon gone."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from parley_provider_service.bootstrap import NAME
from parley_provider_service.settings import Settings
from parley_rpc.faults import Unavailable, kind_of

from .processes import Call, Client, Service, client_of, serving

pytestmark = pytest.mark.integration

GRACE_SECONDS = 4


@pytest.fixture
def service(settings: Settings, port: int, tmp_path: Path) -> Iterator[Service]:
    paced = {"GRACE_SECONDS": str(GRACE_SECONDS), "DEMO_PACE": "50"}
    with serving(port, settings.conninfo, tmp_path / "log", **paced) as running:
        yield running


def logged(service: Service) -> str:
    return service.log.read_text()


async def health_of(client: Client, told: list[int]) -> None:
    """Watch the service's health until it has gone."""
    stub: Any = health_pb2_grpc.HealthStub(client.peer.channel)
    request = health_pb2.HealthCheckRequest(service=NAME)
    async for answer in client.peer.stream(stub.Watch(request)):
        told += [answer.status]


async def test_replies_finish_or_are_told_why_they_end(service: Service) -> None:
    await service.is_well()
    told: list[int] = []
    async with client_of(service.port) as client, client_of(service.port) as watcher:
        watching = asyncio.create_task(health_of(watcher, told))
        short = [client.ask("/hold 2") for _ in range(3)]
        long = client.ask("/long 100000")
        await asyncio.gather(*(call.spoke.wait() for call in [*short, long]))

        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = await service.ends(10)
        took = time.monotonic() - began
        await asyncio.gather(*(call.ended() for call in [*short, long]))
        await asyncio.gather(watching, return_exceptions=True)

    assert (0, True) == (code, GRACE_SECONDS <= took)
    assert health_pb2.HealthCheckResponse.NOT_SERVING == told[-1]
    assert [(None, "finished")] * 3 == [(call.fault, call.kinds[-1]) for call in short]
    assert long.fault is not None
    assert (Unavailable, "The provider service is stopping.") == (
        kind_of(long.fault),
        long.fault.sentence,
    )
    assert "usage" == long.kinds[-1]
    assert "Traceback" not in logged(service)


async def test_a_reply_that_was_stopped_is_settled_with_what_it_produced(
    service: Service, settings: Settings, port: int, tmp_path: Path
) -> None:
    await service.is_well()
    async with client_of(service.port) as client:
        long = client.ask("/long 100000")
        await long.spoke.wait()
        service.process.send_signal(signal.SIGTERM)
        assert 0 == await service.ends(10)
        await long.ended()
        with serving(port, settings.conninfo, tmp_path / "other") as other:
            await other.is_well()
            record = await client.settled(long)

    assert ("stopped", "demo") == (record.outcome, record.provider)
    # In words, which are the tokens of this provider; the last ones may have been estimated.
    assert record.usage.output_tokens == pytest.approx(len(long.text) / 4, rel=0.1)


async def test_with_nothing_to_do_it_ends_at_once(service: Service) -> None:
    await service.is_well()
    async with client_of(service.port) as client:
        call = client.ask("/echo Hi.")
        await call.spoke.wait()
        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()

        code = await service.ends(10)

    assert (0, True) == (code, time.monotonic() - began < GRACE_SECONDS - 1)
    assert "Traceback" not in logged(service)


async def asking(client: Client, service: Service, calls: list[Call]) -> None:
    """Ask for one short reply after the other for as long as the process runs."""
    while service.process.poll() is None:
        call = client.ask("/echo Hi.", seconds=20)
        calls.append(call)
        await call.ended()


async def test_no_call_is_taken_on_and_dropped(
    service: Service, settings: Settings, port: int, tmp_path: Path
) -> None:
    await service.is_well()
    calls: list[Call] = []
    async with client_of(service.port) as one, client_of(service.port) as two:
        asked = [asyncio.create_task(asking(c, service, calls)) for c in (one, two) for _ in "abc"]
        await asyncio.sleep(1)
        service.process.send_signal(signal.SIGTERM)
        code = await service.ends(10)
        await asyncio.gather(*asked)
    with serving(port, settings.conninfo, tmp_path / "other") as other:
        await other.is_well()
        async with client_of(port) as client:
            records = await client.usage(calls[-500:])

    assert 0 == code
    refused = [call for call in calls if call.fault is not None]
    assert {Unavailable} == {kind_of(call.fault) for call in refused if call.fault}
    assert not [call for call in calls if call.fault is None and call.kinds[-1] != "finished"]
    assert {"stop", "stopped"} >= {record.outcome for record in records.values()}
    assert not [record for record in records.values() if not record.settled]
    assert "Traceback" not in logged(service)
