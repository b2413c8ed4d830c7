"""`parley identity`: the keys by which services know each other."""

from typing import Annotated

import typer
from rich.console import Console

from parley_local.faults import StartError
from parley_local.identity import Identity
from parley_local.settings import Settings

app = typer.Typer(
    help="Makes, lists, rotates and drops the keys of services.", no_args_is_help=True
)


@app.command("add")
def add(name: Annotated[str, typer.Argument(help="What your service is called.")]) -> None:
    """Makes a key for a service of yours, which is then let in; prints the private key's file."""
    _say(_identity().run("add", name))


@app.command("list")
def list_all() -> None:
    """Prints whose keys are trusted: id, purpose, name."""
    _say(_identity().run("list"))


@app.command("rotate")
def rotate(
    name: Annotated[str, typer.Argument(help="gateway, chat, context, or a service of yours.")],
) -> None:
    """Trusts a new key, then uses it; prints the old one's id, which is trusted until dropped."""
    identity = _identity()
    if not identity.key(name).exists():
        raise StartError(f"There is no {identity.key(name)}.")
    _say(identity.run("rotate", str(identity.key(name))))


@app.command("drop")
def drop(
    key_id: Annotated[str, typer.Argument(help="An id that `parley identity list` prints.")],
) -> None:
    """Trusts a key no longer, within a second."""
    _identity().run("drop", key_id)


@app.command("token")
def token(
    name: Annotated[str, typer.Argument(help="A service of yours.")],
    service: Annotated[str, typer.Argument(help="Whom it calls: chat, prompt or provider.")],
) -> None:
    """Prints what a service of yours shows with a call, good for a minute: for tools."""
    identity = _identity()
    if not identity.key(name).exists():
        raise StartError(f"There is no {identity.key(name)}.")
    _say(identity.run("token", str(identity.key(name)), service))


def _identity() -> Identity:
    return Identity.of(Settings().home)


def _say(words: str) -> None:
    Console().print(words.rstrip("\n"), soft_wrap=True, highlight=False, markup=False)
