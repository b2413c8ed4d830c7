"""Other people's clients, run as programs in the environment that they have (`tests/clients/`)."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parley_tests.settings import inherited_environment

HERE = Path(__file__).parents[2] / "clients"
BIN = HERE / ".venv" / "bin"
WITHIN_SECONDS = 60.0
# They ask nobody but the gateway, and tell nobody what they do.
QUIET = {
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "DO_NOT_TRACK": "1",
    "NO_PROXY": "*",
}


async def run(
    program: str, *arguments: str, environment: Mapping[str, str] | None = None, said: str = ""
) -> str:
    """Run a program of that environment and return what it prints; RuntimeError when it fails.

    `said` is what it reads.
    """
    if not BIN.exists():
        raise RuntimeError(f"Run `make test`, or `uv sync --frozen --project {HERE}`, first.")
    process = await asyncio.create_subprocess_exec(
        BIN / program,
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=HERE,
        env=inherited_environment() | QUIET | dict(environment or {}),
    )
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            printed, failed = await process.communicate(said.encode())
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"{program} failed:\n{printed.decode()}\n{failed.decode()}")
    return printed.decode()


async def report(script: str, **settings: str) -> dict[str, Any]:
    """Run a script of this folder, which prints a JSON object, and return that.

    It reads the settings as a JSON object.
    """
    printed = await run("python", f"{script}.py", said=json.dumps(settings))
    found: dict[str, Any] = json.loads(printed)
    return found
