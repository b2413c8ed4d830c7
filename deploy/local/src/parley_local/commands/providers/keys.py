"""Vendors' keys, and the master keys that they are kept with. No secret is ever an argument."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from parley_local.asking import complain, gateway
from parley_local.commands.output import AskedOutput, Output, tell
from parley_local.commands.providers.naming import Name
from parley_local.commands.providers.showing import key_in_words
from parley_local.home import is_held
from parley_local.master_keys import MasterKeys
from parley_local.settings import Settings, environment_variable


def keep_key(
    name: Name,
    *,
    from_env: Annotated[
        str | None, typer.Option(metavar="VAR", help="Read it from this environment variable.")
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Read it from this file.")
    ] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Keeps a vendor's key, encrypted. It is read from stdin, or asked for without showing it."""
    key = _read_key(name, from_env, from_file)
    with gateway(Settings()) as client:
        changed = client.set_credential(name, key)
    words = f"The key of {name} is kept ({key_in_words(changed)}). {changed.error or ''}".rstrip()
    tell(words, asdict(changed), output)


def forget_key(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Forgets a provider's stored key; one from the environment counts again."""
    with gateway(Settings()) as client:
        changed = client.delete_credential(name)
    words = f"The stored key of {name} is forgotten; it has now: {key_in_words(changed)}."
    tell(words, asdict(changed), output)


def rotate_master_key(*, output: AskedOutput = Output.TEXT) -> None:
    """Makes a new master key, encrypts all stored keys with it, and drops the old ones.

    When the master keys are not this machine's, only encrypts anew with the newest one. 1 when
    no master key opens some stored key; all master keys stay then.
    """
    settings = Settings()
    kept = _kept_here(settings)
    old = kept.add() if kept else ()
    with gateway(settings) as client:
        done = client.rotate_credentials()
        if kept and not done.unreadable:
            # Again: a key may have been stored meanwhile by one who had read the old file.
            client.rotate_credentials()
            kept.drop(old)
    document = {**asdict(done), "master_keys": str(kept.path) if kept else None}
    words = f"{done.rotated} stored keys are encrypted with the newest master key."
    if kept is None:
        words += " The master keys are not kept here: make a new one where they are, first."
    tell(words, document, output)
    if done.unreadable:
        complain(
            f"No master key opens the stored key of {', '.join(done.unreadable)}: put back the one "
            "it was stored with, or store it anew with `parley providers key NAME`."
        )
        raise typer.Exit(1)


def _read_key(name: str, from_env: str | None, from_file: Path | None) -> str:
    if from_env and from_file:
        raise typer.BadParameter("Give --from-env or --from-file, not both.")
    if from_env:
        key = environment_variable(from_env) or ""
    elif from_file:
        key = from_file.read_text()
    elif sys.stdin.isatty():
        key = typer.prompt(f"Key of {name}", hide_input=True)
    else:
        key = sys.stdin.read()
    if not key.strip():
        raise typer.BadParameter("The key is empty.")
    return key.strip()


def _kept_here(settings: Settings) -> MasterKeys | None:
    """The file that a `parley up` on this home lets its provider service read, if one runs."""
    home = settings.home.resolve()
    keys = MasterKeys(home / "master.keys")
    elsewhere = settings.has_master_key or settings.gateway_url != settings.local_gateway_url
    return keys if not elsewhere and keys.path.exists() and is_held(home) else None
