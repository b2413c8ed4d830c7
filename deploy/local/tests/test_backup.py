"""`parley backup` and `parley restore`, with stand-ins for the services and a real PostgreSQL."""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from parley_local.archive import connection
from parley_local.doctor.database import SCHEMAS
from parley_local.faults import StartError
from parley_local.postgres import EmbeddedPostgres
from parley_tests.database import fresh_database
from parley_tests.up import Up
from psycopg import sql

pytestmark = pytest.mark.integration

SECRET = "p@ss word/'\\"


def parley(up: Up, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parley_local", *arguments],
        cwd=up.root,
        env=up.environment | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fill(url: str) -> None:
    """What migrations and users would have made."""
    with psycopg.connect(url, autocommit=True) as owner:
        for schema in SCHEMAS:
            owner.execute(f"create schema if not exists {schema}".encode())
            owner.execute(f"create table {schema}.alembic_version (version_num text)".encode())
            table = sql.Identifier(schema, "alembic_version")
            owner.execute(sql.SQL("insert into {} values ('0001')").format(table))
        owner.execute("create table chat.words (word text)")
        owner.execute(
            "insert into chat.words select 'a word of ' || n from generate_series(1, 9) n"
        )


def backups(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if "backup" in file.name]


def words(url: str) -> int:
    with psycopg.connect(url) as owner:
        row = owner.execute("select count(*) from chat.words where word like 'a word%'").fetchone()
        return int(row[0]) if row else 0


def schemas(url: str) -> list[str]:
    with psycopg.connect(url) as owner:
        query = "select nspname from pg_namespace where nspname = any(%s) order by 1"
        return [name for (name,) in owner.execute(query, [list(SCHEMAS)])]


@pytest.fixture
def filled(up: Up, database_url: str) -> Up:
    fill(database_url)
    return up


@pytest.fixture
def empty(database_server: str) -> Iterator[str]:
    with fresh_database(database_server) as url:
        yield url


@pytest.fixture
def file(filled: Up) -> Path:
    """A backup of the filled database."""
    assert 0 == parley(filled, "backup", "the backup").returncode
    return filled.root / "the backup"


def test_it_goes_into_an_empty_database_and_comes_out_the_same(
    filled: Up, file: Path, empty: str
) -> None:
    done = parley(filled, "restore", str(file), "--output", "json", DATABASE_URL=empty)

    assert 0 == done.returncode, done.stderr
    assert dict.fromkeys(SCHEMAS, "0001") == json.loads(done.stdout)["schemas"]
    assert 9 == words(empty)


def test_it_is_its_owners_alone_and_nothing_else_is_left(filled: Up, file: Path) -> None:
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert ["the backup"] == backups(filled.root)


def test_what_is_there_is_replaced_when_asked_for_only(filled: Up, file: Path) -> None:
    file.write_text("something else")
    refused = parley(filled, "backup", "the backup")
    kept = file.read_text()
    forced = parley(filled, "backup", "the backup", "--force", "--output", "json")

    assert (1, "something else") == (refused.returncode, kept)
    assert "--force" in refused.stderr
    assert 0 == forced.returncode
    assert file.stat().st_size == json.loads(forced.stdout)["bytes"]


def test_what_fails_leaves_what_was_there(filled: Up, file: Path, database_url: str) -> None:
    before = file.read_bytes()
    with psycopg.connect(database_url) as owner:
        owner.execute("drop schema prompt cascade")
    done = parley(filled, "backup", "the backup", "--force")

    assert (1, before) == (done.returncode, file.read_bytes())
    assert "Not migrated: prompt." in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_one_that_is_stopped_leaves_nobody_at_work(
    filled: Up, database_url: str, number: signal.Signals
) -> None:
    """It waits for a table, as it would for a migration, when the signal comes."""
    command = [sys.executable, "-m", "parley_local", "backup", "the backup"]
    working = (
        "select from pg_stat_activity"
        " where application_name = 'pg_dump' and datname = current_database()"
    )
    with (
        psycopg.connect(database_url) as other,
        psycopg.connect(database_url, autocommit=True) as owner,
    ):
        other.execute("lock table chat.words in access exclusive mode")
        process = subprocess.Popen(command, cwd=filled.root, env=filled.environment)
        waiting = working + " and wait_event_type = 'Lock'"
        filled.wait_for(lambda: owner.execute(waiting.encode()).rowcount)
        process.send_signal(number)
        assert process.wait(10)
        filled.wait_for(lambda: not owner.execute(working.encode()).rowcount)

    left = backups(filled.root)
    assert "the backup" not in left
    assert number == signal.SIGKILL or not left


def test_only_an_empty_database_is_restored_into(filled: Up, file: Path, empty: str) -> None:
    with psycopg.connect(empty) as owner:
        owner.execute("create schema gateway")
    done = parley(filled, "restore", str(file), DATABASE_URL=empty)

    assert 1 == done.returncode
    assert "The database is not empty: it holds gateway." in done.stderr
    assert ["gateway"] == schemas(empty)


def test_services_have_to_be_stopped(filled: Up, file: Path, empty: str) -> None:
    with psycopg.connect(empty, application_name="parley_chat"):
        done = parley(filled, "restore", str(file), DATABASE_URL=empty)

    assert (1, []) == (done.returncode, schemas(empty))
    assert "Services are running on this database (parley_chat)" in done.stderr


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_file_that_was_cut_leaves_the_database_empty(
    filled: Up, file: Path, empty: str, keep: float
) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * keep)])
    done = parley(filled, "restore", str(file), DATABASE_URL=empty)

    assert (1, []) == (done.returncode, schemas(empty))
    assert done.stderr.startswith("pg_restore failed: ")


