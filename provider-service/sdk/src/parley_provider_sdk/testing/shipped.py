"""Runs the contract that an installed plugin ships, in a pytest of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from parley_provider_sdk.testing.installed import CONTRACT_GROUP, Plugin
from parley_provider_sdk.testing.report import Finding, Rung, Verdict

__all__ = ["contract_findings"]

_NAME = "the contract"
_NEEDED = ("pytest", "pytest_asyncio", "aiohttp")
# Seconds that a contract may take.
_PATIENCE = 600
_CONFIG = """\
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


def contract_findings(plugin: Plugin) -> list[Finding]:
    """Returns what became of each check of the contracts that a plugin ships."""
    if not plugin.contracts:
        return [_exempt(f"the package ships none in the entry-point group '{CONTRACT_GROUP}'")]
    lacking = [name for name in _NEEDED if find_spec(name) is None]
    if lacking:
        reason = f"{', '.join(lacking)} is missing here: install 'parley-provider-sdk[testing]'"
        return [_exempt(reason)]
    with tempfile.TemporaryDirectory(prefix="parley-check-") as folder:
        return _run(plugin.contracts, Path(folder))


def _run(modules: Sequence[str], folder: Path) -> list[Finding]:
    report = folder / "report.json"
    (folder / "pytest.ini").write_text(_CONFIG)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--parley-report={report}", "--pyargs", *modules]
    try:
        done = subprocess.run(  # noqa: S603  (the modules are of an installed package)
            command, cwd=folder, capture_output=True, check=False, text=True, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return [_failed(f"It did not end within {_PATIENCE} s.")]
    reports = json.loads(report.read_text())["reports"] if report.exists() else []
    findings = [finding for one in reports for finding in _findings(one)]
    is_told = any(finding.verdict is Verdict.FAILED for finding in findings)
    if findings and (is_told or done.returncode == 0):
        return findings
    said = (done.stdout + done.stderr).strip()[-1000:]
    return [*findings, _failed(f"pytest ended with {done.returncode}: {said}")]


def _findings(report: dict[str, Any]) -> list[Finding]:
    return [Finding.of(document) for document in report["findings"]]


def _exempt(reason: str) -> Finding:
    return Finding(_NAME, Rung.BRONZE, Verdict.EXEMPT, reason)


def _failed(detail: str) -> Finding:
    means = "Nobody knows whether the provider keeps to the contract."
    advice = "Run pytest on the module that the entry point names, and see why it fails."
    return Finding(_NAME, Rung.BRONZE, Verdict.FAILED, detail, means, advice)
