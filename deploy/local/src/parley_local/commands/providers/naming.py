"""How a provider is named on the command line, and found by its name."""

from typing import Annotated

import typer
from parley_client import Client, Provider

from parley_local.asking import complain

Name = Annotated[str, typer.Argument(help="The provider's name.", metavar="NAME")]


def provider_named(client: Client, name: str) -> Provider:
    """The provider of this name; when there is none, says who there is, and ends with 1."""
    known = {one.name: one for one in client.list_providers()}
    if name not in known:
        complain(f"There is no provider {name!r}. There are: {', '.join(known)}.")
        raise typer.Exit(1)
    return known[name]
