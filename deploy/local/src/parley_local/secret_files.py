"""Secrets that are made once and kept in the home, readable by their owner only."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Secret:
    """A kept secret, and whether it was made just now."""

    value: str
    is_new: bool


def read(path: Path) -> str | None:
    """The secret in `path`; None when there is none."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None


def new_secret() -> str:
    """A secret of 256 bits, safe in URLs."""
    return secrets.token_urlsafe(32)


def keep(path: Path, make: Callable[[], str] = new_secret) -> Secret:
    """Reads the secret in `path`; makes one when there is none."""
    known = read(path)
    if known is not None:
        return Secret(known, is_new=False)
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{value}\n")
    return Secret(value, is_new=True)
