"""The services behind the gateway, over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from parley_rpc.client import Peer
from parley_rpc.context import Caller
from parley_rpc.tokens import Credential

HEALTH_SECONDS = 1.0

Stub = TypeVar("Stub")
Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Client(Generic[Stub]):
    """One service: its stub, and calls that fail with its faults.

    Must be made in a running loop, as the channel below it.
    """

    def __init__(
        self, name: str, target: str, stub: Callable[[Any], Stub], credential: Credential | None
    ) -> None:
        self.peer = Peer(name, target, credential)
        self.stub = stub(self.peer.channel)
        self._health: Any = HealthStub(self.peer.channel)  # its types name no methods

    async def unary(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        caller: Caller,
        seconds: float,
    ) -> Answer:
        """Call and return the answer; the fault that the service reported."""
        return await self.peer.call(method, request, caller, seconds)

    def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Answer],
        request: Request,
        caller: Caller,
        seconds: float,
    ) -> AsyncIterator[Answer]:
        """Call and yield the answers as they come; the fault that the service reported."""
        return self.peer.follow(method, request, caller, seconds)

    async def is_serving(self) -> bool:
        """Say whether the service is well, within a second."""
        try:
            answer = await self._health.Check(HealthCheckRequest(), timeout=HEALTH_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == HealthCheckResponse.SERVING)

    async def aclose(self) -> None:
        """Close the channel."""
        await self.peer.aclose()
