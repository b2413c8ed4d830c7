"""The four services as real processes on free ports, for tests that cross a process boundary."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from parley_tests.installation import Installation
from parley_tests.migrating import migrated
from parley_tests.settings import inherited_environment, ports

SERVICES = ("prompt_service", "provider_service", "chat_service", "gateway")
ADMIN_KEY = "the-administrators-first-key"
HEALTHY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 15.0
# Ports that this process found free.
GIVEN: set[int] = set()


class Platform:
    """Prompt, provider and chat service and a gateway, in front of one database.

    `environment` adds settings. Nothing is supervised: a test that kills a service starts it
    again itself. What the services print lies in `logs`, a file each.
    """

    def __init__(self, database_url: str, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self.keys = Installation()
        # What the services are run by, when not by themselves.
        self.build: list[str] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        prompt, provider, chat, self.port = (free_port() for _ in SERVICES)
        self.url = f"http://127.0.0.1:{self.port}"
        self.chat_target = f"127.0.0.1:{chat}"
        self.provider_port = provider
        self.environment = inherited_environment() | {
            "DATABASE_URL": database_url,
            "PROMPT_PORT": str(prompt),
            "PROVIDER_PORT": str(provider),
            "CHAT_PORT": str(chat),
            "GATEWAY_PORT": str(self.port),
            "API_KEY": ADMIN_KEY,
            "KEY_PEPPER": "a pepper for the tests, long enough",
            "RATE_LIMIT_PER_HOUR": "1000000",
            "WRONG_KEYS": "1000000",
            "DEMO_PACE": "0",
            **environment,
        }

    def migrate(self) -> None:
        """Bring all schemas up to date, all services at once as processes of their own."""
        running = {name: self._run(name, "migrate", self.environment) for name in SERVICES}
        for name, process in running.items():
            if process.wait(HEALTHY_WITHIN_SECONDS) != 0:
                raise RuntimeError(f"{name} migrate failed:\n{self.log(name)}")

    def start(self) -> None:
        """Start every service and wait until the gateway finds all of them well."""
        for name in SERVICES:
            self.start_one(name)
        self.wait_until_healthy()

    def start_one(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one service, with its own settings on top; return at once."""
        self.processes[name] = self._run(name, "serve", self.environment | environment)
        return self.processes[name]

    def start_another(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one more of a service, with its own settings on top; the caller ends it."""
        return self._run(name, "serve", self.environment | environment)

    def wait_until_healthy(self, url: str = "") -> None:
        """Return when `GET /health` is 200; RuntimeError with the logs when it is not."""
        give_up = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while time.monotonic() < give_up:
            try:
                if httpx.get(f"{url or self.url}/health", timeout=5).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError("not healthy:\n" + "\n".join(map(self.log, SERVICES)))

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send one service a signal."""
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """End one service the hard way, and wait until it is gone."""
        self.signal(name, signal.SIGKILL)
        self.processes[name].wait(STOPPED_WITHIN_SECONDS)

    def stop(self) -> None:
        """End all services, gateway first."""
        for name in reversed(list(self.processes)):
            self.processes[name].terminate()
        for process in self.processes.values():
            try:
                process.wait(STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        """Return what a service printed so far."""
        return (self.logs / f"{name}.log").read_text()

    @contextmanager
    def second_gateway(self) -> Iterator[str]:
        """Run another gateway beside the first for the length of a block; yield its URL."""
        url = f"http://127.0.0.1:{free_port()}"
        env = self.environment | {"GATEWAY_PORT": url.rpartition(":")[2]}
        process = self._run("gateway", "serve", env)
        try:
            self.wait_until_healthy(url)
            yield url
        finally:
            process.terminate()
            process.wait(STOPPED_WITHIN_SECONDS)

    def client(self, key: str = ADMIN_KEY, url: str = "") -> httpx.AsyncClient:
        """Return an HTTP client that shows this key; without one when it is empty."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=200)
        return httpx.AsyncClient(
            base_url=url or self.url, headers=headers, timeout=30, limits=limits
        )

    async def new_user(self, name: str) -> str:
        """Make a user and return a key of theirs."""
        async with self.client() as admin:
            user = (await admin.post("/users", json={"name": name})).raise_for_status().json()
            body = {"name": "test", "user_id": user["user_id"]}
            key = (await admin.post("/keys", json=body)).raise_for_status().json()
        return str(key["key"])

    def _run(self, name: str, verb: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *self.build, f"parley_{name}", verb]
        env = {**self.keys.environment(name), **env}
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)


@contextmanager
def running_platform(
    database_url: str, logs: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Platform]:
    """Run the four services for the length of a block."""
    platform = Platform(database_url, logs, environment or {})
    try:
        migrated(database_url, *SERVICES)
        platform.start()
        yield platform
    finally:
        platform.stop()


@contextmanager
def running_provider_service(
    database_url: str, logs: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Platform]:
    """Run the provider service alone; its port may not be open yet."""
    platform = Platform(database_url, logs, environment or {})
    try:
        migrated(database_url, *SERVICES)
        platform.start_one("provider_service")
        yield platform
    finally:
        platform.stop()


def free_port() -> int:
    """Find a port that nobody listens at, and give it to nobody else.

    Not even to another worker: it may take long until somebody listens there.
    """
    chance, ours = random.Random(os.urandom(8)), ports()  # noqa: S311  (no secret)
    while True:
        port = chance.choice(ours)
        if port in GIVEN:
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                GIVEN.add(port)
                return port
