"""`parley doctor`: what is wrong, and what to do about it."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley_local.asking import administrators_key, kept_key
from parley_local.commands.output import AskedOutput, Output
from parley_local.doctor.database import check_database
from parley_local.doctor.finding import Finding, Verdict
from parley_local.doctor.gateway import check_gateway
from parley_local.doctor.machine import check_home, check_python
from parley_local.doctor.page import check_page
from parley_local.postgres import EmbeddedPostgres
from parley_local.settings import Settings

STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red", "skipped": "dim"}


def doctor(*, output: AskedOutput = Output.TEXT) -> None:
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
    yield from check_gateway(
        settings.gateway_url,
        administrators_key(settings),
        local_url=settings.local_gateway_url,
        kept_key=kept_key(settings),
    )
    yield check_page(settings)


def _table(findings: list[Finding]) -> Table:
    table = Table("check", "verdict", "what was found, and what to do", box=None)
    for finding in findings:
        style = STYLES[finding.verdict]
        words = f"{finding.detail}\n→ {finding.advice}" if finding.advice else finding.detail
        table.add_row(finding.check, Text(finding.verdict, style), Text(words))
    return table
