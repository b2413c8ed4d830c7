"""What commands print: for people, or for programs."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Output(StrEnum):
    """What a command's output is for."""

    TEXT = "text"
    JSON = "json"


AskedOutput = Annotated[Output, typer.Option("--output", help="For people, or for programs.")]


def as_json(document: Any) -> str:
    """A document of plain values; money stays exact, times are RFC 3339."""
    return json.dumps(document, indent=2, default=_plain, ensure_ascii=False)


def tell(words: str, document: Any, output: Output) -> None:
    """Prints what was done: a sentence, or all of what there is now."""
    typer.echo(as_json(document) if output is Output.JSON else words)


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; nothing in a cell is taken for markup."""
    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be told.")
