"""What the services' roles may do, as PostgreSQL tells it: nobody forgets a new table.

A table that is not named below holds users' rows: it has row-level security, and a policy for each
role that may use it. `migrations/rights.py` of its service says which may, and its migration which
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from parley_local.archive import ROLES as ARCHIVED
from parley_tests.database import fresh_database
from parley_tests.migrating import migrated
from parley_tests.platform import SERVICES
from parley_tests.pools import PACKAGES, module_of
from psycopg import errors, sql

pytestmark = pytest.mark.integration

# Nobody's rows, and why.
NOBODYS = {
    "chat.alembic_version": "the schema's",
    "chat.workers": "of processes",
    "gateway.alembic_version": "the schema's",
    "prompt.alembic_version": "the schema's",
    "provider.alembic_version": "the schema's",
    "provider.model_aliases": "the administrators'",
    "provider.provider_configs": "the administrators'",
    "provider.provider_models": "the vendors'",
    "provider.workers": "of processes",
}
# Names of columns by which a row is somebody's.
WHOSE = ["owner_id", "user_id", "key_id", "subject", "scope"]
# They act as the owner of everything, so each has been looked at.
DEFINERS = ["provider.ensure_usage_partitions"]
SCHEMAS = [module_of(package).SCHEMA for package in PACKAGES]
ROLES = {
    role: module_of(package).SCHEMA for package in PACKAGES for role in module_of(package).ROLES
}
VALUES = {"schemas": SCHEMAS, "roles": list(ROLES), "nobodys": list(NOBODYS), "whose": WHOSE}
OURS = """
with ours as (
    select c.oid, n.nspname as schema, n.nspname || '.' || c.relname as name, c.relrowsecurity,
           c.relforcerowsecurity, c.relispartition, c.relowner
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm', 'f')),
granted as (
    select a.table_schema || '.' || a.table_name as name, a.grantee, a.table_schema as schema,
           upper(a.privilege_type) as verb
      from information_schema.table_privileges a
    union
    select a.table_schema || '.' || a.table_name, a.grantee, a.table_schema, a.privilege_type
      from information_schema.column_privileges a),
policy as (
    select schemaname || '.' || tablename as name, unnest(roles)::text as grantee,
           coalesce(qual, '') || coalesce(with_check, '') as rows
      from pg_policies where schemaname = any(%(schemas)s))
"""
# Each finds what must not be.
WRONGS = {
    "holds users' rows and has no row-level security": """
        select name from ours
         where not relrowsecurity and not relispartition and name <> all(%(nobodys)s)""",
    "is somebody's by a column, and is said to be nobody's": """
        select name from ours join pg_attribute a on a.attrelid = ours.oid
         where name = any(%(nobodys)s) and attname = any(%(whose)s)""",
    "has rights and no policy": """
        select distinct g.grantee || ' on ' || name from granted g join ours using (name)
         where g.grantee = any(%(roles)s) and relrowsecurity
           and not exists (select from policy p where p.name = ours.name
                              and p.grantee = g.grantee)""",
    "has a policy and no rights": """
        select grantee || ' on ' || name from policy p
         where not exists (select from granted g where g.name = p.name
                              and g.grantee = p.grantee)""",
    "shows users' rows to whoever acts for nobody": """
        select grantee || ' on ' || name from policy
         where grantee not like '%%\\_jobs' and rows !~ 'app\\.user|FROM chat\\.messages'""",
    "is read past its policies: a partition has rights of its own": """
        select g.grantee || ' on ' || name from granted g join ours using (name)
         where relispartition and g.grantee = any(%(roles)s)""",
    "is everybody's": """
        select g.verb || ' on ' || name from granted g join ours using (name)
         where g.grantee = 'PUBLIC'""",
    "has more than the rights to rows": """
        select g.grantee || ': ' || g.verb || ' on ' || name from granted g
         where g.grantee = any(%(roles)s)
           and g.verb not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')""",
    "changes what only migrations may": """
        select g.grantee from granted g
         where g.grantee = any(%(roles)s) and g.name like '%%.alembic_version'
           and g.verb <> 'SELECT'""",
    "binds its owner too, who could make no backup then": """
        select name from ours where relforcerowsecurity""",
    "belongs to a service": """
        select pg_describe_object(classid, objid, 0) from pg_shdepend d
          join pg_roles r on r.oid = d.refobjid
         where r.rolname = any(%(roles)s) and deptype = 'o'""",
    "is more than a role without rights of its own": """
        select rolname from pg_roles
         where rolname = any(%(roles)s) and (rolsuper or rolbypassrls or rolcreaterole
            or rolcreatedb or rolreplication or rolcanlogin)""",
    "is a member of another": """
        select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.member
         where r.rolname = any(%(roles)s)""",
    "acts as the owner of everything": """
        select pronamespace::regnamespace || '.' || proname from pg_proc
         where prosecdef and pronamespace::regnamespace::text = any(%(schemas)s)""",
    "may be called by anybody and acts as the owner": """
        select proname from pg_proc where prosecdef
           and pronamespace::regnamespace::text = any(%(schemas)s)
           and has_function_privilege('public', oid, 'execute')""",
}


