"""The home: one holder at a time, and a file that says what the holder runs."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from parley_local.child import Child
from parley_local.faults import StartError

STATE = "state.json"


def make_home(home: Path) -> None:
    """Makes the folder. Root's may be passed through: PostgreSQL runs as another account there."""
    home.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Holds the home for the length of a block; raises `StartError` when somebody else does."""
    make_home(home)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"Parley already runs on {home}{_holder(home)}. Stop it first, or set PARLEY_HOME."
            ) from error
        yield


def is_held(home: Path) -> bool:
    """Whether somebody holds the home just now."""
    try:
        with hold(home):
            return False
    except StartError:
        return True


def write_state(
    home: Path, *, ready: bool, urls: Mapping[str, str], children: Sequence[Child]
) -> None:
    """Says what runs: readers see the old file or the new one, never a part. It holds no secret."""
    processes = {child.name: {"pid": child.pid, "starts": child.starts} for child in children}
    state = {"pid": os.getpid(), "ready": ready, "urls": urls, "processes": processes}
    unfinished = home / f"{STATE}.new"
    unfinished.write_text(json.dumps(state, indent=2) + "\n")
    unfinished.replace(home / STATE)


def remove_state(home: Path) -> None:
    """Says that nothing runs."""
    (home / STATE).unlink(missing_ok=True)


def _holder(home: Path) -> str:
    try:
        return f" (process {json.loads((home / STATE).read_text())['pid']})"
    except (FileNotFoundError, ValueError, KeyError):
        return ""
