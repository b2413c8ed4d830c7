"""All that the OpenAPI document allows and forbids, tried by schemathesis on a running platform.

Every check that it has, in every phase, in the names of two users and an administrator: P1, P25,
and what is deleted stays so. `make security` tries more, with any seed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from parley_tests.platform import SERVICES, Platform

from .document import document, operations
from .exploration import Plan, explore

pytestmark = pytest.mark.api

FEW = Plan(examples=5, seed=1, within_seconds=110)


def test_schemathesis_finds_nothing(parley: Platform, tmp_path: Path) -> None:
    processes = {name: parley.processes[name].pid for name in SERVICES}

    report, printed = explore(parley, tmp_path, FEW)

    assert ([], []) == (report["failures"], report["errors"]), printed
    assert len(operations(document())) == report["operations"]["tested"]
    assert {"success"} == {phase["status"] for phase in report["phases"].values()}
    assert report["complete"]
    assert 1000 < report["test_cases"]["generated"]
    for name in SERVICES:
        assert (processes[name], None) == (
            parley.processes[name].pid,
            parley.processes[name].poll(),
        )
        assert "traceback" not in parley.log(name)
