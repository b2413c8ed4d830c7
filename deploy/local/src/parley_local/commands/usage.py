"""`parley usage`: what was used, and what it cost."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import typer
from parley_client import UsageReport, UsageTotal
from parley_client.usage_calls import UsageSpan

from parley_local.asking import gateway
from parley_local.commands.output import as_json, show
from parley_local.commands.providers.configuring import split
from parley_local.settings import Settings

FIELDS = {
    "day": "day",
    "provider": "provider",
    "model": "model",
    "user": "user_id",
    "key": "key_id",
}
FIGURES = ("requests", "tokens in", "tokens out", "USD", "unpriced")


class Form(StrEnum):
    """What the sums are printed for: people, programs, or spreadsheets."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def groups(text: str) -> tuple[str, ...]:
    """Reads what the sums are divided by."""
    words = tuple(split(text))
    if strange := [word for word in words if word not in FIELDS]:
        raise typer.BadParameter(f"{strange[0]!r} is none of {', '.join(FIELDS)}.")
    return words


def moment(text: str) -> date:
    """Reads a date, or a time with its zone."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass  # a time, then
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2027-01-31.") from None
    if time.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no zone: end it with Z.")
    return time


def usage(
    *,
    group_by: Annotated[
        str, typer.Option(help='Any of day,provider,model,user,key. "" is the total alone.')
    ] = "day,model",
    since: Annotated[
        date | None, typer.Option("--from", parser=moment, metavar="DATE", help="Its first day.")
    ] = None,
    until: Annotated[
        date | None,
        typer.Option("--to", parser=moment, metavar="DATE", help="The first day left out."),
    ] = None,
    user_id: Annotated[str | None, typer.Option(help="Of this user alone.")] = None,
    output: Annotated[
        Form, typer.Option(help="For people, programs, or spreadsheets.")
    ] = Form.TEXT,
) -> None:
    """Sums up what was used and what it cost, everybody's for administrators. Days are UTC's."""
    words = groups(group_by)
    span: UsageSpan = {"since": since, "until": until, "user_id": user_id}
    with gateway(Settings()) as client:
        if output is Form.CSV:
            typer.echo(client.summarize_usage_as_csv(words, **span), nl=False)
            return
        report = client.summarize_usage(words, **span)
    if output is Form.JSON:
        typer.echo(as_json(_document(report, words)))
        return
    rows = [(*_names(row, words), *_figures(row)) for row in report.rows]
    total = ("all", *[""] * len(words))[: len(words)]
    show((*words, *FIGURES), [*rows, (*total, *_figures(report.total))])


def _names(row: UsageTotal, words: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(getattr(row, FIELDS[word]) or "") for word in words)


def _figures(summed: UsageTotal) -> tuple[str, ...]:
    return (
        f"{summed.requests:,}",
        f"{summed.input_tokens:,}",
        f"{summed.output_tokens:,}",
        f"{summed.cost.amount:f}",
        f"{summed.unpriced_requests:,}" if summed.unpriced_requests else "",
    )


def _document(report: UsageReport, words: Sequence[str]) -> dict[str, object]:
    unasked = {field for word, field in FIELDS.items() if word not in words}
    rows = [{k: v for k, v in asdict(row).items() if k not in unasked} for row in report.rows]
    return {"rows": rows, "total": asdict(report.total)}
