"""The master keys of this machine: a file with a Fernet key on each line, the newest first.

Vendors' keys are encrypted with them. The provider service reads the file anew each time, and
opens with any of them what it has encrypted with the first.
"""

import base64
import fcntl
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def new_master_key() -> str:
    """A Fernet key: 256 bits in base64 that is safe in URLs, with its padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class MasterKeys:
    """The file; its readers see the old one or the new one, never a part."""

    path: Path

    def add(self) -> tuple[str, ...]:
        """Puts a new key first, and returns those that were there."""
        with self._alone():
            old = self._read()
            self._write([new_master_key(), *old])
        return old

    def drop(self, keys: Collection[str]) -> None:
        """Takes keys away; those that somebody else has put there meanwhile stay."""
        with self._alone():
            self._write([key for key in self._read() if key not in keys])

    def _read(self) -> tuple[str, ...]:
        return tuple(line.strip() for line in self.path.read_text().splitlines() if line.strip())

    def _write(self, keys: Collection[str]) -> None:
        unfinished = self.path.with_name(f"{self.path.name}.new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{key}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other writers out for the length of a block."""
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
