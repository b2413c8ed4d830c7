"""The embedded PostgreSQL: with real servers, as root where the tests run as root."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import pytest
from parley_local.placement import place
from parley_local.postgres import EmbeddedPostgres
from parley_local.processes import identity

pytestmark = pytest.mark.integration

START = """
import os, pwd, sys, time
from pathlib import Path
import psycopg
from parley_local.placement import place
from parley_local.postgres import EmbeddedPostgres
from parley_local.processes import identity
account = pwd.getpwnam(sys.argv[2]) if len(sys.argv) > 2 else None
if account:  # Here and not before the start, for the interpreter may lie in root's home.
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
with EmbeddedPostgres(Path(sys.argv[1]), durable=False).running() as url:
    print(psycopg.connect(url).execute("select 'it runs'").fetchone()[0], flush=True)
    time.sleep(0 if account else 60)
"""


@pytest.fixture
def postgres(home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, durable=False)


def answering(postgres: EmbeddedPostgres) -> "subprocess.Popen[bytes]":
    """Starts the server and returns it when it answers; fails with its log when it ends."""
    process = postgres.launch()
    while not postgres.answers():
        assert process.poll() is None, postgres.log.read_text()
        time.sleep(0.02)
    return process


def fetch(url: str, query: LiteralString) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()


def test_runs_in_a_folder_with_a_space_in_its_name(server: EmbeddedPostgres) -> None:
    assert fetch(server.url, "select current_database(), current_user") == ("parley", "parley")
    assert " " in str(server.log)


def test_its_owner_may_make_roles_but_is_no_superuser(server: EmbeddedPostgres) -> None:
    query = "select rolcreaterole, rolsuper from pg_roles where rolname = current_user"
    assert fetch(server.url, query) == (True, False)


def test_listens_on_a_socket_only_and_for_many(server: EmbeddedPostgres) -> None:
    query = "select current_setting('listen_addresses'), current_setting('max_connections')::int"
    assert fetch(server.url, query) == ("", 300)


def test_wants_the_password(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url, password="wrong")


def test_nobody_can_be_the_superuser(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        psycopg.connect(server.url, user="postgres")


def test_only_its_owner_can_read_the_password(server: EmbeddedPostgres) -> None:
    mode = (server.log.parents[1] / "postgres.password").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_failing_statement_leaves_no_words_in_the_log(server: EmbeddedPostgres) -> None:
    with (
        psycopg.connect(server.url) as connection,
        pytest.raises(psycopg.errors.InvalidTextRepresentation),
    ):
        connection.execute("select 'a private sentence', 'x'::int")
    assert "private" not in server.log.read_text()


def test_keeps_data_and_password_over_a_restart(postgres: EmbeddedPostgres) -> None:
    with postgres.running() as first, psycopg.connect(first) as connection:
        connection.execute("create table kept as select 7 as number")
    with postgres.running() as second:
        assert fetch(second, "select number from kept") == (7,)
    assert second == first


def test_stops_with_a_connection_open_and_leaves_no_socket(postgres: EmbeddedPostgres) -> None:
    process = postgres.launch()
    while not postgres.answers():
        time.sleep(0.02)
    connection = psycopg.connect(postgres.url)
    postgres.stop(process)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    assert (process.returncode, postgres.answers()) == (0, False)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's parent-death signal")
def test_ends_when_its_starter_is_killed(home: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", START, home], stdout=subprocess.PIPE)
    assert starter.stdout
    assert starter.stdout.readline() == b"it runs\n"
    server = psutil.Process(starter.pid).children()[0]
    starter.kill()
    starter.communicate()
    server.wait(10)


def test_takes_over_from_a_server_that_outlived_its_starter(
    postgres: EmbeddedPostgres, home: Path
) -> None:
    orphan = answering(postgres)
    with EmbeddedPostgres(home, durable=False).running() as url:
        assert fetch(url, "select 1") == (1,)
    assert orphan.wait(10) == 0


@pytest.fixture
def killed(postgres: EmbeddedPostgres, home: Path) -> Path:
    """The pid file of a server that was killed, and so could not remove it."""
    process = answering(postgres)
    process.kill()
    process.wait()
    return home / "postgres" / "data" / "postmaster.pid"


def test_comes_back_after_a_kill(postgres: EmbeddedPostgres, killed: Path) -> None:
    assert killed.exists()
    with postgres.running() as url:
        assert fetch(url, "select 1") == (1,)


def test_a_pid_that_is_somebody_elses_by_now_is_no_obstacle(
    postgres: EmbeddedPostgres, home: Path, killed: Path
) -> None:
    account = place(home).account
    stranger = subprocess.Popen(["/bin/sleep", "60"], **identity(account))
    lines = killed.read_text().splitlines(keepends=True)
    killed.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
    with postgres.running() as url:
        assert fetch(url, "select 1") == (1,)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_an_empty_pid_file_is_no_obstacle(postgres: EmbeddedPostgres, killed: Path) -> None:
    killed.write_text("")
    with postgres.running() as url:
        assert fetch(url, "select 1") == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_runs_as_an_ordinary_user(root: Path, home: Path) -> None:
    root.chmod(0o777)
    command = [sys.executable, "-c", START, str(home), "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("it runs\n", 0), done.stderr
    assert (home / "postgres" / "data").owner() == "nobody"
