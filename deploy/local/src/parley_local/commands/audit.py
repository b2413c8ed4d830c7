"""`parley audit`: who did what to what, when, and from where."""

import itertools
from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer
from parley_client import AuditEntry
from parley_client.account_calls import AuditFilter

from parley_local.asking import gateway
from parley_local.commands.output import AskedOutput, Output, as_json, show
from parley_local.commands.usage import moment
from parley_local.commands.users import user_named
from parley_local.settings import Settings


def audit(
    *,
    user: Annotated[str | None, typer.Option(help="What this user did: a name or an id.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as login or update_provider.")] = None,
    since: Annotated[
        date | None, typer.Option("--from", parser=moment, metavar="DATE", help="Its first day.")
    ] = None,
    until: Annotated[
        date | None,
        typer.Option("--to", parser=moment, metavar="DATE", help="The first day left out."),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="The most entries.")] = 50,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Shows the audit log, newest first. Days are UTC's."""
    asked: AuditFilter = {"action": action, "since": since, "until": until}
    asked["page_size"] = min(most, 100)
    with gateway(Settings()) as client:
        if user is not None:
            asked["actor"] = user_named(client, user).user_id
        entries = list(itertools.islice(client.all_audit(**asked), most))
    if output is Output.JSON:
        typer.echo(as_json({"entries": [asdict(entry) for entry in entries]}))
        return
    header = ("at", "action", "outcome", "target", "user", "key", "from", "request")
    show(header, [_row(entry) for entry in entries])


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        entry.action,
        entry.outcome,
        entry.target,
        entry.actor or "",
        entry.key_id or "",
        entry.ip,
        entry.request_id,
    )
