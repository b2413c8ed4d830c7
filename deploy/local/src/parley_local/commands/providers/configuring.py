"""Deciding about providers: who there is, who may be used, and how."""

from dataclasses import asdict
from typing import Annotated, Unpack

import typer
from parley_client import Provider
from parley_client.provider_calls import ProviderChange

from parley_local.asking import gateway
from parley_local.commands.output import AskedOutput, Output, tell
from parley_local.commands.providers.naming import Name
from parley_local.settings import Settings

BASE_URL = "Where its vendor is reached."


def add(
    name: Name,
    *,
    plugin: Annotated[str, typer.Option(help="The kind of a provider that is installed.")],
    base_url: Annotated[str | None, typer.Option(help=BASE_URL)] = None,
    display_name: Annotated[str | None, typer.Option(help="Its name for people.")] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Adds a configuration of an installed plugin under a name of its own."""
    with gateway(Settings()) as client:
        made = client.create_provider(name, plugin, base_url=base_url, display_name=display_name)
    words = f"{name} is there, and {made.status}. {made.error or ''}".rstrip()
    tell(words, asdict(made), output)


def remove(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Takes away a configuration that was added; what it cost stays on record."""
    with gateway(Settings()) as client:
        client.delete_provider(name)
    tell(f"{name} is gone.", {"removed": name}, output)


def enable(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Lets a provider be used."""
    _change(name, f"{name} may be used.", output, enabled=True)


def disable(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Keeps a provider from being used."""
    _change(name, f"{name} is switched off.", output, enabled=False)


def make_default(
    name: Name,
    *,
    model: Annotated[str | None, typer.Option(help="Its default model, too.")] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Makes a provider the one that answers when nobody is named."""
    change: ProviderChange = {"is_default": True}
    if model is not None:
        change["default_model"] = model
    _change(name, f"{name} is the default.", output, **change)


def configure(  # noqa: PLR0913 - each is an option of the command
    name: Name,
    *,
    base_url: Annotated[
        str | None,
        typer.Option(help=f'{BASE_URL} "" takes it back. Another one clears the stored key.'),
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Lower ones come first.")] = None,
    max_replies: Annotated[
        int | None, typer.Option(help="Replies at once in one process; 0 is the usual.")
    ] = None,
    fallbacks: Annotated[
        str | None, typer.Option(help='Who is asked when it fails: a/b,c/d. "" is nobody.')
    ] = None,
    default_model: Annotated[
        str | None, typer.Option(help='For requests that name none. "" takes it back.')
    ] = None,
    display_name: Annotated[
        str | None, typer.Option(help='Its name for people. "" takes it back.')
    ] = None,
    retry_timeouts: Annotated[
        bool | None, typer.Option(help="Ask again after a timeout, which may bill twice.")
    ] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Changes what is given of a provider, and leaves the rest."""
    asked = {
        "base_url": base_url,
        "priority": priority,
        "max_replies": max_replies,
        "fallbacks": None if fallbacks is None else split(fallbacks),
        "default_model": default_model,
        "display_name": display_name,
        "retry_timeouts": retry_timeouts,
    }
    given = {field: value for field, value in asked.items() if value is not None}
    if not given:
        raise typer.BadParameter("Say what is to change.")
    change: ProviderChange = {**given}  # type: ignore[typeddict-item]  # its names are above
    _change(name, f"{name} is changed.", output, **change)


def split(words: str) -> list[str]:
    """The words of a comma list."""
    return [word.strip() for word in words.split(",") if word.strip()]


def _change(name: str, words: str, output: Output, **change: Unpack[ProviderChange]) -> None:
    with gateway(Settings()) as client:
        changed: Provider = client.update_provider(name, **change)
    if "base_url" in change and changed.status == "unconfigured":
        words += f" A stored key is for one address only: `parley providers key {name}` keeps one."
    tell(f"{words} {changed.error or ''}".rstrip(), asdict(changed), output)
