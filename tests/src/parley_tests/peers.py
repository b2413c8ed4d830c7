"""Vendors as processes of their own: what speaks a wire, and what points Parley at it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from parley_tests.settings import inherited_environment

KEY = "sk-a-vendors-key"
# How the wires call what is said.
SAID = {"messages", "input", "contents"}


@dataclass(frozen=True)
class RunningPeer:
    """A peer that runs; `base_url` is what a plugin is given."""

    wire: str
    base_url: str
    pid: int

    @property
    def settings(self) -> dict[str, str]:
        """What points Parley at it."""
        name = self.wire.upper()
        return {f"{name}_BASE_URL": self.base_url, f"{name}_API_KEY": KEY}

    def script(self, **changes: Any) -> None:
        """Say how replies go from now on."""
        httpx.post(f"{self._root}/_script", json=changes).raise_for_status()

    def release(self) -> None:
        """Let go of what is held back."""
        httpx.post(f"{self._root}/_release", json={}).raise_for_status()

    def log(self) -> Any:
        """Return what the peer received so far."""
        return httpx.get(f"{self._root}/_log").raise_for_status().json()

    def asked(self) -> list[Any]:
        """Return the requests for replies, oldest first; for its models it is asked at any time."""
        received = self.log()["requests"]
        return [one for one in received if one["body"] and one["body"].keys() & SAID]

    @property
    def _root(self) -> str:
        scheme, _, rest = self.base_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"


@contextmanager
def running_peer(wire: str, *arguments: str) -> Iterator[RunningPeer]:
    """Run `parley_tests.<wire>_peer` for the length of a block."""
    command = [sys.executable, "-m", f"parley_tests.{wire}_peer", "--key", KEY, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=inherited_environment(), text=True
    ) as process:
        try:
            assert process.stdout is not None
            base_url = json.loads(process.stdout.readline())["base_url"]
            yield RunningPeer(wire, base_url, process.pid)
        finally:
            process.terminate()
