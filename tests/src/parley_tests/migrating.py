"""Migrations as processes of their own, and what a schema is made of."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from pydantic import SecretStr

SECONDS = 60.0

# Every object of a schema in words, its rights included; not in which order it was made.
OBJECTS = """
select 'table ' || c.relname || ' ' || c.relkind::text || ' '
       || case when c.relrowsecurity then 'isolated ' else '' end || coalesce(array_to_string(
           array(select a::text from unnest(c.relacl) a order by 1), ' '), '')
  from pg_class c where c.relnamespace = to_regnamespace(%(schema)s)
union all
select 'column ' || c.relname || '.' || a.attname || ' ' || a.attnum || ' '
       || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attstorage::text
       || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || coalesce(array_to_string(
           array(select r::text from unnest(a.attacl) r order by 1), ' '), '')
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p')
   and c.relnamespace = to_regnamespace(%(schema)s)
union all
select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid)
  from pg_constraint where connamespace = to_regnamespace(%(schema)s)
union all
select 'index ' || indexdef from pg_indexes where schemaname = %(schema)s
union all
select concat_ws(' ', 'policy', policyname, tablename, permissive, roles, cmd, qual, with_check)
  from pg_policies where schemaname = %(schema)s
union all
select 'function ' || pg_get_functiondef(oid) || coalesce(proacl::text, '')
  from pg_proc where pronamespace = to_regnamespace(%(schema)s)
union all
select 'schema ' || coalesce(array_to_string(
           array(select a::text from unnest(nspacl) a order by 1), ' '), '')
  from pg_namespace where nspname = %(schema)s
 order by 1"""


def schema_of(service: str) -> str:
    """Return the schema that a service owns."""
    return service.removesuffix("_service")


def objects(url: str, schema: str) -> list[str]:
    """Return a line for everything in a schema; none when it is not there."""
    with psycopg.connect(url) as connection:
        return [line for (line,) in connection.execute(OBJECTS, {"schema": schema})]


def version(url: str, schema: str) -> list[str]:
    """Return the rows of its alembic_version; none also when there is no such table."""
    with psycopg.connect(url, autocommit=True) as connection:
        table = f"{schema}.alembic_version"
        if connection.execute("select to_regclass(%s)", [table]).fetchone() == (None,):
            return []
        query = sql.SQL("select version_num from {}").format(
            sql.Identifier(schema, "alembic_version")
        )
        return [number for (number,) in connection.execute(query)]


def upgrade_of(service: str) -> Any:
    """Return the module that migrates a service."""
    return importlib.import_module(f"parley_{service}.migrations.upgrade")


def prepared(url: str, service: str, target: str = "head") -> None:
    """Bring a schema to a revision and do nothing after it."""
    module = upgrade_of(service)
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in module.prerequisites(owner):
            module.provide(owner, statement)
        module.upgrade(owner, target)


def migrated(url: str, *services: str) -> None:
    """Migrate within this process, from the beginning to the end: faster than by another one."""
    for service in services:
        module = upgrade_of(service)
        admission = {"API_KEY": "k", "KEY_PEPPER": "p" * 32} if service == "gateway" else {}
        assert 0 == module.migrate(module.Settings(DATABASE_URL=SecretStr(url), **admission))


def start_migrate(service: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the migration of one service; what it says can be read from its `stdout`."""
    return subprocess.Popen(
        [sys.executable, "-m", f"parley_{service}", "migrate"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def said(process: subprocess.Popen[bytes]) -> str:
    """Wait for its end, which has to be a good one; return what it said."""
    output = process.communicate(timeout=SECONDS)[0].decode()
    assert 0 == process.returncode, output
    return output


@contextmanager
def ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave none of them running after a block."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def wait_for(what: Callable[[], Any]) -> Any:
    """Return what something has become, once that is true."""
    give_up = time.monotonic() + SECONDS
    while not (found := what()):
        if time.monotonic() > give_up:
            raise TimeoutError("it did not happen")
        time.sleep(0.005)
    return found
