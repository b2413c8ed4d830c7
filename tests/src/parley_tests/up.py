"""A running `parley up`, and what a person or a test can see of it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import psutil

from parley_tests.platform import free_port
from parley_tests.settings import inherited_environment

SERVICES = ("prompt", "provider", "chat", "gateway", "ui")
SECONDS = 60


class Up:
    """`parley up` in a folder, on free ports, as a process of its own. Not started yet."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        """`root` is the current folder of the process; its home is `.parley` in there."""
        self.root = root
        self.home = root / ".parley"
        self.ports = {name: free_port() for name in SERVICES}
        ports = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self.environment = {**inherited_environment(), **ports, **environment}
        self.said = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process, "it was not started"
        return self._process

    def start(self, *arguments: str) -> Self:
        """Starts it, in a session of its own as a terminal would, without waiting."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "parley_local", "up", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    def wait_until_ready(self) -> Self:
        """Returns once it calls itself ready; fails when it ends instead."""
        self.wait_for(lambda: self.process.poll() is not None or self.state().get("ready"))
        assert self.process.poll() is None, self.process.communicate()[0]
        return self

    def wait_for(self, what: Callable[[], object]) -> None:
        """Returns when something has become true; fails when it does not."""
        give_up = time.monotonic() + SECONDS
        while not what():
            assert time.monotonic() < give_up, "it did not happen"
            time.sleep(0.02)

    def wait(self) -> int:
        """Waits for its end, and returns the exit code; what it said is in `said` then."""
        self.said += self.process.communicate(timeout=SECONDS)[0]
        return self.process.returncode

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signals the supervisor alone, and returns its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def end(self) -> None:
        """Leaves nothing running, in whatever state it is."""
        if self._process is None or self._process.poll() is not None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def state(self) -> dict[str, Any]:
        """What its state file says; empty when there is none."""
        try:
            state: dict[str, Any] = json.loads((self.home / "state.json").read_text())
        except FileNotFoundError:
            return {}
        return state

    def processes(self) -> dict[str, dict[str, int]]:
        """Pid and number of starts of each process."""
        found: dict[str, dict[str, int]] = self.state()["processes"]
        return found

    def pids(self) -> list[int]:
        return [process["pid"] for process in self.processes().values()]

    def all_gone(self, pids: Sequence[int]) -> bool:
        alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)

    def answers(self, name: str) -> bool:
        """Whether something listens on the port of a service."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[name])) == 0

    def get(self, name: str, path: str = "/") -> Any:
        """The JSON that a service answers, as soon as it does."""
        self.wait_for(lambda: self.answers(name))
        connection = HTTPConnection("127.0.0.1", self.ports[name], timeout=5)
        connection.request("GET", path)
        with connection.getresponse() as response:
            return json.load(response)