@pytest.fixture(scope="module")
def url(database_server: str) -> Iterator[str]:
    """A database with the schemas of all services."""
    with fresh_database(database_server) as url:
        migrated(url, *SERVICES)
        yield url


def wrongs(owner: psycopg.Connection) -> dict[str, list[str]]:
    """Return what must not be, by what is wrong with it."""
    found = {}
    for words, query in WRONGS.items():
        rows = owner.execute((OURS + query).encode(), VALUES).fetchall()
        found[words] = sorted(name for (name,) in rows)
    return {words: names for words, names in found.items() if names}


def test_every_table_has_its_policies_and_every_role_its_rights_and_no_others(url: str) -> None:
    with psycopg.connect(url) as owner:
        assert {"acts as the owner of everything": DEFINERS} == wrongs(owner)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("create table chat.more (owner_id uuid)", "holds users' rows and has no row-level"),
        ("alter table chat.chats disable row level security", "holds users' rows and has no row-"),
        ("alter table chat.workers add owner_id uuid", "is somebody's by a column"),
        ("drop policy own on chat.chats", "has rights and no policy"),
        ("create policy more on chat.attachments to parley_chat_jobs", "has a policy and no"),
        ("create policy more on chat.chats to parley_chat using (true)", "shows users' rows"),
        ("grant select on provider.provider_usage_default to parley_provider", "is read past"),
        ("grant select on chat.chats to public", "is everybody's"),
        ("grant truncate on chat.chats to parley_chat", "has more than the rights to rows"),
        ("grant update on chat.alembic_version to parley_chat", "changes what only migrations"),
        ("grant parley_chat_jobs to parley_chat", "is a member of another"),
        ("alter table chat.chats force row level security", "binds its owner too"),
        (
            "create function chat.f() returns int language sql security definer return 1",
            "may be called by anybody",
        ),
    ],
)
def test_what_is_wrong_is_found(url: str, statement: str, words: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute(statement.encode())
        found = wrongs(owner)
        owner.rollback()

    assert any(wrong.startswith(words) for wrong in found), found


@contextmanager
def acting_as(url: str, role: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, options=f"-c role={role}", autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_its_own_schema_alone(url: str, role: str) -> None:
    with acting_as(url, role) as connection:
        query = "select nspname from pg_namespace where nspname = any(%s)"
        able = f"{query} and has_schema_privilege(oid, %s) order by 1".encode()
        every = [*SCHEMAS, "public"]
        used = [name for (name,) in connection.execute(able, [SCHEMAS, "usage"])]
        assert [ROLES[role]] == used
        assert [] == connection.execute(able, [every, "create"]).fetchall()
        for schema in set(SCHEMAS) - {ROLES[role]}:
            table = sql.Identifier(schema, "alembic_version")
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(sql.SQL("select from {}").format(table))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_changes_no_schema_and_no_policy(url: str, role: str) -> None:
    schema = ROLES[role]
    table = {"chat": "chats", "gateway": "users", "prompt": "system_prompts"}
    name = f"{schema}.{table.get(schema, 'provider_usage')}"
    with acting_as(url, role) as connection:
        for statement in (
            f"create table {schema}.more (id int)",
            f"alter table {name} disable row level security",
            f"create policy more on {name} using (true)",
            f"alter table {name} add more int",
            f"drop table {name}",
            f"truncate {name}",
            "create schema more",
            "create role more",
            # As the tables' owner does to see everything: others are refused instead.
            f"set row_security = off; select from {name}",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_restored_backup_finds_every_role(url: str) -> None:
    assert sorted(ARCHIVED) == sorted(ROLES)
