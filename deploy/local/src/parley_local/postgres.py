"""The embedded PostgreSQL: the wheel's own programs, on a unix socket, behind a password.

The wheel's Python class is not used: it breaks on a space in the path, trusts everybody who can
reach the socket, and stops the server at a normal exit only.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from parley_local.faults import StartError
from parley_local.home import make_home
from parley_local.placement import Placement, make_socket_folder, place, socket_folder
from parley_local.processes import end, identity, launch, tail
from parley_local.secret_files import keep, read

ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    # A failing statement or a violated constraint would put what users wrote into the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # It would be in the way of dropping a database, and an owner may not end it.
    "autovacuum": "off",
}
OWNER = "parley"
HOST_BASED_ACCESS = """\
local all postgres reject
local all all scram-sha-256
"""
START_SECONDS = 30


class EmbeddedPostgres:
    """The one server of a home. Two processes must not start it at once: `parley up` holds a lock.

    `durable=False` trades safety in a power cut for speed: for tests.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        """Takes the folder that keeps the data and the password; it is made when it is missing."""
        self._home = home.resolve()
        self._durable = durable
        self._password_file = self._home / "postgres.password"
        self.log = self._home / "logs" / "postgres.log"

    @property
    def url(self) -> str:
        """Where clients connect, as the owner of the database; known once it was started."""
        password = read(self._password_file) or ""
        return f"postgresql://{OWNER}:{password}@/parley?host={quote(str(self._sockets), safe='')}"

    @cached_property
    def _sockets(self) -> Path:
        return socket_folder(self._home)

    @cached_property
    def _placement(self) -> Placement:
        make_home(self._home)
        return place(self._home)

    def launch(self) -> subprocess.Popen[bytes]:
        """Makes the data if there are none, ends a server that outlived its starter, starts one."""
        if not (self._placement.data / "PG_VERSION").exists():
            self._initialise()
        self._end_leftover()
        make_socket_folder(self._sockets, self._placement.account)
        options = SETTINGS | ({} if self._durable else NOT_DURABLE)
        options["unix_socket_directories"] = str(self._sockets)
        return launch(
            [
                self._placement.programs / "postgres",
                "-D",
                self._placement.data,
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            log=self.log,
            env=ENVIRONMENT,
            account=self._placement.account,
            farewell=signal.SIGINT,
        )

    @property
    def stamp(self) -> Path:
        """A file among the data: what they were last migrated by, so that it goes where they go."""
        return self._placement.data / "parley.migrated"

    def answers(self) -> bool:
        """Whether the server takes the owner's connections."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stops the server: fast, which rolls open transactions back; then at once."""
        end(process, signal.SIGINT, signal.SIGQUIT)
        with suppress(OSError):
            self._sockets.rmdir()

    @contextmanager
    def running(self) -> Iterator[str]:
        """Runs the server for the length of a block, which is given the URL."""
        process = self.launch()
        give_up = time.monotonic() + START_SECONDS
        try:
            while not self.answers():
                if process.poll() is not None or time.monotonic() > give_up:
                    raise StartError(f"PostgreSQL does not answer:\n{tail(self.log)}")
                time.sleep(0.02)
            yield self.url
        finally:
            self.stop(process)

    def _initialise(self) -> None:
        """Makes the data beside their place and moves them there: whole or not at all.

        Nobody can be the superuser. The owner may make roles and databases, like the owner that
        is asked of an outside PostgreSQL.
        """
        data = self._placement.data
        unfinished = data.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._run(
            "initdb",
            f"--pgdata={unfinished}",
            "--username=postgres",
            "--auth=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *([] if self._durable else ["--no-sync"]),
        )
        (unfinished / "pg_hba.conf").write_text(HOST_BASED_ACCESS)
        password = keep(self._password_file).value
        self._run(
            "postgres",
            "--single",
            "-D",
            str(unfinished),
            "postgres",
            words=f"create role {OWNER} login createrole createdb password '{password}'\n"
            f"create database parley owner {OWNER}\n",
        )
        unfinished.rename(data)

    def _run(self, program: str, *arguments: str, words: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - the wheel's programs, with our words
            [self._placement.programs / program, *arguments],
            cwd="/",
            env=ENVIRONMENT,
            input=words.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **identity(self._placement.account),
        )
        if done.returncode:
            raise StartError(f"{program} failed: {done.stdout.decode(errors='replace')}")

    def _end_leftover(self) -> None:
        """Ends the server of a starter that was killed, if it is still there.

        PostgreSQL refuses to start while *any* process has the number in its pid file, and in a
        container the number of yesterday's server is somebody else's today. The file must stay
        all the same, for it names the memory that backends of a dead server may still use. So such
        a number is replaced by ours: PostgreSQL disregards that of its own starter.
        """
        pid_file = self._placement.data / "postmaster.pid"
        try:
            number, rest = pid_file.read_text().split("\n", 1)
            process = psutil.Process(int(number))
            if str(self._placement.data) in process.cmdline():
                process.send_signal(signal.SIGINT)
                process.wait(START_SECONDS)
            else:
                pid_file.write_text(f"{os.getpid()}\n{rest}")
        except (FileNotFoundError, psutil.NoSuchProcess):
            return  # None is left, or PostgreSQL will see by itself that it is dead.
        except ValueError:
            pid_file.unlink()  # Cut short by a power cut, which no backend has outlived.
