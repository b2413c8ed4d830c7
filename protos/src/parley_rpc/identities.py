"""Makes the keys of an installation: `python -m parley_rpc.identities`.

A folder holds the public keys that services trust, `trusted.json`, and private keys, `<name>.key`
each; they may be spread over folders, so that each service sees its own alone. What is there is
kept. A name may have several trusted keys: so a new one is trusted before it is used, and the old
one for as long as something that it signed may still come.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from parley_rpc.keys import (
    CONTEXT,
    LOOK_EVERY_SECONDS,
    SERVICE,
    IdentityError,
    Key,
    Source,
    Watched,
    new_key,
    private_key,
    public,
    trusted_keys,
    written,
)
from parley_rpc.tokens import SCHEME, Credential

TRUSTED = "trusted.json"
# Who needs a key, what it signs, and what its file is called.
MEMBERS = (
    ("gateway", SERVICE, "gateway"),
    ("chat", SERVICE, "chat"),
    ("gateway", CONTEXT, "context"),
)
SHOWN_TO = ("chat", "prompt", "provider")
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Keyring:
    """The trusted keys of a folder, and private keys beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trusted = folder / TRUSTED

    def complete(self, folders: Sequence[str]) -> None:
        """Make the keys of our own services that are not there yet.

        `folders` places some elsewhere, as `<file>=<folder>`.
        """
        placed = dict(one.split("=", 1) for one in folders)
        for name, purpose, file in MEMBERS:
            path = Path(placed.get(file, self.folder)) / f"{file}.key"
            if path.exists():
                self._trust(Watched(Source(str(path), path=path), private_key(purpose)).current())
            else:
                self._issue(new_key(name, purpose), path)

    def add(self, name: str, to: str = "") -> str:
        """Make a key for another service, and trust it; return its file, or for `-` the key."""
        if not NAME.fullmatch(name) or name in {member[0] for member in MEMBERS}:
            raise IdentityError(f"{name!r} is taken, or not a word of a-z, 0-9 and '-'.")
        key = new_key(name, SERVICE)
        if to == "-":
            self._trust(key)
            return orjson.dumps(written(key)).decode()
        path = Path(to) if to else self.folder / f"{name}.key"
        if path.exists():
            raise IdentityError(f"{path} is there already.")
        self._issue(key, path)
        return str(path)

    def rotate(self, path: Path) -> str:
        """Replace a private key by a new one that is trusted first; return the old one's id."""
        old = orjson.loads(path.read_text())
        self._issue(new_key(old["name"], old["purpose"]), path)
        return str(old["kid"])

    def drop(self, kid: str) -> None:
        """Trust a key no longer."""
        with self._alone():
            keys = self.trusted_keys()
            if kid not in {key["kid"] for key in keys}:
                raise IdentityError(f"No trusted key has the id {kid}.")
            self._write([key for key in keys if key["kid"] != kid])

    def _issue(self, key: Key, path: Path) -> None:
        """Trust a key, wait until all have seen it where it replaces one, and only then use it."""
        self._trust(key)
        if path.exists():
            time.sleep(2 * LOOK_EVERY_SECONDS)
        replace(path, orjson.dumps(written(key)), 0o600)

    def trusted_keys(self) -> list[dict[str, Any]]:
        """Return what is trusted."""
        if not self.trusted.exists():
            return []
        known = Watched(Source("TRUSTED_KEYS", path=self.trusted), trusted_keys).current()
        return [public(key) for key in known.values()]

    def _trust(self, key: Key) -> None:
        with self._alone():
            keys = self.trusted_keys()
            if key.kid not in {one["kid"] for one in keys}:
                self._write([*keys, public(key)])

    def _write(self, keys: list[dict[str, Any]]) -> None:
        replace(self.trusted, orjson.dumps({"keys": keys}, option=orjson.OPT_INDENT_2), 0o644)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other writers out for the length of a block."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / f"{TRUSTED}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole: its readers see the old one or the new one."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="parley_rpc.identities", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where trusted.json lies")
    commands = parser.add_subparsers(dest="command", required=True)
    complete = commands.add_parser("complete", help="make what Parley's own services need")
    complete.add_argument("places", nargs="*", help="<file>=<folder> puts a private key elsewhere")
    add = commands.add_parser("add", help="a key for a service of yours")
    add.add_argument("name")
    add.add_argument("--to", default="", help="the private key's file; - prints the key")
    commands.add_parser("rotate", help="use a new key instead").add_argument("file", type=Path)
    commands.add_parser("drop", help="trust a key no longer").add_argument("kid")
    commands.add_parser("list", help="what is trusted")
    shown = commands.add_parser("token", help="what a service shows, for a minute, for tools")
    shown.add_argument("file", type=Path)
    shown.add_argument("service", choices=SHOWN_TO, help="whom it is shown to")
    asked = parser.parse_args(words)
    try:
        for line in run(Keyring(asked.folder), asked):
            sys.stdout.write(f"{line}\n")
    except (IdentityError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def run(keyring: Keyring, asked: argparse.Namespace) -> Iterator[str]:
    """Do what is asked, and yield what to say of it."""
    match asked.command:
        case "complete":
            keyring.complete(asked.places)
        case "add":
            yield keyring.add(asked.name, asked.to)
        case "rotate":
            yield keyring.rotate(asked.file)
        case "drop":
            keyring.drop(asked.kid)
        case "token":
            yield Credential.of_file(asked.file).entry(asked.service)[1].removeprefix(SCHEME)
        case _:
            for key in keyring.trusted_keys():
                yield f"{key['kid']}  {key['purpose']}  {key['name']}"


if __name__ == "__main__":
    sys.exit(main())
