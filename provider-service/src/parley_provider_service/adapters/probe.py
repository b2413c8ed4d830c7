"""Imports plugins in a process of its own first: an import that hangs cannot be timed out in place.

`python -m parley_provider_service.adapters.probe MODULE…` imports one after the other, asks each
for its providers, and says a line after each. Whatever a plugin prints itself goes elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from io import StringIO

from parley_provider_sdk import ENTRY_POINT_GROUP, collect

# For one plugin to be imported and to register; built-ins take a few hundredths.
LOADED_WITHIN_SECONDS = 5.0
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
    """Import modules in another process; return those that came through, and what stopped it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, *modules),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    loaded: list[str] = []
    why = ""
    try:
        while len(loaded) < len(modules) and process.stdout is not None:
            line = await asyncio.wait_for(process.stdout.readline(), seconds)
            if line.decode().split() != [DONE, modules[len(loaded)]]:
                why = CRASHES
                break
            loaded.append(modules[len(loaded)])
    except TimeoutError:
        why = HANGS
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return loaded, why


def main(modules: Iterable[str]) -> None:
    """Import each and say so; what it raises is told where it is imported for use."""
    told = sys.stdout
    for module in modules:
        with contextlib.redirect_stdout(StringIO()), contextlib.suppress(Exception, SystemExit):
            collect(EntryPoint("probe", module, ENTRY_POINT_GROUP).load())
        told.write(f"{DONE} {module}\n")
        told.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
