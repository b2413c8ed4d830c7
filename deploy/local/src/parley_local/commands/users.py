"""`parley users`: who may use Parley, as what, and how much."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from parley_client import Client, User
from parley_client.account_calls import UserChange

from parley_local.asking import complain, gateway
from parley_local.commands import quotas
from parley_local.commands.output import AskedOutput, Output, as_json, show, tell
from parley_local.settings import Settings


class Role(StrEnum):
    """What a user may do."""

    USER = "user"
    ADMIN = "admin"


app = typer.Typer(help="Lists, adds and changes users.", no_args_is_help=True)
Who = Annotated[str, typer.Argument(help="The user's name or id.", metavar="USER")]


def user_named(client: Client, name: str) -> User:
    """The user of this name or id; when there is none, says so, and ends with 1."""
    if is_id(name):
        return client.get_user(name)
    for user in client.all_users(page_size=100):
        if user.name == name:
            return user
    complain(f"There is no user {name!r}.")
    raise typer.Exit(1)


def is_id(name: str) -> bool:
    """Says whether a word is an id."""
    try:
        return str(UUID(name)) == name.lower()
    except ValueError:
        return False


@app.command("list")
def list_all(*, output: AskedOutput = Output.TEXT) -> None:
    """Lists all users, newest first."""
    with gateway(Settings()) as client:
        users = list(client.all_users(page_size=100))
    if output is Output.JSON:
        typer.echo(as_json({"users": [asdict(user) for user in users]}))
        return
    show(("name", "role", "limits", "remark", "id"), [_row(user) for user in users])


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Nobody else's name.", metavar="NAME")],
    *,
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.USER,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Adds a user, who has no key yet."""
    with gateway(Settings()) as client:
        made = client.create_user(name, role)
    words = f"{name} is there, as {made.role}. `parley keys add --user {name} NAME` makes a key."
    tell(words, asdict(made), output)


@app.command("show")
def show_one(name: Who, *, output: AskedOutput = Output.TEXT) -> None:
    """Shows one user."""
    with gateway(Settings()) as client:
        user = user_named(client, name)
    if output is Output.JSON:
        typer.echo(as_json(asdict(user)))
        return
    facts = {
        "name": user.name,
        "id": user.user_id,
        "role": user.role,
        "state": "disabled" if user.disabled else "enabled",
        "limits": quotas.in_words(user.limits, user.budgets) or "the platform's",
        "since": user.created_at.isoformat() if user.created_at else "",
    }
    show(("", ""), [(fact, value) for fact, value in facts.items() if value])


@app.command("set")
def configure(  # noqa: PLR0913 - each is an option of the command
    name: Who,
    *,
    new_name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    role: Annotated[Role | None, typer.Option(help="What the user may do.")] = None,
    requests: quotas.AskedRequests = None,
    tokens: quotas.AskedTokens = None,
    turns: quotas.AskedTurns = None,
    daily: quotas.AskedDaily = None,
    monthly: quotas.AskedMonthly = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Changes what is given of a user, and leaves the rest; "" takes a limit back."""
    asked: dict[str, Any] = {
        "name": new_name,
        "role": role,
        "limits": quotas.said(
            requests_per_hour=requests, tokens_per_minute=tokens, concurrent_turns=turns
        ),
        "budgets": quotas.said(daily=daily, monthly=monthly),
    }
    given = {field: value for field, value in asked.items() if value is not None}
    if not given:
        raise typer.BadParameter("Say what is to change.")
    change: UserChange = {**given}  # type: ignore[typeddict-item]  # its names are above
    _change(name, "is changed.", output, change)


@app.command("disable")
def disable(name: Who, *, output: AskedOutput = Output.TEXT) -> None:
    """Keeps a user out: keys are refused, streams end and replies stop within 5 seconds."""
    _change(name, "is kept out.", output, {"disabled": True})


@app.command("enable")
def enable(name: Who, *, output: AskedOutput = Output.TEXT) -> None:
    """Lets a user in again, with the keys of before."""
    _change(name, "is let in.", output, {"disabled": False})


def _change(name: str, words: str, output: Output, change: UserChange) -> None:
    with gateway(Settings()) as client:
        changed = client.update_user(user_named(client, name).user_id, **change)
    tell(f"{changed.name} {words}", asdict(changed), output)


def _row(user: User) -> tuple[str, ...]:
    limits = quotas.in_words(user.limits, user.budgets)
    return user.name, user.role, limits, "disabled" if user.disabled else "", user.user_id
