"""`parley up`: all of Parley, in the foreground."""

import logging
from typing import Annotated

import typer
from rich.console import Console

from parley_local.settings import Settings, read_environment
from parley_local.system import System


def up(
    *, ui: Annotated[bool, typer.Option("--ui/--no-ui", help="With or without the page.")] = True
) -> None:
    """Starts all of Parley and stays until Ctrl-C or SIGTERM; 1 when something cannot start."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    System(Settings(), read_environment(), Console(), ui=ui).run()
