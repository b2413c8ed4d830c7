"""A plugin author's run: asserts that show what they saw, exemptions, and the report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit
pytest_plugins = ["pytester"]

CONTRACT = """
import asyncio
import pytest
from parley_provider_sdk import *
from parley_provider_sdk.testing import ProviderContract, fold
from parley_provider_sdk.testing.checks.catalog import Catalog


class Small:
    def chat_completion(self, request): ...
    async def list_models(self):
        return [ModelInfo("small-1")]
    async def health_check(self):
        return Health(healthy=HEALTHY, detail="It is unwell.")
    async def aclose(self): ...


class Peer:
    def says(self, deltas): ...


class TestSmall(Catalog):
    model = "small-1"
    exempt = EXEMPT

    @pytest.fixture
    def peer(self):
        return Peer()

    @pytest.fixture
    def provider(self):
        return Small()
"""
# Only what is needed is loaded: all of this environment's plugins take seconds.
PLUGINS = ["pytest_asyncio.plugin", "xdist.plugin", "parley_provider_sdk.testing.plugin"]
CONFIG = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture(autouse=True)
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def start(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    return pytester.runpytest_subprocess(*plugins, "--parley-report=report.json", *arguments)


def run(
    pytester: pytest.Pytester, *arguments: str, healthy: bool = True, exempt: Any = ()
) -> tuple[pytest.RunResult, dict[str, Any]]:
    pytester.makeini(CONFIG)
    settings = f"HEALTHY, EXEMPT = {healthy}, {dict(exempt)}\n"
    pytester.makepyfile(test_small=settings + CONTRACT)
    result = start(pytester, *arguments)
    path = Path(pytester.path / "report.json")
    return result, json.loads(path.read_text()) if path.exists() else {}


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["verdict"] for one in report["findings"]}


def test_a_report_is_printed_and_written(pytester: pytest.Pytester) -> None:
    result, document = run(pytester)
    result.stdout.fnmatch_lines(
        ["*provider contract*", "test_small.py::TestSmall: 2 passed", "*bronze: it answers"]
    )
    assert document["ok"]
    assert verdicts(document["reports"][0]) == {
        "models include ours": "passed",
        "health is good": "passed",
    }


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_failure_says_what_it_means_what_to_do_and_what_was_seen(
    pytester: pytest.Pytester, workers: Sequence[str]
) -> None:
    result, document = run(pytester, *workers, healthy=False)
    result.stdout.fnmatch_lines(["*FAILED  health is good", "*Means:*", "*Do:*", "*Saw:*unwell*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not document["ok"]
    (report,) = document["reports"]
    (failed,) = [one for one in report["findings"] if one["verdict"] == "failed"]
    assert "It is unwell." in failed["detail"]
    assert failed["means"]
    assert failed["advice"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_an_exempt_check_does_not_run_and_is_reported_with_its_reason(
    pytester: pytest.Pytester, workers: Sequence[str]
) -> None:
    source = (
        "from parley_provider_sdk.testing.checks.replies import Replies\n"
        "from test_small import TestSmall as Small, EXEMPT\n"
        "class TestExempt(Small, Replies):\n"
        "    exempt = {'omitted_usage': 'we always count', "
        "'test_split_characters_come_whole': 'it has no bytes'}\n"
    )
    pytester.makepyfile(test_exempt=source)
    names = ["test_exempt.py", "-k", "TestExempt and (health or omits or split)"]
    result, document = run(pytester, *workers, *names)
    result.stdout.fnmatch_lines(["*exempt  usage that the vendor omits is marked: we always count"])
    assert result.parseoutcomes().get("passed") == 1
    told = verdicts(document["reports"][0])
    assert told["usage that the vendor omits is marked"] == "exempt"
    assert told["split characters come whole"] == "exempt"
    assert document["ok"]


@pytest.mark.parametrize("name", ["wings", "test_health_is_good"])
def test_nobody_is_exempt_from_what_nobody_may_lack(pytester: pytest.Pytester, name: str) -> None:
    result, _ = run(pytester, exempt={name: "we are special"})
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*TestSmall cannot be exempt from '{name}', only from: *"])


def test_a_run_without_a_contract_prints_no_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): ...")
    result = start(pytester)
    result.stdout.no_fnmatch_line("*provider contract*")
    document = json.loads((pytester.path / "report.json").read_text())
    assert document == {"ok": False, "reports": []}
