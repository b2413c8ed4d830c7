"""Two of each service, a PostgreSQL of their own, and a proxy on every way between them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
from parley_local.faults import StartError
from parley_local.postgres import EmbeddedPostgres
from parley_local.processes import launch

from parley_tests.installation import Installation
from parley_tests.platform import ADMIN_KEY, SERVICES, free_port
from parley_tests.settings import inherited_environment

DATABASE = "postgres"
REPLICAS = {
    "prompt0": "prompt_service",
    "provider0": "provider_service",
    "provider1": "provider_service",
    "chat0": "chat_service",
    "chat1": "chat_service",
    "gateway0": "gateway",
    "gateway1": "gateway",
}
PORTS = {
    "prompt_service": "PROMPT_PORT",
    "provider_service": "PROVIDER_PORT",
    "chat_service": "CHAT_PORT",
    "gateway": "GATEWAY_PORT",
}
LOOK_EVERY_SECONDS = 0.05
READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 20.0


@dataclass(slots=True)
class Exit:
    """A process that ended: how, and whether somebody wanted it."""

    name: str
    code: int
    wanted: bool
    at: float


@dataclass(slots=True)
class Member:
    """One process that is started again whenever it ends."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    # What it is to end with, when somebody ends it; anything else is its own doing.
    farewell: set[int] = field(default_factory=set)
    due: float = 0.0
    starts: int = 0


