"""What plugins raise, as callers see it: row by row."""

from __future__ import annotations

import parley_provider_sdk as sdk
import pytest
from google.rpc import code_pb2
from parley_provider_service.core import faults
from parley_provider_service.core.faults import fault_of
from parley_rpc.status import code_of, to_status

pytestmark = pytest.mark.unit

ROWS = [
    (sdk.ProviderError, "provider_error", code_pb2.UNKNOWN),
    (sdk.AuthenticationFailed, "provider_auth", code_pb2.UNKNOWN),
    (sdk.QuotaExhausted, "provider_quota", code_pb2.FAILED_PRECONDITION),
    (sdk.RateLimited, "rate_limited", code_pb2.RESOURCE_EXHAUSTED),
    (sdk.BackendError, "provider_error", code_pb2.UNKNOWN),
    (sdk.Overloaded, "overloaded", code_pb2.UNAVAILABLE),
    (sdk.BackendTimeout, "timeout", code_pb2.DEADLINE_EXCEEDED),
    (sdk.BackendUnreachable, "unreachable", code_pb2.UNKNOWN),
    (sdk.BadResponse, "bad_response", code_pb2.UNKNOWN),
    (sdk.BadRequest, "bad_request", code_pb2.INVALID_ARGUMENT),
    (sdk.ContextTooLong, "context_length", code_pb2.INVALID_ARGUMENT),
    (sdk.TooLarge, "too_large", code_pb2.INVALID_ARGUMENT),
    (sdk.ContentRefused, "content_filtered", code_pb2.INVALID_ARGUMENT),
    (sdk.ModelNotFound, "model_not_found", code_pb2.NOT_FOUND),
]


def leaves(cls: type[sdk.ProviderError]) -> set[type[sdk.ProviderError]]:
    return {cls}.union(*(leaves(sub) for sub in cls.__subclasses__()))


def test_every_error_of_the_sdk_has_a_row() -> None:
    ours = {cls for cls in leaves(sdk.ProviderError) if cls.__module__.startswith(sdk.__name__)}
    # It also names a parameter, and is any other bad request to whoever does not ask for that.
    ours -= {sdk.UnsupportedParameter}

    assert ours == {row[0] for row in ROWS}


@pytest.mark.parametrize(("error", "reason", "code"), ROWS)
def test_an_error_keeps_its_reason_and_sentence(
    error: type[sdk.ProviderError], reason: str, code: int
) -> None:
    fault = fault_of(error("It did not work.", retry_after=2.5), "acme", "small")

    assert (reason, "It did not work.", 2.5, code) == (
        fault.reason,
        fault.sentence,
        fault.retry_after,
        code_of(fault),
    )
    assert {"provider": "acme", "model": "small"} == fault.metadata


def test_a_reason_of_a_plugins_own_is_a_provider_error() -> None:
    class Hiccup(sdk.ProviderError):
        reason = "hiccup"

    assert "provider_error" == fault_of(Hiccup("Hic."), "acme", "small").reason


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, None),
        (0.5, 0.5),
        (-3, 0.0),
        (1e9, 3600.0),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_a_wait_that_makes_no_sense_is_not_passed_on(
    asked: float | None, told: float | None
) -> None:
    error = sdk.RateLimited("Slower.", retry_after=asked)

    assert told == fault_of(error, "acme", "small").retry_after


def test_a_long_sentence_fits_into_a_header() -> None:
    fault = fault_of(sdk.BadRequest("\N{WAVING BLACK FLAG}" * 10_000), "acme", "small")

    assert 400 == len(fault.sentence)
    assert to_status(fault, "provider.parley").ByteSize() < 4_096


def test_near_names_are_told() -> None:
    fault = faults.ModelNotFound.near("acme", "smal", ["small", "smaller"])

    assert (
        "The provider 'acme' has no model 'smal'. Did you mean small or smaller?" == fault.sentence
    )
    assert {"provider": "acme", "model": "smal", "near": "small, smaller"} == fault.metadata
