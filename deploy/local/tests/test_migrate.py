"""`parley migrate`, with stand-ins for the services and a real PostgreSQL."""

import subprocess
import sys

import psycopg
import pytest
from parley_local.doctor.database import SCHEMAS
from parley_local.postgres import EmbeddedPostgres
from parley_tests.up import Up

pytestmark = pytest.mark.integration


def migrate(up: Up) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parley_local", "migrate"],
        cwd=up.root,
        env=up.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def schemas(url: str) -> list[str]:
    query = "select nspname from pg_namespace where nspname = any(%s) order by 1"
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute(query, [list(SCHEMAS)])]


def test_an_outside_database(up: Up, database_url: str) -> None:
    done = migrate(up)
    assert (done.returncode, done.stdout) == (0, "The schemas are up to date.\n")
    assert schemas(database_url) == list(SCHEMAS)


def test_a_failure_is_told_and_is_1(up: Up) -> None:
    up.environment["STAND_IN_FAILS"] = "gateway"
    done = migrate(up)
    assert done.returncode == 1
    assert "The migration of gateway failed:\ngateway was told to fail" in done.stderr


def test_the_embedded_database_whether_it_runs_or_not(up: Up) -> None:
    del up.environment["DATABASE_URL"]
    assert migrate(up).returncode == 0
    up.start("--no-ui").wait_until_ready()
    postgres = EmbeddedPostgres(up.home)
    with psycopg.connect(postgres.url) as connection:
        connection.execute("drop schema chat")
    assert migrate(up).returncode == 0
    assert schemas(postgres.url) == list(SCHEMAS)
    assert up.state()["pid"] == up.process.pid
