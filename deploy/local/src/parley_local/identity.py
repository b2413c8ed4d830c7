"""The keys by which the services of this machine know each other, in the home's `identity`.

The contracts' runtime makes them, as a process of its own: this package speaks no contract.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from parley_local.faults import StartError

MODULE = "parley_rpc.identities"
TRUSTED = "trusted.json"
SECONDS = 30
# What each service is told, as files of the folder; nobody is told anything else of them.
KEYS = {
    "gateway": {"SERVICE_KEY_FILE": "gateway.key", "CONTEXT_KEY_FILE": "context.key"},
    "chat": {"SERVICE_KEY_FILE": "chat.key", "TRUSTED_KEYS_FILE": TRUSTED},
    "prompt": {"TRUSTED_KEYS_FILE": TRUSTED},
    "provider": {"TRUSTED_KEYS_FILE": TRUSTED},
}
SETTINGS = frozenset(
    name + end for name in ("SERVICE_KEY", "CONTEXT_KEY", "TRUSTED_KEYS") for end in ("", "_FILE")
)


@dataclass(frozen=True)
class Identity:
    """The folder of the keys."""

    folder: Path

    @classmethod
    def of(cls, home: Path) -> "Identity":
        """Those of a home."""
        return cls(home.resolve() / "identity")

    def complete(self) -> None:
        """Makes the keys that are not there yet."""
        needed = {file for files in KEYS.values() for file in files.values()}
        if not all((self.folder / file).exists() for file in needed):
            self.run("complete")

    def key(self, name: str) -> Path:
        """Where the private key of somebody lies; `context` is what signs user contexts."""
        return self.folder / f"{name}.key"

    def environment(self, service: str) -> dict[str, str]:
        """The settings by which a service finds its own keys, and those that it trusts."""
        files = KEYS.get(service, {})
        return {setting: str(self.folder / file) for setting, file in files.items()}

    def run(self, *words: str) -> str:
        """Runs a command of the contracts' runtime on the folder; returns what it prints."""
        command = [sys.executable, "-P", "-m", MODULE, "--folder", str(self.folder), *words]
        done = subprocess.run(  # noqa: S603 - our own program; a person chooses a word of it at most
            command, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        if done.returncode:
            raise StartError(done.stderr.strip() or f"{MODULE} failed.")
        return done.stdout
