"""A real PostgreSQL for the tests: one server for each worker, one empty database for each test."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
from parley_local.faults import StartError
from parley_local.postgres import EmbeddedPostgres
from psycopg import sql

from parley_tests.settings import TestSettings

IMAGE = "postgres:17"
PREFIX = "parley_test_"


@contextmanager
def server(*, durable: bool) -> Iterator[str]:
    """The URL of a server: the one that is given, else a container, else the embedded one."""
    given = TestSettings().database_url
    if given:
        yield given.get_secret_value()
    elif _docker_answers():
        with _container() as url:
            yield url
    else:
        with _embedded(durable=durable) as url:
            yield url


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database of its own, for the length of a block."""
    name = f"{PREFIX}{uuid.uuid4().hex}"
    _execute(server_url, "create database {} template template0", name)
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        _execute(server_url, "drop database {} with (force)", name)


def _execute(url: str, statement: LiteralString, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    command = [docker, "info"]
    try:
        return not subprocess.run(command, capture_output=True, timeout=5, check=False).returncode
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def _container() -> Iterator[str]:
    # Imported where it is used: it takes more than a second, and most runs do without.
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - see above

    with PostgresContainer(IMAGE, driver=None) as container:
        yield container.get_connection_url()


@contextmanager
def _embedded(*, durable: bool) -> Iterator[str]:
    """The embedded server, in the first home that no other worker holds.

    The homes outlive the run, so only the first one ever pays for making the data. A worker that
    is killed takes its server along, and leaves a home that the next run finds free.
    """
    with ExitStack() as stack:
        home = stack.enter_context(_home())
        postgres = EmbeddedPostgres(home, durable=durable)
        try:
            url = stack.enter_context(postgres.running())
        except StartError:  # Data of another PostgreSQL, or spoilt by a power cut: begin anew.
            shutil.rmtree(home)
            url = stack.enter_context(EmbeddedPostgres(home, durable=durable).running())
        _drop_leftovers(url)
        yield url


def _drop_leftovers(url: str) -> None:
    """Drops the databases of a run that was killed."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select datname from pg_database where datname like %s", [f"{PREFIX}%"]
        )
        names = [name for (name,) in found]
    for name in names:
        _execute(url, "drop database {} with (force)", name)


@contextmanager
def _home() -> Iterator[Path]:
    homes = Path(tempfile.gettempdir()) / f"parley-tests-{os.geteuid()}"
    homes.mkdir(mode=0o711, exist_ok=True)
    for number in count():
        with (homes / f"{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield homes / str(number)
            return
