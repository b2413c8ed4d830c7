"""A vendor as a process of its own: what speaks OpenAI's wire, told what to do over HTTP."""

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


@dataclass(frozen=True)
class Vendor:
    """A running peer: its base URL ends in `/v1`."""

    base_url: str
    pid: int

    @property
    def settings(self) -> dict[str, str]:
        """What points Parley at it, and makes it the default."""
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": KEY,
            "DEFAULT_PROVIDER": "openai",
        }

    def script(self, **changes: Any) -> None:
        """Say how replies go from now on."""
        self._tell("_script", changes)

    def release(self) -> None:
        """Let go of what is held back."""
        self._tell("_release", {})

    def log(self) -> Any:
        """Return what the peer received so far."""
        return httpx.get(f"{self._root}/_log").raise_for_status().json()

    def _tell(self, route: str, body: dict[str, Any]) -> None:
        httpx.post(f"{self._root}/{route}", json=body).raise_for_status()

    @property
    def _root(self) -> str:
        return self.base_url.removesuffix("/v1")


@contextmanager
def running_vendor(*arguments: str) -> Iterator[Vendor]:
    """Run the peer for the length of a block."""
    command = [sys.executable, "-m", "parley_tests.openai_peer", "--key", KEY, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=inherited_environment(), text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Vendor(json.loads(process.stdout.readline())["base_url"], process.pid)
        finally:
            process.terminate()
