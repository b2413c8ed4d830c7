"""`parley providers check`: whether an installed plugin keeps to the contract."""

import subprocess
import sys
from typing import Annotated

import typer

from parley_local.commands.output import Output

# The SDK's own command: it is not imported, because its checks run what a stranger wrote.
CHECKER = "parley_provider_sdk.testing"


def check_plugin(
    package: Annotated[str, typer.Argument(help="As it was installed: parley-provider-acme.")],
    *,
    output: Annotated[Output, typer.Option(help="For people, or for programs.")] = Output.TEXT,
) -> None:
    """Checks an installed plugin: 0 when all is well, 1 when not, 2 when there is none."""
    # `-P` keeps the folders of the current directory from posing as modules.
    command = [sys.executable, "-P", "-m", CHECKER, package]
    if output is Output.JSON:
        command.append("--json")
    done = subprocess.run(command, check=False)  # noqa: S603 - a word that names a package
    raise typer.Exit(done.returncode)
