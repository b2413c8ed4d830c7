"""Starts and ends single processes so that none is ever left behind."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from pwd import struct_passwd
from typing import TypedDict

LOG_LIMIT = 5 * 1024 * 1024
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Identity(TypedDict, total=False):
    """The arguments of subprocess that say as whom a child runs."""

    user: int
    group: int
    extra_groups: list[int]


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    account: struct_passwd | None = None,
    farewell: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, so that Ctrl-C reaches its starter only.

    On Linux the kernel sends it `farewell` when its starter dies, however that happens. Elsewhere
    it outlives a starter that was killed with SIGKILL; the next start then finds its port taken.
    """
    _rotate(log)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the command is ours, never a user's words
            command,
            cwd="/" if account else None,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=leash(farewell),  # noqa: PLW1509 - prctl must run after fork and setuid
            **identity(account),
        )


def leash(farewell: signal.Signals) -> Callable[[], None] | None:
    """Asks the kernel, in the child, for a signal at the starter's death."""
    if _libc is None:
        return None
    libc, starter = _libc, os.getpid()

    def tie() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(farewell))
        if os.getppid() != starter:  # It died in between: nobody will ever send the signal.
            os._exit(1)

    return tie


def identity(account: struct_passwd | None) -> Identity:
    """Another user's, without our groups; ours when there is no account."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def end(process: subprocess.Popen[bytes], *signals: signal.Signals, grace: float = 10) -> None:
    """Sends one signal after the other, `grace` seconds apart, then kills the process's session."""
    for number in signals:
        process.send_signal(number)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            continue
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for a person who wonders why its process has ended."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _rotate(log: Path) -> None:
    """Keeps one older log, so that a service that dies again and again cannot fill the disk."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(f"{log.name}.1"))
