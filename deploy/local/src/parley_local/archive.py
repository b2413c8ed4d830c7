"""Backups: what PostgreSQL's own `pg_dump` writes and `pg_restore` reads, of our schemas alone."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import psycopg
from psycopg import errors, pq, sql
from psycopg.conninfo import make_conninfo

from parley_local.doctor.database import SCHEMAS
from parley_local.faults import StartError
from parley_local.placement import programs
from parley_local.processes import end, leash

MAJOR = 18  # Of the programs that the wheel carries.
LOCK_SECONDS = 30  # A migration may hold a table; a backup waits for it no longer than this.
OLDEST_TARGET = 17  # Older servers do not know what `pg_restore` sets first.
MAGIC = b"PGDMP"
# What services act as. A backup names them, in rights and in policies.
ROLES = (
    "parley_chat",
    "parley_chat_jobs",
    "parley_gateway",
    "parley_gateway_jobs",
    "parley_prompt",
    "parley_provider",
    "parley_provider_jobs",
)
CONNECTED = """
select distinct application_name from pg_stat_activity
 where datname = current_database() and application_name = any(%s) order by 1"""


@dataclass(frozen=True)
class Connection:
    """How the programs reach a database: nothing of it stands among their arguments."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def connection(conninfo: str, inherited: Mapping[str, str]) -> Connection:
    """Put all that there is a variable for into the environment; `inherited` is for the rest.

    Raises `StartError` when a secret would have to be an argument.
    """
    known = {"PATH": os.defpath, "LC_ALL": "C"}
    known |= {k: v for k, v in inherited.items() if k == "HOME" or k.startswith("PG")}
    rest = {}
    for option in pq.Conninfo.parse(conninfo.encode()):
        if option.val is None:
            continue
        name, value = option.keyword.decode(), option.val.decode()
        if option.envvar:
            known[option.envvar.decode()] = value
        elif option.dispchar == b"*":
            raise StartError(f"Put {name} into a service file (PGSERVICEFILE), not into the URL.")
        else:
            rest[name] = value
    return Connection(("--dbname", make_conninfo(**rest)) if rest else (), known)


def revisions(url: str) -> dict[str, str]:
    """The revision of each schema that is there; of none when it was never migrated."""
    with psycopg.connect(url, autocommit=True) as owner:
        found = {}
        for schema in _schemas(owner):
            table = f"{schema}.alembic_version"
            if owner.execute("select to_regclass(%s)", [table]).fetchone() != (None,):
                query = sql.SQL("select max(version_num) from {}")
                row = owner.execute(
                    query.format(sql.Identifier(schema, "alembic_version"))
                ).fetchone()
                found[schema] = str(row[0]) if row and row[0] else ""
    return found


def write(url: str, file: Path, inherited: Mapping[str, str], *, force: bool) -> dict[str, str]:
    """Writes a backup, whole or not at all, and returns the revisions of the schemas.

    Raises `StartError` when it cannot; a file of that name is then what it was before.
    """
    _refuse_existing(file, force=force)
    with psycopg.connect(url, autocommit=True) as owner:
        major = owner.info.server_version // 10_000
    if major > MAJOR:
        raise StartError(
            f"The server is PostgreSQL {major}, and the pg_dump that comes with Parley is {MAJOR}. "
            f"Use a pg_dump of {major}, with the arguments that are in deploy/README.md."
        )
    known = revisions(url)
    missing = [schema for schema in SCHEMAS if not known.get(schema)]
    if missing:
        raise StartError(f"Not migrated: {', '.join(missing)}. Run `parley migrate` first.")
    with _unfinished(file) as unfinished:
        arguments = [
            "--format=custom",
            "--strict-names",
            *(f"--schema={schema}" for schema in SCHEMAS),
            f"--lock-wait-timeout={LOCK_SECONDS}s",
            f"--file={unfinished}",
        ]
        _run("pg_dump", arguments, connection(url, inherited))
        _refuse_existing(file, force=force)
        unfinished.replace(file)
    _keep_name(file)
    return known


def read(url: str, file: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Reads a backup into a database without our schemas: all of it or nothing.

    Returns the revisions that were in it. Raises `StartError` when it cannot.
    """
    with file.open("rb") as archive:
        if archive.read(len(MAGIC)) != MAGIC:
            raise StartError(f"{file} is not a backup that `parley backup` has made.")
    with psycopg.connect(url, autocommit=True) as owner:
        _refuse_target(owner)
        _make_roles(owner)
    arguments = ["--no-owner", "--single-transaction", "--exit-on-error", str(file)]
    target = connection(url, inherited)
    # Without a name of the database it would write to stdout.
    named = target.arguments or ("--dbname", "")
    _run("pg_restore", arguments, Connection(named, target.environment))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("analyze")
    return revisions(url)


def _schemas(owner: psycopg.Connection) -> list[str]:
    query = "select nspname from pg_namespace where nspname = any(%s) order by 1"
    return [name for (name,) in owner.execute(query, [list(SCHEMAS)])]


def _refuse_target(owner: psycopg.Connection) -> None:
    major = owner.info.server_version // 10_000
    if major < OLDEST_TARGET:
        raise StartError(
            f"The server is PostgreSQL {major}: a backup is restored into {OLDEST_TARGET} or newer."
        )
    connected = [name for (name,) in owner.execute(CONNECTED, [list(ROLES)])]
    if connected:
        raise StartError(
            f"Services are running on this database ({', '.join(connected)}). Stop them first."
        )
    found = _schemas(owner)
    if found:
        raise StartError(
            f"The database is not empty: it holds {', '.join(found)}. A backup is restored into an "
            "empty one: set PARLEY_HOME to a new folder, or DATABASE_URL to a new database."
        )


def _make_roles(owner: psycopg.Connection) -> None:
    query = "select from pg_roles where rolname = %s"
    missing = [role for role in ROLES if not owner.execute(query, [role]).rowcount]
    statements = [sql.SQL("create role {} nologin").format(sql.Identifier(r)) for r in missing]
    try:
        for statement in statements:
            owner.execute(statement)
    except errors.InsufficientPrivilege as error:
        words = "".join(f"\n{statement.as_string(owner)};" for statement in statements)
        raise StartError(
            f"Have this run by somebody who may, then restore again:{words}"
        ) from error


def _refuse_existing(file: Path, *, force: bool) -> None:
    if file.exists() and not (force and file.is_file()):
        advice = "Choose another name, or --force." if file.is_file() else "Choose a file."
        raise StartError(f"{file} is there already. {advice}")


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """A file beside the other, for its owner only; it is gone after the block."""
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}.unfinished")
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _keep_name(file: Path) -> None:
    """Has the new name survive a power cut; the content does already."""
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _run(program: str, arguments: Sequence[str], target: Connection) -> None:
    """Runs a program of PostgreSQL's; what it says of an error is told without anybody's words."""
    process = subprocess.Popen(  # noqa: S603 - the wheel's programs, with our words
        [programs() / program, "--no-password", *target.arguments, *arguments],
        env=target.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=leash(SIGTERM),  # noqa: PLW1509 - prctl must run after fork
    )
    try:
        said = process.communicate()[1].decode(errors="replace").splitlines()
    finally:
        if process.returncode is None:
            end(process, SIGTERM)  # It has the server give up what it asked for, too.
    if process.returncode:
        reasons = [line.partition(": error: ")[2] for line in said if ": error: " in line]
        raise StartError(f"{program} failed: {(reasons or said or ['it was killed'])[0]}")
