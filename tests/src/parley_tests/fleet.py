"""Several of each service before one database: for tests in which replicas come and go."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley_tests.migrating import migrated
from parley_tests.platform import (
    HEALTHY_WITHIN_SECONDS,
    SERVICES,
    STOPPED_WITHIN_SECONDS,
    Platform,
    free_port,
)

PORTS = {
    "prompt_service": "PROMPT_PORT",
    "provider_service": "PROVIDER_PORT",
    "chat_service": "CHAT_PORT",
    "gateway": "GATEWAY_PORT",
}


class Fleet:
    """`size` replicas of each service, which know all replicas of each other.

    A replica is named by its service and its number, from 0. Nothing is supervised.
    """

    def __init__(
        self, database_url: str, logs: Path, size: int, environment: Mapping[str, str]
    ) -> None:
        self.ports = {name: [free_port() for _ in range(size)] for name in SERVICES}
        targets = {
            PORTS[name].replace("PORT", "TARGET"): self._target(name) for name in SERVICES[:3]
        }
        self.platform = Platform(database_url, logs, {**targets, **environment})
        self.processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}

    @property
    def urls(self) -> list[str]:
        """Where the gateways are."""
        return [f"http://127.0.0.1:{port}" for port in self.ports["gateway"]]

    def start(self) -> None:
        """Start everything, and wait until all of it is well."""
        for name, ports in self.ports.items():
            for number in range(len(ports)):
                self.start_one(name, number)
        for name, number in self.processes:
            self.wait_until_well(name, number)
        for url in self.urls:
            self.platform.wait_until_healthy(url)

    def start_one(self, name: str, number: int) -> None:
        """Start one replica; return at once."""
        port = {PORTS[name]: str(self.ports[name][number])}
        self.processes[name, number] = self.platform.start_another(name, **port)

    def restart(self, name: str, number: int) -> int:
        """Stop one replica as an orchestrator does, start it again; return its exit code."""
        process = self.processes[name, number]
        process.terminate()
        code = process.wait(STOPPED_WITHIN_SECONDS)
        self.start_one(name, number)
        self.wait_until_well(name, number)
        return code

    def wait_until_well(self, name: str, number: int) -> None:
        """Return when a replica takes calls; RuntimeError with its log when it does not."""
        port = self.ports[name][number]
        well = ready if name == "gateway" else serving
        give_up = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while not well(port):
            if time.monotonic() > give_up:
                raise RuntimeError(f"{name} is not well:\n{self.platform.log(name)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End everything, also what is frozen."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def log(self) -> str:
        """Return what all of them printed."""
        return "".join(chain.from_iterable(map(self.platform.log, SERVICES)))

    def _target(self, name: str) -> str:
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self.ports[name])


def ready(port: int) -> bool:
    """Say whether a gateway takes requests."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def serving(port: int) -> bool:
    """Say whether a service is well."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its types name no methods
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5, wait_for_ready=True)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextmanager
def running_fleet(
    database_url: str, logs: Path, size: int, environment: Mapping[str, str] | None = None
) -> Iterator[Fleet]:
    """Run `size` of each service for the length of a block."""
    fleet = Fleet(database_url, logs, size, environment or {})
    try:
        migrated(database_url, *SERVICES)
        fleet.start()
        yield fleet
    finally:
        fleet.stop()