class Cluster:
    """Starts everything, keeps it running, and remembers who died of what."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        broken: Mapping[str, str] | None = None,
        synchronous_commit: bool = True,
        restart_seconds: float = 0.3,
    ) -> None:
        """`broken` names services and the faults that are put into them (see `broken`).

        Without `synchronous_commit` PostgreSQL acknowledges what a crash of it loses.
        """
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.broken = broken or {}
        self.synchronous_commit = synchronous_commit
        self.restart_seconds = restart_seconds
        self.postgres = EmbeddedPostgres(folder / "home", durable=True)
        self.exits: list[Exit] = []
        self.ports = {name: free_port() for name in REPLICAS}
        self.members: dict[str, Member] = {}
        self.keys = Installation()
        self.environment = inherited_environment() | {
            "API_KEY": ADMIN_KEY,
            "KEY_PEPPER": "a pepper for the checker, long enough",
            "RATE_LIMIT_PER_HOUR": "1000000000",
            "LOG_LEVEL": "WARNING",
            **environment,
        }
        self.stopping = False
        self._proxy: subprocess.Popen[bytes] | None = None
        self._links: dict[str, int] = {}
        self._tending: asyncio.Task[None] | None = None

    # -- what others want to know -----------------------------------------------------------

    @property
    def database_url(self) -> str:
        """The database, past the proxy."""
        return self.postgres.url

    @property
    def links(self) -> list[str]:
        """The names of all links."""
        return list(self._links)

    def gateways(self, *, direct: bool = False) -> list[str]:
        """The URLs of the gateways, through the proxy or past it."""
        names = [name for name in REPLICAS if name.startswith("gateway")]
        ports = self.ports if direct else {name: self._links[f"client-{name}"] for name in names}
        return [f"http://127.0.0.1:{ports[name]}" for name in names]

    def log_files(self) -> list[Path]:
        """What the services printed."""
        return sorted(self.logs.glob("*.log*"))

    def resident_mb(self) -> dict[str, int]:
        """Memory of each process."""
        found = {}
        for name, member in self.members.items():
            if member.process and member.process.poll() is None:
                with contextlib.suppress(psutil.Error):
                    found[name] = psutil.Process(member.process.pid).memory_info().rss >> 20
        return found

    # -- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything and wait until the gateways find all of it well."""
        self.members[DATABASE] = Member(DATABASE, self.postgres.launch)
        await asyncio.to_thread(self._tend, self.members[DATABASE])
        self._tending = asyncio.create_task(self._tend_all())
        await self.until(lambda: asyncio.to_thread(self.postgres.answers), "PostgreSQL")
        if not self.synchronous_commit:
            await asyncio.to_thread(self._do_not_wait_for_the_disk)
        await asyncio.to_thread(self._start_proxy)
        await asyncio.to_thread(self._migrate)
        for name in REPLICAS:
            self.members[name] = Member(name, self._launcher(name))
        await self.until(self.healthy, "the services")

    def save(self) -> None:
        """Have on disk whatever was written, however carelessly: a commit waits for all before."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute("set synchronous_commit = on")
            connection.execute("create table saved ()")

    async def until(
        self, true: Callable[[], Any], what: str, seconds: float = READY_WITHIN_SECONDS
    ) -> float:
        """Wait until something is true, and return the seconds that took; TimeoutError."""
        began = time.monotonic()
        while not await true():
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{what} did not come within {seconds:g} s")
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def started_again(self, name: str, starts: int, seconds: float) -> None:
        """Wait until a member was started more often than so; TimeoutError."""

        async def again() -> bool:
            return self.members[name].starts > starts

        await self.until(again, name, seconds)

    async def healthy(self) -> bool:
        """Say whether both gateways find everything well."""
        timeout = aiohttp.ClientTimeout(total=3)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                statuses = [await _status(session, url) for url in self.gateways(direct=True)]
        except (aiohttp.ClientError, TimeoutError):
            return False
        return set(statuses) == {200}

    async def answers(self, name: str) -> bool:
        """Say whether a member takes connections."""
        if name == DATABASE:
            return await asyncio.to_thread(self.postgres.answers)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self, *, gracefully: bool = True) -> None:
        """End everything, gateways first and PostgreSQL last."""
        farewell = signal.SIGTERM if gracefully else signal.SIGKILL
        self.stopping = True
        if self._tending:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        await asyncio.to_thread(self._stop, farewell)

    # -- blows ------------------------------------------------------------------------------

    def send(self, name: str, number: signal.Signals) -> bool:
        """Send a member a signal; False when it is not running."""
        member = self.members[name]
        if member.process is None or member.process.poll() is not None:
            return False
        if number == signal.SIGKILL:
            member.farewell |= {-signal.SIGKILL}
        if number == signal.SIGTERM:
            member.farewell |= {0}
        member.process.send_signal(number)
        return True

    def kill_backend(self, chance: float) -> bool:
        """Kill one of PostgreSQL's children: it recovers, and everybody loses their connection."""
        children = self._family()[1:]
        if not children:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            children[int(chance * len(children))].kill()
        return True

    def freeze(self, name: str, number: signal.Signals) -> bool:
        """Stop or continue a member, PostgreSQL with all its children."""
        if name != DATABASE:
            return self.send(name, number)
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return True

    def set_link(self, link: str, fault: str, amount: int = 0) -> None:
        """Make a link misbehave; `none` heals it."""
        assert self._proxy
        assert self._proxy.stdin
        order = {"link": link, "fault": fault, "amount": amount}
        self._proxy.stdin.write(json.dumps(order).encode() + b"\n")
        self._proxy.stdin.flush()

    def heal(self) -> None:
        """Undo whatever can be undone."""
        for link in self._links:
            self.set_link(link, "none")
        for name in self.members:
            self.freeze(name, signal.SIGCONT)

    # -- inside -----------------------------------------------------------------------------

    def _family(self) -> list[psutil.Process]:
        process = self.members[DATABASE].process
        if process is None or process.poll() is not None:
            return []
        try:
            postmaster = psutil.Process(process.pid)
            return [postmaster, *postmaster.children()]
        except psutil.NoSuchProcess:
            return []

    def _do_not_wait_for_the_disk(self) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute("alter role current_user set synchronous_commit = off")

    def _start_proxy(self) -> None:
        sockets = self.postgres.url.rpartition("?host=")[2].replace("%2F", "/")
        targets = {f"database-{name}": f"{sockets}/.s.PGSQL.5432" for name in REPLICAS}
        for name, service in REPLICAS.items():
            caller = "client" if service == "gateway" else "service"
            targets[f"{caller}-{name}"] = f"127.0.0.1:{self.ports[name]}"
        self._proxy = subprocess.Popen(
            [sys.executable, "-m", "parley_tests.checker.proxy"],
            env=inherited_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._proxy.stdin
        assert self._proxy.stdout
        self._proxy.stdin.write(json.dumps(targets).encode() + b"\n")
        self._proxy.stdin.flush()
        with self._proxy.stdout as ports:
            self._links = json.loads(ports.readline())

    def _migrate(self) -> None:
        running = {}
        for service in SERVICES:
            env = self.environment | {"DATABASE_URL": self.postgres.url}
            with (self.logs / f"migrate-{service}.log").open("wb") as log:
                command = [sys.executable, "-m", f"parley_{service}", "migrate"]
                running[service] = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        for service, process in running.items():
            if process.wait(READY_WITHIN_SECONDS):
                raise RuntimeError(f"{service} migrate failed, see {self.logs}")

    def _launcher(self, name: str) -> Callable[[], subprocess.Popen[bytes]]:
        service = REPLICAS[name]
        fault = self.broken.get(service)
        module = ["parley_tests.checker.broken", fault] if fault else []
        command = [sys.executable, "-m", *module, f"parley_{service}", "serve"]
        env = {
            **self.environment,
            **self.keys.environment(service),
            PORTS[service]: str(self.ports[name]),
            "DATABASE_URL": self._database_url(name),
            "CHAT_TARGET": self._target("chat"),
            "PROVIDER_TARGET": self._target("provider"),
            "PROMPT_TARGET": self._target("prompt"),
        }

        return partial(launch, command, log=self.logs / f"{name}.log", env=env)

    def _target(self, kind: str) -> str:
        names = [f"service-{name}" for name in REPLICAS if name.startswith(kind)]
        ports = [self._links[name] for name in names]
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)

    def _database_url(self, name: str) -> str:
        host = f"127.0.0.1:{self._links[f'database-{name}']}"
        return self.postgres.url.replace("@/", f"@{host}/").partition("?")[0]

    async def _tend_all(self) -> None:
        """Notice deaths, and start again."""
        while True:
            for member in list(self.members.values()):
                if member.process is None and time.monotonic() < member.due:
                    continue
                if member.process is None or member.process.poll() is not None:
                    await asyncio.to_thread(self._tend, member)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def _tend(self, member: Member) -> None:
        if member.process is None:
            member.starts += 1
            try:
                member.process = member.launch()
            except StartError:
                member.due = time.monotonic() + self.restart_seconds
            return
        code = member.process.wait()
        # A PostgreSQL whose predecessor's children are still there does not start yet.
        early = member.name == DATABASE and member.starts > 1 and code == 1
        wanted = code in member.farewell or early
        self.exits.append(Exit(member.name, code, wanted, time.monotonic()))
        member.farewell = set()
        member.process = None
        member.due = time.monotonic() + self.restart_seconds

    def _stop(self, farewell: signal.Signals) -> None:
        order = [name for name in reversed(REPLICAS) if name in self.members]
        for name in order:
            self.send(name, farewell)
        for name in order:
            process = self.members[name].process
            if process is None:
                continue
            try:
                code = process.wait(STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            wanted = code in self.members[name].farewell
            self.exits.append(Exit(name, code, wanted, time.monotonic()))
        if self._proxy:
            assert self._proxy.stdin
            self._proxy.stdin.close()
            self._proxy.wait(STOPPED_WITHIN_SECONDS)
        database = self.members.get(DATABASE)
        if database and database.process:
            self.postgres.stop(database.process)


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/health") as answer:
        return answer.status
