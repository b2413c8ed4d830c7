"""The `parley` command."""

import sys

import typer
from pydantic import ValidationError

from parley_local.asking import complain
from parley_local.commands import keys, models, providers, users
from parley_local.commands.audit import audit
from parley_local.commands.backup import backup, restore
from parley_local.commands.chat import chat
from parley_local.commands.doctor import doctor
from parley_local.commands.migrate import migrate
from parley_local.commands.up import up
from parley_local.commands.usage import usage
from parley_local.faults import StartError

app = typer.Typer(
    help="Runs and looks after Parley. Settings come from the environment and from .env.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # A traceback with local variables would show secrets.
)
for command in (up, doctor, migrate, backup, restore, chat, usage, audit):
    app.command()(command)
app.add_typer(providers.app, name="providers")
app.add_typer(models.app, name="models")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Runs the command; says in a sentence what a person can put right, and exits with 1."""
    try:
        app()
    except (StartError, OSError) as error:
        _refuse(str(error))
    except ValidationError as error:
        for problem in error.errors():
            _refuse(f"{problem['loc'][0]}: {problem['msg']}")


def _refuse(words: str) -> None:
    complain(words)
    sys.exit(1)


if __name__ == "__main__":
    main()
