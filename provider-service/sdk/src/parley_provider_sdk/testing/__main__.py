"""Checks an installed plugin: `python -m parley_provider_sdk.testing PACKAGE [--json]`.

Exits with 0 when all that was checked is well, with 1 when something is not, and with 2 when there
is no such package, or it is no plugin.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from parley_provider_sdk.testing.installed import NoSuchPlugin, Plugin, find
from parley_provider_sdk.testing.report import Finding, Report, Rung, Verdict
from parley_provider_sdk.testing.shipped import contract_findings

# Seconds that all checks without a vendor may take.
_PATIENCE = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks and prints the report; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m parley_provider_sdk.testing",
        description="Checks an installed provider plugin.",
        epilog="Exit codes: 0 all is well, 1 a check failed, 2 there is no such plugin.",
    )
    parser.add_argument("package", help="the distribution, such as parley-provider-acme")
    parser.add_argument("--json", action="store_true", help="print the report for programs")
    given = parser.parse_args(arguments)
    try:
        plugin = find(given.package)
    except NoSuchPlugin as error:
        sys.stderr.write(f"{error}\n")
        return 2
    findings = [*_examined(plugin), *contract_findings(plugin)]
    report = Report(f"{plugin.name} {plugin.version}", findings)
    if given.json:
        sys.stdout.write(json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.ok else 1


def _examined(plugin: Plugin) -> list[Finding]:
    """Returns what can be said without a vendor. The plugin's code runs in another process."""
    with tempfile.TemporaryDirectory(prefix="parley-check-") as folder:
        path = Path(folder) / "findings"
        path.touch()
        module = "parley_provider_sdk.testing.examination"
        command = [sys.executable, "-m", module, plugin.name, str(path)]
        try:
            done = subprocess.run(  # noqa: S603  (it is ourselves)
                command, capture_output=True, check=False, text=True, timeout=_PATIENCE
            )
            ended = f"It ended the process ({done.returncode}): {done.stderr.strip()[-1000:]}"
        except subprocess.TimeoutExpired:
            ended = f"It did not end within {_PATIENCE} s."
        lines = path.read_text(encoding="utf-8").splitlines()
    findings = [Finding.of(json.loads(line)) for line in lines if line]
    if lines[-1:] != [""]:
        findings.append(_broken_off(ended))
    return findings


def _broken_off(detail: str) -> Finding:
    """Returns the finding for checks that did not get to their end."""
    return Finding(
        "all checks without a vendor came to their end",
        Rung.BRONZE,
        Verdict.FAILED,
        detail,
        "The plugin takes the whole service down, or makes it hang.",
        "Neither block nor exit at import, in register_providers or in a provider.",
    )


if __name__ == "__main__":
    sys.exit(main())
