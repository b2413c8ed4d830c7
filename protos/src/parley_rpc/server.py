"""One gRPC server: trust, health, graceful stop, keepalive, reflection behind a switch."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from parley_rpc.client import ACCEPTING, KEEPALIVE, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from parley_rpc.interceptors import Edge
from parley_rpc.trust import Doorkeeper

LONGEST_CALL_SECONDS = 600
# Between the word that no new calls are taken and the closing of the port. Channels that watch
# have left within 0.05 s; the rest is for a machine that is busy.
NOTICE_SECONDS = 0.25
# How long a server that starts keeps callers at other replicas until its probe says yes. Later
# it takes calls all the same, and says what ails it.
READY_WITHIN_SECONDS = 3.0
OPTIONS = [
    *KEEPALIVE,
    ("grpc.so_reuseport", 0),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", (LONGEST_CALL_SECONDS + 30) * 1000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 4_000),
    # Pings that come early are counted and never punished: on a busy machine those of our own
    # clients do, and a GOAWAY would end the calls of a healthy connection.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Probe = Callable[[], Awaitable[bool]]


async def always_ready() -> bool:
    """Be ready at all times: the probe of a server that depends on nothing."""
    return True


class Server:
    """A gRPC server of one or more services, with a health status that follows a probe.

    `trust` says whom it lets in; health is open to all. Reflection, where it is on, is open to
    trusted services, who need no user for it.

    `probe` is asked every second; while it says no, health is NOT_SERVING, and calls are
    still answered (with the faults that explain why). Channels send it their calls from the
    first time that it says yes.
    """

    def __init__(
        self,
        domain: str,
        trust: Doorkeeper,
        *,
        probe: Probe = always_ready,
        reflect: bool = False,
    ) -> None:
        self.grpc = grpc.aio.server(interceptors=[Edge(domain, trust)], options=OPTIONS)
        self.tls = trust.tls
        self.health = health.aio.HealthServicer()
        self.probe = probe
        self.reflect = reflect
        self.names: list[str] = []
        self.port = 0
        self.retired = False
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.grpc)

    async def start(self, address: str, services: Sequence[str]) -> None:
        """Listen at `host:port`; OSError when the port is taken. Port 0 chooses a free one."""
        self.names = ["", *services]
        if self.reflect:
            names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self.grpc)
        try:
            if self.tls is None:
                self.port = self.grpc.add_insecure_port(address)
            else:
                self.port = self.grpc.add_secure_port(address, self.tls.for_server())
        except RuntimeError as error:
            raise OSError(f"cannot listen at {address}") from error
        await self._tell(NOT_SERVING)
        await self.grpc.start()
        alone = self.probe is always_ready
        await self.health.set(ACCEPTING, SERVING if alone else NOT_SERVING)

    async def run(self, *, grace: float = 10.0) -> None:
        """Serve until SIGTERM or SIGINT; then take no new calls and give running ones `grace` s."""
        asked_to_stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked_to_stop.set)
        watch = asyncio.create_task(self._follow_probe())
        await asked_to_stop.wait()
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        await self.retire(min(NOTICE_SECONDS, grace))
        await self.stop(grace)

    async def retire(self, notice: float) -> None:
        """Say, once, that no new calls are taken, and give channels `notice` s to hear it.

        What they send until then is still taken, so who waits for the last work begins after.
        """
        if not self.retired:
            self.retired = True
            await self.health.enter_graceful_shutdown()
            await asyncio.sleep(notice)

    async def stop(self, grace: float) -> None:
        """Take no new calls, and give running ones `grace` s."""
        await self.retire(min(NOTICE_SECONDS, grace))
        await self.grpc.stop(grace)

    async def _follow_probe(self) -> None:
        patient_until = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            well = await self.probe()
            await self._tell(SERVING if well else NOT_SERVING)
            if well or time.monotonic() >= patient_until:
                await self.health.set(ACCEPTING, SERVING)
            await asyncio.sleep(1.0)

    async def _tell(self, status: int) -> None:
        for name in self.names:
            await self.health.set(name, status)
