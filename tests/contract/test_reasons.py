"""Each reason for a failure stands in the contract, in one class, and in the gateway's table."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import parley_gateway.api.problems
import parley_gateway.core.faults
import parley_provider_service.core.faults  # noqa: F401  (its classes are found below)
import pytest
from parley_rpc.faults import Fault

from parley.errors.v1.error_reason_pb2 import ErrorReason

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "protos/proto/parley/errors/v1/error_reason.proto"
PREFIX = "ERROR_REASON_"
REASONS = sorted(
    name.removeprefix(PREFIX).lower() for name, number in ErrorReason.items() if number
)


def classes(root: type[Fault] = Fault) -> set[type[Fault]]:
    below = {cls for child in root.__subclasses__() for cls in classes(child)}
    return {root} | below


def own_reasons() -> Counter[str]:
    return Counter(
        cls.__dict__["reason"]
        for cls in classes()
        if cls.__module__.startswith("parley_") and cls.__dict__.get("reason")
    )


def test_every_reason_has_exactly_one_fault() -> None:
    assert dict.fromkeys(REASONS, 1) == dict(sorted(own_reasons().items()))


def test_every_reason_has_a_row_at_the_gateway() -> None:
    assert REASONS == sorted(parley_gateway.api.problems.PROBLEMS)


def test_every_reason_has_an_example_of_its_own() -> None:
    text = PROTO.read_text()
    examples = {
        name.lower(): json.loads(example)["reason"]
        for example, name in re.findall(r"// Example: (\{.*\})\n  ERROR_REASON_(\w+) =", text)
    }

    assert {reason: reason for reason in REASONS} == examples


def test_every_reason_has_a_heading_in_the_gateways_readme() -> None:
    readme = (ROOT / "gateway/README.md").read_text()
    headings = set(re.findall(r"^#+ `?(\w+)`?$", readme, re.MULTILINE))

    assert [] == [reason for reason in REASONS if reason not in headings]
