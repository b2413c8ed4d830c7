"""Each reason for a failure stands in the contract, in one class, and in the gateway's table."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest
from parley_chat_service.core import faults as chat_faults
from parley_client.grpc.failures import row_of
from parley_gateway.api.problems import PROBLEMS
from parley_gateway.core import faults as gateway_faults
from parley_prompt_service.core import faults as prompt_faults
from parley_provider_service.core import faults as provider_faults
from parley_rpc import faults as shared_faults
from parley_rpc.faults import Fault

from parley.errors.v1.error_reason_pb2 import ErrorReason

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "protos/proto/parley/errors/v1/error_reason.proto"
PREFIX = "ERROR_REASON_"
MODULES = [shared_faults, chat_faults, gateway_faults, prompt_faults, provider_faults]
# What services say; the rest only the gateway does.
SERVICES = [module for module in MODULES if module is not gateway_faults]
REASONS = sorted(
    name.removeprefix(PREFIX).lower() for name, number in ErrorReason.items() if number
)


def own_classes(modules: Iterable[ModuleType]) -> set[type[Fault]]:
    return {
        cls
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, Fault) and cls.__dict__.get("reason")
    }


def own_reasons() -> Counter[str]:
    return Counter(cls.reason for cls in own_classes(MODULES))


def test_every_reason_has_exactly_one_fault() -> None:
    assert dict.fromkeys(REASONS, 1) == dict(sorted(own_reasons().items()))


def test_every_reason_has_a_row_at_the_gateway() -> None:
    assert REASONS == sorted(PROBLEMS)


def test_a_client_that_calls_services_is_told_what_the_gateway_would_say() -> None:
    """By their kinds and `parley_client.grpc.failures.REASONS`."""
    told = {cls.reason: row_of(cls, cls.reason) for cls in own_classes(SERVICES)}

    assert {reason: PROBLEMS[reason][::2] for reason in told} == told


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
