"""A platform with every vendor behind it, and how a vendor is told what to reply."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley_tests.database import fresh_database
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import Platform, running_platform

# A model of each vendor, by the name of its wire.
MODELS = {
    "openai": "openai/gpt-peer",
    "anthropic": "anthropic/claude-haiku-4-5",
    "ollama": "ollama/llama-peer:latest",
    "google": "google/gemini-3-flash-peer",
}
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Marketplace:
    """A platform, and the vendors behind it."""

    platform: Platform
    vendors: dict[str, RunningPeer]

    def last(self, vendor: str) -> Any:
        """What a vendor's model was asked last."""
        return self.vendors[vendor].asked()[-1]["body"]


@contextmanager
def running_marketplace(database_server: str, logs: Path) -> Iterator[Marketplace]:
    """Run a platform and its vendors for the length of a block."""
    with ExitStack() as stack:
        vendors = {wire: stack.enter_context(running_peer(wire)) for wire in MODELS}
        settings = {"OPENAI_WIRE": "responses"}
        for vendor in vendors.values():
            settings |= vendor.settings
        url = stack.enter_context(fresh_database(database_server))
        platform = stack.enter_context(running_platform(url, logs, settings))
        yield Marketplace(platform, vendors)


def told(**script: Any) -> Any:
    """A message that says how the vendor's reply goes."""
    return {"role": "user", "content": f"#peer {json.dumps(script)}"}
