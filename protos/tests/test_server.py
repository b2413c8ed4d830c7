"""A server that stops: who calls is moved away first, and what runs may end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health_pb2
from parley_rpc.client import ACCEPTING, Peer
from parley_rpc.context import ServerContext
from parley_rpc.faults import Unavailable, reason_of
from parley_rpc.server import NOT_SERVING, SERVING, Server
from parley_tests.believing import OpenToAnybody, new_caller
from typing_extensions import override

from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

pytestmark = pytest.mark.unit

CALLER = new_caller("0198c0de-0000-7000-8000-000000000001", "key", "req-1", valid_for=3600)
REQUEST = prompt_pb2.GetActivePromptRequest()


class Replica(prompt_pb2_grpc.PromptServiceServicer):
    """Answers with its name, after the time that it is told to take."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds = 0.0
        self.called = asyncio.Event()
        self.server = Server("prompt.parley", OpenToAnybody())
        prompt_pb2_grpc.add_PromptServiceServicer_to_server(self, self.server.grpc)

    @override
    async def GetActivePrompt(
        self, request: prompt_pb2.GetActivePromptRequest, context: ServerContext
    ) -> prompt_pb2.GetActivePromptResponse:
        self.called.set()
        await asyncio.sleep(self.seconds)
        return prompt_pb2.GetActivePromptResponse(prompt=prompt_pb2.Prompt(name=self.name))


@pytest.fixture
async def replicas() -> AsyncIterator[list[Replica]]:
    replicas = [Replica(name) for name in ("one", "two")]  # type: ignore[abstract]
    for replica in replicas:
        await replica.server.start("127.0.0.1:0", [])
    yield replicas
    for replica in replicas:
        await replica.server.stop(0)


@contextlib.asynccontextmanager
async def connected(*replicas: Replica) -> AsyncIterator[Peer]:
    ports = ",".join(f"127.0.0.1:{replica.server.port}" for replica in replicas)
    peer = Peer("prompt", f"ipv4:{ports}", None)
    try:
        yield peer
    finally:
        await peer.aclose()


async def ask(peer: Peer, seconds: float = 5.0) -> str:
    stub = prompt_pb2_grpc.PromptServiceStub(peer.channel)
    return (await peer.call(stub.GetActivePrompt, REQUEST, CALLER, seconds)).prompt.name


async def test_no_call_fails_while_one_of_two_replicas_stops(replicas: list[Replica]) -> None:
    answered: Counter[str] = Counter()
    async with connected(*replicas) as peer:

        async def keep_asking(until: asyncio.Event) -> None:
            while not until.is_set():
                answered[await ask(peer)] += 1

        stopped = asyncio.Event()
        asking = [asyncio.create_task(keep_asking(stopped)) for _ in range(8)]
        for replica in replicas:
            await asyncio.wait_for(replica.called.wait(), 10)
        await replicas[0].server.stop(5)
        stopped.set()
        await asyncio.gather(*asking)
        assert ["two"] * 10 == [await ask(peer) for _ in range(10)]

    assert answered["one"] > 0


async def test_a_running_call_ends_well_and_the_next_finds_nobody(replicas: list[Replica]) -> None:
    replica = replicas[0]
    replica.seconds = 1.0
    async with connected(replica) as peer:
        running = asyncio.create_task(ask(peer))
        await asyncio.wait_for(replica.called.wait(), 5)
        stopping = asyncio.create_task(replica.server.stop(5))

        assert "one" == await running
        await stopping
        with pytest.raises(Unavailable) as caught:
            await ask(peer)

    assert ("unavailable", 1.0) == (reason_of(caught.value), caught.value.retry_after)


async def test_what_takes_longer_than_the_grace_is_unavailable(replicas: list[Replica]) -> None:
    replica = replicas[0]
    replica.seconds = 60.0
    async with connected(replica) as peer:
        running = asyncio.create_task(ask(peer, 60.0))
        await asyncio.wait_for(replica.called.wait(), 5)
        await replica.server.stop(0.1)

        with pytest.raises(Unavailable):
            await asyncio.wait_for(running, 5)


async def test_health_says_first_that_nothing_is_taken_any_more(replicas: list[Replica]) -> None:
    server = replicas[0].server
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        accepting = health_pb2.HealthCheckRequest(service=ACCEPTING)
        before = (await check(accepting)).status
        stopping = asyncio.create_task(server.stop(5))
        await asyncio.sleep(0)
        during = (await check(accepting)).status
        await stopping

    assert (SERVING, NOT_SERVING) == (before, during)
