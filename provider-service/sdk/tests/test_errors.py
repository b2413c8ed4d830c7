"""Every failure has a reason that the contract knows."""

import pytest
from parley_provider_sdk import BackendError, ProviderError, RateLimited, errors

from parley.errors.v1.error_reason_pb2 import ErrorReason

pytestmark = pytest.mark.unit

TREE = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ProviderError)
]


@pytest.mark.parametrize("failure", TREE, ids=lambda failure: failure.__name__)
def test_reason_is_in_the_contract(failure: type[ProviderError]) -> None:
    assert f"ERROR_REASON_{failure.reason.upper()}" in set(ErrorReason.keys())


@pytest.mark.parametrize("failure", TREE, ids=lambda failure: failure.__name__)
def test_the_drawn_tree_is_the_real_one(failure: type[ProviderError]) -> None:
    assert errors.__doc__ is not None
    row = next(line for line in errors.__doc__.splitlines() if failure.__name__ in line.split())
    assert failure.reason in row.split()
    assert row.startswith(("│", " ")) == (failure.__mro__[1] not in (Exception, ProviderError))


def test_every_reason_of_a_vendor_has_one_class() -> None:
    named = {failure.reason for failure in TREE}
    vendors = {name for name, number in ErrorReason.items() if 80 <= number < 100}
    assert vendors == {f"ERROR_REASON_{reason.upper()}" for reason in named - {"model_not_found"}}


def test_message_and_wait_are_kept() -> None:
    error = RateLimited("Slow down.", retry_after=2.5)
    assert (str(error), error.message, error.retry_after) == ("Slow down.", "Slow down.", 2.5)


def test_the_vendor_may_say_that_trying_again_is_no_use() -> None:
    assert BackendError("It failed.").retryable
    assert not BackendError("It failed.", retryable=False).retryable