def test_another_file_is_refused(filled: Up, empty: str) -> None:
    (filled.root / "a file").write_text("No archive")
    done = parley(filled, "restore", "a file", DATABASE_URL=empty)

    assert (1, "a file is not a backup") == (done.returncode, done.stderr[:22])


def test_a_failing_migration_says_that_the_data_are_there(
    filled: Up, file: Path, empty: str
) -> None:
    done = parley(filled, "restore", str(file), DATABASE_URL=empty, STAND_IN_FAILS="prompt")

    assert (1, 9) == (done.returncode, words(empty))
    assert "is restored, but not up to date. The migration of prompt failed" in done.stderr


def test_a_database_that_is_away_is_told_without_its_password(up: Up) -> None:
    url = "postgresql://parley:hidden@127.0.0.1:1/parley"
    done = parley(up, "backup", "the backup", DATABASE_URL=url)

    assert 1 == done.returncode
    assert "127.0.0.1" in done.stderr
    assert "hidden" not in done.stderr + done.stdout
    assert not (up.root / "the backup").exists()


def test_the_embedded_database_whether_it_runs_or_not(up: Up) -> None:
    del up.environment["DATABASE_URL"]
    up.start("--no-ui").wait_until_ready()
    fill(EmbeddedPostgres(up.home).url)
    running = parley(up, "backup", "one")
    refused = parley(up, "restore", "one")
    assert 0 == up.stop()
    stopped = parley(up, "backup", "two", "--output", "json")
    elsewhere = parley(up, "restore", "two", PARLEY_HOME=str(up.root / "other"))

    assert [0, 0, 0] == [done.returncode for done in (running, stopped, elsewhere)], elsewhere
    assert (1, True) == (refused.returncode, "Stop it first" in refused.stderr)
    assert f"{up.home}/key.pepper: without it all keys of users are void" in running.stdout
    assert [True] * 3 == [one["there"] for one in json.loads(stopped.stdout)["apart"]]
    assert f"{up.root}/other/key.pepper is not there" in elsewhere.stderr
    secrets = [(up.home / name).read_text().strip() for name in ("key.pepper", "admin.key")]
    said = "".join(done.stdout + done.stderr for done in (running, stopped, elsewhere))
    assert not any(secret in said for secret in secrets)
    with EmbeddedPostgres(up.root / "other").running() as url:
        assert 9 == words(url)


def test_no_secret_is_an_argument() -> None:
    conninfo = psycopg.conninfo.make_conninfo(
        host="db", password=SECRET, dbname="parley", keepalives_idle=7
    )
    reached = connection(conninfo, {"PGPASSFILE": "/f", "HOME": "/h", "OPENAI_API_KEY": "sk"})

    assert ("--dbname", "keepalives_idle=7") == reached.arguments
    assert SECRET == reached.environment["PGPASSWORD"]
    assert ("/f", "/h") == (reached.environment["PGPASSFILE"], reached.environment["HOME"])
    assert "OPENAI_API_KEY" not in reached.environment
    with pytest.raises(StartError, match="sslpassword"):
        connection("sslpassword=hidden", {})
