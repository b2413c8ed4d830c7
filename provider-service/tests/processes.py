"""The service as a process, and somebody who calls it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from parley_provider_service.bootstrap import NAME
from parley_rpc.client import Peer
from parley_rpc.faults import Fault
from parley_tests.installation import Installation
from parley_tests.settings import inherited_environment
from uuid_utils.compat import uuid7

from parley.provider.v1 import reply_pb2, usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

COMMAND = [sys.executable, "-m", "parley_provider_service"]
KEYS = Installation()
ADA = UUID("0198a000-0000-7000-8000-00000000000a")


class Call:
    """One reply that somebody asked for, and what came of it so far."""

    def __init__(self, stream: Any, usage_id: str) -> None:
        self.stream = stream
        self.usage_id = usage_id
        self.text = ""
        self.kinds: list[str | None] = []
        self.fault: Fault | None = None
        self.spoke = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None

    def begin(self, peer: Peer) -> None:
        """Begin to hear it."""
        self._hearing = asyncio.create_task(self._hear(peer))

    async def ended(self) -> None:
        """Wait until it has ended, well or not."""
        assert self._hearing is not None
        await self._hearing

    async def _hear(self, peer: Peer) -> None:
        try:
            async for event in peer.stream(self.stream):
                self.kinds.append(event.WhichOneof("event"))
                self.text += event.text
                if event.text:
                    self.spoke.set()
        except Fault as fault:
            self.fault = fault
        finally:
            self.spoke.set()


class Client:
    """Calls one process, over a channel of its own."""

    def __init__(self, port: int) -> None:
        self.peer = Peer("provider", f"127.0.0.1:{port}", KEYS.credential("chat"))
        self.stub: Any = ProviderServiceStub(self.peer.channel)

    def ask(self, text: str, *, seconds: float = 60, **fields: Any) -> Call:
        """Begin a reply of the demo provider, unless another is named."""
        message = reply_pb2.InputMessage(
            role=reply_pb2.ROLE_USER, parts=[reply_pb2.Part(text=text)]
        )
        values = {"usage_id": str(uuid7()), "provider": "demo", "model": "demo", "stream": True}
        request = reply_pb2.GenerateReplyRequest(messages=[message], **{**values, **fields})
        shown = self.peer.metadata(KEYS.caller(str(ADA)).metadata)
        stream = self.stub.GenerateReply(request, timeout=seconds, metadata=shown)
        call = Call(stream, request.usage_id)
        call.begin(self.peer)
        return call

    async def usage(self, calls: Sequence[Call]) -> Mapping[str, usage_pb2.UsageRecord]:
        """Return what the ledger says of calls, by id."""
        asked = usage_pb2.GetUsageRequest(usage_ids=[call.usage_id for call in calls])
        answer = await self.peer.unary(
            self.stub.GetUsage(asked, timeout=5, metadata=self.peer.metadata())
        )
        return {record.usage_id: record for record in answer.records}

    async def held(self, call: Call) -> None:
        """Wait until a call stands in the ledger, at most 10 s."""
        async with asyncio.timeout(10):
            while not await self.usage([call]):  # noqa: ASYNC110  (asked)
                await asyncio.sleep(0.02)

    async def settled(self, call: Call) -> usage_pb2.UsageRecord:
        """Wait until a call is settled, at most 30 s."""
        async with asyncio.timeout(30):
            while True:
                record = (await self.usage([call])).get(call.usage_id)
                if record is not None and record.settled:
                    return record
                await asyncio.sleep(0.1)


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[Client]:
    """Call the process at a port for the length of a block."""
    client = Client(port)
    try:
        yield client
    finally:
        await client.peer.aclose()


class Service:
    """A process that serves."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self.log = log

    async def becomes(self, status: int) -> None:
        """Wait until its health is this, at most 20 s."""
        address = f"127.0.0.1:{self.port}"
        async with grpc.aio.insecure_channel(address) as channel, asyncio.timeout(20):
            stub: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service=NAME)
            while (await stub.Check(request, wait_for_ready=True)).status != status:  # noqa: ASYNC110  (asked)
                await asyncio.sleep(0.05)

    async def is_well(self) -> None:
        """Wait until it serves."""
        await self.becomes(health_pb2.HealthCheckResponse.SERVING)

    async def ends(self, seconds: float) -> int:
        """Wait until it has ended; return its exit code. TimeoutExpired."""
        return await asyncio.to_thread(self.process.wait, seconds)


@contextmanager
def serving(port: int, database_url: str, log: Path, **settings: str) -> Iterator[Service]:
    """Run a process on a migrated database for the length of a block."""
    environment = {
        **inherited_environment(),
        **KEYS.environment("provider_service"),
        "DATABASE_URL": database_url,
        "PROVIDER_PORT": str(port),
        **settings,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, "serve"], env=environment, stdout=output, stderr=output
        )
    try:
        yield Service(port, process, log)
    finally:
        process.kill()
        process.wait()
