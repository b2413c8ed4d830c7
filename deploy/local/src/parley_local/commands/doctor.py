"""`parley doctor`: what is wrong, and what to do about it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley_local.doctor.database import check_database
from parley_local.doctor.finding import Finding, Verdict
from parley_local.doctor.gateway import check_gateway
from parley_local.doctor.machine import check_home, check_python
from parley_local.doctor.page import check_page
from parley_local.postgres import EmbeddedPostgres
from parley_local.secret_files import read
from parley_local.settings import Settings

STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red", "skipped": "dim"}


class Output(StrEnum):
    """What a command's output is for: people, or programs."""

    TEXT = "text"
    JSON = "json"


def doctor(
    *, output: Annotated[Output, typer.Option(help="For people, or for programs.")] = Output.TEXT
) -> None:
    """Checks everything and says what to do: 0 when Parley works, warnings or not; 1 when not."""
    findings = list(_examine(Settings()))
    sick = any(finding.verdict is Verdict.FAILURE for finding in findings)
    if output is Output.JSON:
        document = {"ok": not sick, "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(document, indent=2))
    else:
        Console().print(_table(findings))
    raise typer.Exit(int(sick))


def _examine(settings: Settings) -> Iterator[Finding]:
    home = settings.home.resolve()
    yield check_python()
    yield check_home(home)
    outside = settings.outside_database
    yield from check_database(outside or EmbeddedPostgres(home).url, embedded=outside is None)
    key = settings.api_key.get_secret_value() if settings.api_key else read(home / "admin.key")
    yield from check_gateway(settings.gateway_url, key)
    yield check_page(settings)


def _table(findings: list[Finding]) -> Table:
    table = Table("check", "verdict", "what was found, and what to do", box=None)
    for finding in findings:
        style = STYLES[finding.verdict]
        words = f"{finding.detail}\n→ {finding.advice}" if finding.advice else finding.detail
        table.add_row(finding.check, Text(finding.verdict, style), Text(words))
    return table
