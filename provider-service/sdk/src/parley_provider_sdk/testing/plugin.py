"""pytest's door: asserts that show what they saw, exemptions, and the report of the contract.

`--parley-report=FILE` writes the report as JSON. Works under pytest-xdist, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parley_provider_sdk.testing.report import (
    FEATURES,
    Check,
    Finding,
    Report,
    Verdict,
    check_of,
)

# With these modules' asserts rewritten, a failing contract shows what it saw.
pytest.register_assert_rewrite(
    "parley_provider_sdk.testing.checks",
    "parley_provider_sdk.testing.reply",
    "parley_provider_sdk.testing.stopwatch",
)

_PROPERTY = "parley_check"
_SHOWN = 300


class Told(NamedTuple):
    """What became of one check, and whose it is: the test class, as pytest names it."""

    subject: str
    finding: Finding


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that writes the report."""
    parser.getgroup("parley").addoption(
        "--parley-report",
        metavar="FILE",
        help="write what became of each check of the provider contracts, as JSON",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Listens to the run."""
    config.pluginmanager.register(Reporter(config), "parley-report")


class Reporter:
    """Keeps what a run tells of contracts."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._findings: dict[tuple[str, str], Finding] = {}

    @property
    def reports(self) -> list[Report]:
        """A report for each contract that has run."""
        told: dict[str, list[Finding]] = {}
        for (subject, _), finding in self._findings.items():
            told.setdefault(subject, []).append(finding)
        return [Report(subject, findings) for subject, findings in told.items()]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leaves out what a provider is exempt from, and marks the rest as checks."""
        left_out = [item for item in items if self._is_left_out(item)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            gone = set(left_out)
            items[:] = [item for item in items if item not in gone]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes in how a step of a check went; one that failed decides."""
        value: Any
        for name, value in report.user_properties:
            if name == _PROPERTY and (report.when == "call" or not report.passed):
                subject, finding = _from_json(value)
                known = self._findings.get((subject, finding.check))
                if known is None or known.verdict is not Verdict.FAILED:
                    self._findings[subject, finding.check] = _judged(finding, report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes in what a worker left out."""
        for value in getattr(node, "workeroutput", {}).get(_PROPERTY, ()):
            self._keep(*_from_json(value))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Writes the report, or tells it to the process that will."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_PROPERTY] = [
                _as_json(subject, finding)
                for (subject, _), finding in self._findings.items()
                if finding.verdict is Verdict.EXEMPT
            ]
        elif path := self._config.getoption("--parley-report"):
            document = {
                "ok": bool(self.reports) and all(report.ok for report in self.reports),
                "reports": [report.document() for report in self.reports],
            }
            text = json.dumps(document, indent=2, ensure_ascii=False)
            Path(path).write_text(f"{text}\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints the report: all of it when it is of one contract, else what did not pass."""
        reports = self.reports
        if reports:
            terminalreporter.section("provider contract", sep="=")
        for report in reports:
            is_whole = len(reports) == 1 or self._config.get_verbosity() > 0
            for line in report.lines(whole=is_whole):
                terminalreporter.line(line)

    def _is_left_out(self, item: pytest.Item) -> bool:
        """Says whether a test is a check that is left out; keeps why, or what the check is."""
        if not isinstance(item, pytest.Function) or not (found := check_of(item.function)):
            return False
        subject, _, _ = item.nodeid.rpartition("::")
        exempt: Mapping[str, str] = getattr(item.cls, "exempt", {})
        _refuse_unknown(subject, item.cls, exempt)
        name = item.originalname
        reason = exempt.get(found.feature) or exempt.get(name) if found.feature else None
        finding = Finding(
            name.removeprefix("test_").replace("_", " "),
            found.rung,
            Verdict.EXEMPT if reason else Verdict.PASSED,
            reason or "",
            found.means,
            found.advice,
        )
        if reason:
            self._keep(subject, finding)
        else:
            item.user_properties.append((_PROPERTY, _as_json(subject, finding)))
        return bool(reason)

    def _keep(self, subject: str, finding: Finding) -> None:
        self._findings[subject, finding.check] = finding


def _refuse_unknown(subject: str, cls: type, exempt: Mapping[str, str]) -> None:
    """Refuses an exemption from what is no feature, and from what nobody may lack."""
    allowed = {*FEATURES, *(name for name, found in _checks(cls) if found.feature)}
    for name in exempt:
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            raise pytest.UsageError(f"{subject} cannot be exempt from {name!r}, only from: {known}")


def _checks(cls: type) -> Iterator[tuple[str, Check]]:
    for name in dir(cls):
        if found := check_of(getattr(cls, name)):
            yield name, found


def _judged(finding: Finding, report: pytest.TestReport) -> Finding:
    if report.passed:
        return finding
    verdict = Verdict.FAILED if report.failed else Verdict.EXEMPT
    return replace(finding, verdict=verdict, detail=_seen(report))


def _seen(report: pytest.TestReport) -> str:
    """Returns what a failed or skipped test said, in one line."""
    told = report.longrepr
    crash = getattr(told, "reprcrash", None)
    words = crash.message if crash else told[2] if isinstance(told, tuple) else str(told)
    return " ".join(words.split())[:_SHOWN]


def _as_json(subject: str, finding: Finding) -> Mapping[str, str]:
    # Plain texts only: it crosses from worker to controller.
    return {"subject": subject, **finding.document()}


def _from_json(value: Mapping[str, str]) -> Told:
    return Told(value["subject"], Finding.of(value))
