"""Imports plugins in a process of its own first: an import that hangs cannot be timed out in place.

`python -m parley_provider_service.adapters.probe MODULE…` says a line when it is there, imports one
after the other, asks each for its providers, and says a line after each. Whatever a plugin prints
itself goes elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint
from typing import TextIO

from parley_provider_sdk import ENTRY_POINT_GROUP, collect

# For one plugin to be imported and to register; built-ins take a few hundredths.
LOADED_WITHIN_SECONDS = 5.0
# For the process itself, whose slowness is no plugin's fault.
BEGUN_WITHIN_SECONDS = 60.0
BEGUN = "begun"
DONE = "loaded"
HANGS = "Its plugin hangs when it is imported. Uninstall {package}, or install another version."
CRASHES = "Its plugin ends the process that imports it. Uninstall {package}, or install another."


async def survey(
    entry_points: Iterable[EntryPoint], seconds: float = LOADED_WITHIN_SECONDS
) -> dict[str, str]:
    """Return what must not be imported, by the module that an entry point names, and why."""
    left = {one.value: one.dist.name if one.dist else one.value for one in entry_points}
    trouble: dict[str, str] = {}
    while left:
        loaded, why = await probe(list(left), seconds)
        for module in loaded:
            del left[module]
        if why and left:
            module = next(iter(left))
            trouble[module] = why.format(package=left.pop(module))
        elif not why:
            break
    return trouble


async def probe(modules: list[str], seconds: float) -> tuple[list[str], str]:
    """Import modules in another process; return those that came through, and what stopped it.

    TimeoutError when the process does not even begin.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, *modules),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return await listened(process, modules, seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def listened(
    process: asyncio.subprocess.Process, modules: list[str], seconds: float
) -> tuple[list[str], str]:
    """Listen to a process that imports modules; return as `probe` does."""
    if await said(process, BEGUN_WITHIN_SECONDS) != BEGUN:
        raise RuntimeError("The process that imports plugins first does not begin.")
    loaded: list[str] = []
    for module in modules:
        try:
            if await said(process, seconds) != f"{DONE} {module}":
                return loaded, CRASHES
        except TimeoutError:
            return loaded, HANGS
        loaded.append(module)
    return loaded, ""


async def said(process: asyncio.subprocess.Process, seconds: float) -> str:
    """Return the next line; empty when the process has ended; TimeoutError."""
    async with asyncio.timeout(seconds):
        line = await process.stdout.readline() if process.stdout else b""
    return line.decode().strip()


def main(modules: Iterable[str]) -> None:
    """Import each and say so; what it raises is told where it is imported for use."""
    with silenced() as told:
        say(told, BEGUN)
        for module in modules:
            with contextlib.suppress(Exception, SystemExit):
                collect(EntryPoint("probe", module, ENTRY_POINT_GROUP).load())
            say(told, f"{DONE} {module}")


def say(told: TextIO, line: str) -> None:
    """Say a line at once."""
    told.write(f"{line}\n")
    told.flush()


@contextlib.contextmanager
def silenced() -> Iterator[TextIO]:
    """Keep standard output for what is said by intention, and from children too."""
    with os.fdopen(os.dup(1), "w") as told:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        yield told


if __name__ == "__main__":
    main(sys.argv[1:])
