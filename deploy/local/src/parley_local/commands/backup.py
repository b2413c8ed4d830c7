"""`parley backup` and `parley restore`: everything that is in the database, in one file."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console

from parley_local import archive
from parley_local.asking import complain
from parley_local.belongings import Belonging, belongings
from parley_local.commands.output import AskedOutput, Output, tell
from parley_local.faults import StartError
from parley_local.home import hold, is_held
from parley_local.postgres import EmbeddedPostgres
from parley_local.settings import Settings, read_environment
from parley_local.system import System

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


def backup(
    file: File,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE when it is there.")] = False,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Writes the whole database to FILE, while Parley runs or not. Secrets are not in it."""
    settings = Settings()
    with _database(settings, alone=False) as url, _told():
        revisions = archive.write(url, file, read_environment(), force=force)
    size = file.stat().st_size
    apart = belongings(settings)
    document = {"file": str(file), "bytes": size, "schemas": revisions, "apart": _plain(apart)}
    words = [f"{file} holds the database ({size:,} bytes). Not in it, and to be kept apart:"]
    words += [
        f"{one.place}{'' if one.there else ' (not here)'}: without it {one.without}"
        for one in apart
    ]
    tell("\n".join(words), document, output)


def restore(file: File, *, output: AskedOutput = Output.TEXT) -> None:
    """Reads FILE into an empty database and brings it up to date. Stop Parley first."""
    settings = Settings()
    with _database(settings, alone=True) as url, _told():
        revisions = archive.read(url, file, read_environment())
    try:
        System(settings, read_environment(), Console(stderr=True), ui=False).migrate()
    except StartError as error:
        raise StartError(f"{file} is restored, but not up to date. {error}") from error
    apart = belongings(settings)
    document = {"file": str(file), "schemas": revisions, "apart": _plain(apart)}
    tell(f"{file} is restored, and its schemas are up to date.", document, output)
    for one in apart:
        if not one.there:
            complain(
                f"{one.place} is not there: put it back before you start Parley, for without "
                f"it {one.without}."
            )


def _plain(apart: list[Belonging]) -> list[Mapping[str, object]]:
    return [asdict(one) for one in apart]


@contextmanager
def _database(settings: Settings, *, alone: bool) -> Iterator[str]:
    """Where the database is; the embedded one runs for the length of the block if need be.

    Raises `StartError` when `alone` and Parley runs in the home.
    """
    # So that SIGTERM, too, leaves no half a file and no program behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    home = settings.home.resolve()
    if settings.outside_database:
        yield settings.outside_database
    elif is_held(home) and not alone:
        yield EmbeddedPostgres(home).url
    else:
        with hold(home), EmbeddedPostgres(home).running() as url:
            yield url


@contextmanager
def _told() -> Iterator[None]:
    """A database that cannot be reached, or does not let us, is told in its own words."""
    try:
        yield
    except psycopg.Error as error:
        raise StartError(f"PostgreSQL: {str(error).strip()}") from error
