"""The service as its users run it: a process, from `migrate` to SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from parley_prompt_service.bootstrap import NAME
from parley_tests.installation import Installation
from parley_tests.settings import inherited_environment
from psycopg import sql

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-m", "parley_prompt_service"]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def environment(database_url: str, port: int) -> dict[str, str]:
    return {
        **inherited_environment(),
        **Installation().environment("prompt_service"),
        "DATABASE_URL": database_url,
        "PROMPT_PORT": str(port),
    }


@pytest.fixture
def service(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*COMMAND, "serve"], env=environment, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


async def becomes(port: int, status: int) -> None:
    """Wait until the service's health is this."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(20):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=NAME)
        while (await stub.Check(request, wait_for_ready=True)).status != status:  # noqa: ASYNC110  (asked)
            await asyncio.sleep(0.05)


def migrate(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "migrate"], env=environment, capture_output=True, text=True, check=False
    )


async def test_it_is_well_once_it_is_migrated_and_stops_when_it_is_asked_to(
    environment: dict[str, str], service: subprocess.Popen[bytes], port: int
) -> None:
    await becomes(port, health_pb2.HealthCheckResponse.NOT_SERVING)
    assert 0 == (await asyncio.to_thread(migrate, environment)).returncode
    await becomes(port, health_pb2.HealthCheckResponse.SERVING)

    service.send_signal(signal.SIGTERM)

    assert 0 == await asyncio.to_thread(service.wait, 10)


def test_an_owner_who_may_not_make_roles_is_told_what_to_have_done(
    environment: dict[str, str], database_url: str
) -> None:
    name = f"parley_poor_{os.getpid()}"
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("create role {} login password 'p'").format(sql.Identifier(name)))
        info = owner.info
        poor = f"host={info.host} port={info.port} dbname={info.dbname} user={name} password=p"
        answer = migrate({**environment, "DATABASE_URL": poor})
        owner.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))

    assert 1 == answer.returncode
    assert 'create schema "prompt"' in answer.stdout
    assert name in answer.stdout


def test_a_migration_without_a_database_fails_with_a_line_in_the_log(
    environment: dict[str, str],
) -> None:
    answer = migrate({**environment, "DATABASE_URL": "host=127.0.0.1 port=1"})

    assert 1 == answer.returncode
    assert '"event":"failed"' in answer.stdout
