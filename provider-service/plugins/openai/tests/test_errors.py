"""Every failure of the vendor has its class, row by row."""

import orjson
import pytest
from parley_provider_openai.errors import from_answer, from_event
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BadRequest,
    BadResponse,
    ContentRefused,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TooLarge,
    UnsupportedParameter,
)
from parley_provider_sdk.failures import Refusal
from parley_tests.openai_peer.wire import ERRORS, error_body

pytestmark = pytest.mark.unit

SECRET = "sk-secret"
NAMED = {
    "invalid_api_key": AuthenticationFailed,
    "permission_denied": AuthenticationFailed,
    "model_not_found": ModelNotFound,
    "context_length_exceeded": ContextTooLong,
    "content_policy_violation": ContentRefused,
    "bad_request": UnsupportedParameter,
    "timeout": BackendTimeout,
    "conflict": BackendError,
    "too_large": TooLarge,
    "unprocessable": BadRequest,
    "rate_limit_exceeded": RateLimited,
    "insufficient_quota": QuotaExhausted,
    "server_error": BackendError,
    "overloaded": Overloaded,
}


def answered(status: int, body: object, **headers: str) -> ProviderError:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return from_answer(Refusal(status, headers, content, SECRET))


def test_every_failure_of_the_peer_is_in_the_table() -> None:
    assert NAMED.keys() == ERRORS.keys()


@pytest.mark.parametrize(("name", "failure"), NAMED.items())
def test_the_vendors_failures(name: str, failure: type[ProviderError]) -> None:
    error = answered(ERRORS[name].status, error_body(name, key=SECRET))
    assert type(error) is failure
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (402, {}, QuotaExhausted),
        (418, {}, BadRequest),
        (502, b"<html>Bad Gateway</html>", BackendError),
        (504, b"", BackendTimeout),
        (529, {}, Overloaded),
        (404, {"detail": "Not Found"}, BadResponse),
        (404, b"<html>", BadResponse),
        (404, {"error": "model 'x' not found"}, ModelNotFound),
        (404, {"error": {"message": "gone", "code": 404}}, ModelNotFound),
        (302, b"", BadResponse),
        (204, b"", BadResponse),
        (400, {"error": {"type": "exceed_context_size_error", "code": 400}}, ContextTooLong),
        (429, {"error": {"type": "insufficient_quota", "code": None}}, QuotaExhausted),
        (500, [], BackendError),
    ],
)
def test_other_servers_failures(status: int, body: object, failure: type[ProviderError]) -> None:
    assert type(answered(status, body)) is failure


def test_what_is_wrong_with_a_request_the_vendor_says() -> None:
    error = answered(400, error_body("bad_request"))
    assert "'temperature' does not support 0.2" in error.message


def test_the_vendors_words_are_cut_and_hold_no_key() -> None:
    said = {"error": {"message": f"{SECRET} is odd " + "x" * 1000}}
    message = answered(400, said).message
    assert SECRET not in message
    assert len(message) < 400


def test_the_vendor_may_forbid_another_try() -> None:
    assert answered(500, {}).retryable
    assert not answered(500, {}, **{"x-should-retry": "false"}).retryable
    assert answered(400, {}, **{"x-should-retry": "true"}).retryable


def test_an_error_within_a_stream_has_no_status() -> None:
    assert type(from_event({"message": "odd"}, SECRET)) is BackendError
    assert type(from_event({"code": "rate_limit_exceeded"}, SECRET)) is RateLimited
