"""`parley keys`: what lets programs in, and what each is for.

A new key is shown once, and alone on stdout, so that it can be piped to where it is kept.
"""

from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

import typer
from parley_client import Key, NewKey
from parley_client.account_calls import KeyFilter, KeyOptions
from rich.console import Console

from parley_local.asking import gateway
from parley_local.commands import quotas
from parley_local.commands.output import AskedOutput, Output, as_json, show, tell
from parley_local.commands.providers.configuring import split
from parley_local.commands.usage import moment
from parley_local.commands.users import user_named
from parley_local.settings import Settings

app = typer.Typer(help="Lists, makes, rotates and revokes keys.", no_args_is_help=True)
KeyId = Annotated[str, typer.Argument(help="The key's id.", metavar="KEY_ID")]
Owner = Annotated[str | None, typer.Option("--user", help="Whose: a name or an id.")]


@app.command("list")
def list_all(*, user: Owner = None, output: AskedOutput = Output.TEXT) -> None:
    """Lists the keys that are not revoked, newest first; one's own unless a user is named."""
    with gateway(Settings()) as client:
        query: KeyFilter = {"page_size": 100}
        if user is not None:
            query["user_id"] = user_named(client, user).user_id
        keys = list(client.all_keys(**query))
    if output is Output.JSON:
        typer.echo(as_json({"keys": [asdict(key) for key in keys]}))
        return
    header = ("id", "name", "ends in", "scopes", "limits", "last used", "expires")
    show(header, [_row(key) for key in keys])


@app.command("add")
def add(  # noqa: PLR0913 - each is an option of the command
    name: Annotated[str, typer.Argument(help="What it is for, for people.", metavar="NAME")],
    *,
    user: Owner = None,
    scopes: Annotated[
        str | None, typer.Option(help="What it is for, such as read,chat,provider:demo.")
    ] = None,
    expires: Annotated[
        date | None, typer.Option(parser=moment, metavar="DATE", help="When it ends.")
    ] = None,
    requests: quotas.AskedRequests = None,
    tokens: quotas.AskedTokens = None,
    turns: quotas.AskedTurns = None,
    daily: quotas.AskedDaily = None,
    monthly: quotas.AskedMonthly = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Makes a key; it is printed this once. Without scopes it may do all that its user may."""
    asked: dict[str, Any] = {
        "scopes": None if scopes is None else split(scopes),
        "expires_at": None if expires is None else _begin(expires),
        "limits": quotas.said(
            requests_per_hour=requests, tokens_per_minute=tokens, concurrent_turns=turns
        ),
        "budgets": quotas.said(daily=daily, monthly=monthly),
    }
    given = {field: value for field, value in asked.items() if value is not None}
    options: KeyOptions = {**given}  # type: ignore[typeddict-item]  # its names are above
    with gateway(Settings()) as client:
        if user is not None:
            options["user_id"] = user_named(client, user).user_id
        made = client.create_key(name, **options)
    _hand_out(made, f"This is the key {made.key_id}. It is shown this once.", output)


@app.command("rotate")
def rotate(
    key_id: KeyId,
    *,
    overlap: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds in which the old key still works; a day when unsaid."),
    ] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Makes a key's successor, which may do the same; it is printed this once."""
    with gateway(Settings()) as client:
        made = client.rotate_key(key_id, overlap)
    words = f"This is the key {made.key_id}, which takes the place of {key_id}. It is shown once."
    _hand_out(made, words, output)


@app.command("revoke")
def revoke(key_id: KeyId, *, output: AskedOutput = Output.TEXT) -> None:
    """Ends a key: streams that it opened end and its replies stop within 5 seconds."""
    with gateway(Settings()) as client:
        client.delete_key(key_id)
    tell(f"{key_id} is revoked.", {"revoked": key_id}, output)


def _hand_out(made: NewKey, words: str, output: Output) -> None:
    """Prints a new key alone on stdout, and what it is to a person beside it."""
    if output is Output.JSON:
        typer.echo(as_json(asdict(made)))
        return
    Console(stderr=True).print(words, soft_wrap=True, highlight=False, markup=False)
    typer.echo(made.key)


def _begin(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)


def _row(key: Key) -> tuple[str, ...]:
    return (
        key.key_id,
        key.name,
        key.last4 or "",
        ", ".join(key.scopes) or "all",
        quotas.in_words(key.limits, key.budgets),
        f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
        f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "",
    )
