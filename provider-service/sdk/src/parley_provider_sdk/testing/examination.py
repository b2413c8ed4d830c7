"""Examines an installed plugin without its vendor.

Run as a process of its own (`python -m parley_provider_sdk.testing.examination PACKAGE FILE`),
because a plugin may hang, end the process or print. Writes each finding to the file, a line of
JSON, as soon as there is one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from parley_provider_sdk.hooks import collect
from parley_provider_sdk.testing.checks.offline import CHECKS, CheckOfTrial
from parley_provider_sdk.testing.installed import find
from parley_provider_sdk.testing.report import Check, Finding, Rung, Verdict, check_of
from parley_provider_sdk.testing.trial import Complaint, Trial

__all__ = ["examine"]

# Seconds that a check may take.
PATIENCE = 10.0
REGISTERED = Check(
    Rung.BRONZE,
    "The service cannot load the plugin and lists it as broken.",
    "Implement register_providers with hookimpl, and call register with a ProviderInfo.",
)


async def examine(package: str) -> AsyncIterator[Finding]:
    """Checks every provider of a plugin. Raises NoSuchPlugin."""
    for entry_point in find(package).providers:
        loading = asyncio.ensure_future(asyncio.to_thread(lambda: collect(entry_point.load())))  # noqa: B023  (awaited within this round)
        await asyncio.wait({loading})
        name = f"the entry point '{entry_point.name}' registers providers"
        yield _finding_of(name, REGISTERED, loading)
        for registration in () if loading.exception() else loading.result():
            for test in CHECKS:
                yield await _judged(test, Trial(registration))


async def _judged(test: CheckOfTrial, trial: Trial) -> Finding:
    found = check_of(test) or REGISTERED
    words = getattr(test, "__name__", "").removeprefix("test_").replace("_", " ")
    name = f"{trial.registration.info.name}: {words}"
    if found.feature and not trial.has_address:
        reason = "it has no setting `base_url`, so it cannot be sent elsewhere"
        return Finding(name, found.rung, Verdict.EXEMPT, reason)
    task = asyncio.ensure_future(test(trial))
    await asyncio.wait({task}, timeout=PATIENCE)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    return _finding_of(name, found, task)


def _finding_of(name: str, found: Check, task: asyncio.Future[Any]) -> Finding:
    """Returns what a check's task says."""
    if not task.done() or task.cancelled():
        detail = f"It did not end within {PATIENCE:g} s."
    elif error := task.exception():
        said = "".join(traceback.format_exception_only(error)).strip()
        detail = str(error) if isinstance(error, Complaint) else said
    else:
        return Finding(name, found.rung, Verdict.PASSED)
    return Finding(name, found.rung, Verdict.FAILED, detail, found.means, found.advice)


async def _write(package: str, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        async for finding in examine(package):
            file.write(json.dumps(finding.document()) + "\n")
            file.flush()
        # The mark of the end, without which whoever reads knows that it broke off.
        file.write("\n")


if __name__ == "__main__":
    asyncio.run(_write(sys.argv[1], Path(sys.argv[2])))
