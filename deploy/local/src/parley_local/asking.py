"""Asking the gateway in the administrator's name, as every command does that changes or shows."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from parley_client import Client, GatewayUnreachable, ParleyError, ProblemError
from rich.console import Console

from parley_local.secret_files import read
from parley_local.settings import Settings


def administrators_key(settings: Settings) -> str | None:
    """The key of the settings, else the one that was made and kept; None when there is neither."""
    if settings.api_key:
        return settings.api_key.get_secret_value()
    return kept_key(settings)


def kept_key(settings: Settings) -> str | None:
    """The key that was made at the first start and kept; None when none was."""
    return read(settings.home.resolve() / "admin.key")


@contextmanager
def gateway(settings: Settings) -> Iterator[Client]:
    """A client for the length of a block. What the gateway refuses is told, and ends with 1."""
    with Client(settings.gateway_url, administrators_key(settings)) as client:
        try:
            yield client
        except ParleyError as error:
            complain(in_words(error))
            raise typer.Exit(1) from None


def in_words(error: ParleyError) -> str:
    """A failure as a sentence, with what to do where the gateway does not say it."""
    if isinstance(error, GatewayUnreachable):
        return f"{error} Start Parley with `make up`, or set API_URL to where its gateway is."
    if not isinstance(error, ProblemError):
        return f"{error} Set API_URL to where the gateway is."
    if error.status == 401:
        return f"{error.detail} Set API_KEY to the administrator's key."
    fields = [f"\n{one.pointer.lstrip('/')}: {one.detail}" for one in error.errors]
    return "".join([error.detail or error.title, *(fields if len(fields) > 1 else [])])


def complain(words: str) -> None:
    """Says to a person what is wrong."""
    Console(stderr=True).print(words, style="red", soft_wrap=True, highlight=False, markup=False)
