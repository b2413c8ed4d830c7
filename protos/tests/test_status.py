"""Faults survive the wire in both directions."""

import pytest
from google.rpc import code_pb2
from parley_rpc import faults
from parley_rpc.faults import Fault, Violation, kind_of, reason_of
from parley_rpc.status import CODES, code_of, from_status, to_status

pytestmark = pytest.mark.unit


class TeapotFault(faults.NotFound):
    """A leaf of a service."""

    reason = "teapot"


@pytest.mark.parametrize("kind", CODES)
def test_every_kind_keeps_its_code_and_reason(kind: type[Fault]) -> None:
    fault = kind() if kind is faults.DatabaseUnavailable else kind("It failed.")

    read = from_status(to_status(fault, "chat.parley"))

    assert CODES[kind] == code_of(read)
    assert kind.reason == reason_of(read)


def test_a_leaf_passes_through_two_services_unchanged() -> None:
    fault = TeapotFault("No pot of tea.", retry_after=2.5, pot="green")

    once = from_status(to_status(fault, "kitchen.parley"))
    twice = from_status(to_status(once, "chat.parley"))

    assert (code_of(twice), reason_of(twice)) == (code_pb2.NOT_FOUND, "teapot")
    assert (twice.metadata, twice.retry_after) == ({"pot": "green"}, 2.5)
    assert isinstance(twice, faults.RemoteFault)
    assert twice.origin.domain == "kitchen.parley"
    assert faults.NotFound is kind_of(twice)


def test_violations_name_their_fields() -> None:
    read = from_status(to_status(faults.InvalidArgument.of("content", "must not be blank"), ""))

    assert (Violation("content", "must not be blank"),) == read.violations


def test_a_database_that_is_away_says_when_to_come_back() -> None:
    read = from_status(to_status(faults.DatabaseUnavailable(), "chat.parley"))

    assert (code_of(read), read.retry_after) == (code_pb2.UNAVAILABLE, 1.0)


def test_a_missing_scope_is_named_and_is_a_denied_permission() -> None:
    read = from_status(to_status(faults.ScopeMissing("chat"), "chat.parley"))

    assert (code_of(read), reason_of(read)) == (code_pb2.PERMISSION_DENIED, "scope_missing")
    assert read.metadata == {"scope": "chat"}
