"""Every failure of the vendor has its class, row by row."""

from typing import get_args

import orjson
import pytest
from openai.types.responses import ResponseError
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
from parley_tests.openai_peer.failures import ERRORS, error_body

pytestmark = pytest.mark.unit

SECRET = "sk-secret"
NAMED = {
    "invalid_api_key": AuthenticationFailed,
    "permission_denied": AuthenticationFailed,
    "model_not_found": ModelNotFound,
    "context_length_exceeded": ContextTooLong,
    "content_policy_violation": ContentRefused,
    "invalid_prompt": ContentRefused,
    "bad_request": UnsupportedParameter,
    "unsupported_parameter": UnsupportedParameter,
    "timeout": BackendTimeout,
    "conflict": BackendError,
    "too_large": TooLarge,
    "unprocessable": BadRequest,
    "rate_limit_exceeded": RateLimited,
    "insufficient_quota": QuotaExhausted,
    "server_error": BackendError,
    "overloaded": Overloaded,
    "slow_down": Overloaded,
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
        (404, {"object": "error", "message": "no 'x'", "code": 404}, ModelNotFound),
        (400, {"object": "error", "type": "exceed_context_size_error"}, ContextTooLong),
        (400, {"error": {"message": "This model's maximum context length is 9."}}, ContextTooLong),
        (400, {"error": "The prompt is longer than the maximum model length of 9"}, ContextTooLong),
        (400, {"error": {"code": ["odd"], "type": {}, "param": []}}, BadRequest),
        (400, {"error": {"code": "unsupported_value", "param": "n"}}, BadRequest),
        (400, {"error": {"code": "unsupported_value", "param": None}}, BadRequest),
        (400, {"error": {"code": "invalid_value", "param": "temperature"}}, BadRequest),
        (400, {"error": {"code": "invalid_encrypted_content"}}, BadRequest),
        (503, {"error": {"code": "server_error"}}, Overloaded),
        (401, {"error": {"type": "invalid_request_error"}}, AuthenticationFailed),
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


@pytest.mark.parametrize(
    ("parameter", "ours"),
    [
        ("temperature", "temperature"),
        ("reasoning.summary", "reasoning_effort"),
        ("text.format.schema", "output"),
        ("max_tokens", "max_tokens"),
    ],
)
@pytest.mark.parametrize("code", ["unsupported_value", "unsupported_parameter"])
def test_a_parameter_that_is_not_taken_has_our_name(parameter: str, ours: str, code: str) -> None:
    error = answered(400, {"error": {"code": code, "param": parameter, "message": "No."}})
    assert isinstance(error, UnsupportedParameter)
    assert error.parameter == ours
    assert "No." in error.message


IN_STREAM = {
    "rate_limit_exceeded": RateLimited,
    "server_error": BackendError,
    "server_is_overloaded": Overloaded,
    "slow_down": Overloaded,
    "insufficient_quota": QuotaExhausted,
    "context_length_exceeded": ContextTooLong,
    "invalid_prompt": ContentRefused,
    "bio_policy": ContentRefused,
    "misalignment_policy_violation": ContentRefused,
    "image_content_policy_violation": ContentRefused,
    "data_residency_mismatch": BadRequest,
    "vector_store_timeout": BackendTimeout,
    "image_too_large": TooLarge,
    "image_file_too_large": TooLarge,
    "image_too_small": BadRequest,
    "image_parse_error": BadRequest,
    "image_file_not_found": BadRequest,
    "invalid_image": BadRequest,
    "invalid_image_format": BadRequest,
    "invalid_image_mode": BadRequest,
    "invalid_image_url": BadRequest,
    "invalid_base64_image": BadRequest,
    "unsupported_image_media_type": BadRequest,
    "empty_image_file": BadRequest,
    "failed_to_download_image": BadRequest,
}


@pytest.mark.parametrize(("code", "failure"), IN_STREAM.items())
def test_an_error_within_a_stream_has_no_status(code: str, failure: type[ProviderError]) -> None:
    assert type(from_event({"code": code, "message": "odd"}, SECRET)) is failure


def test_every_code_of_a_failed_response_is_in_the_table() -> None:
    codes = get_args(ResponseError.model_fields["code"].annotation)
    assert not set(codes) - IN_STREAM.keys()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"message": "odd"}, BackendError),
        ({"code": "novel", "type": "invalid_request_error"}, BadRequest),
        ({"code": None, "type": "tokens"}, RateLimited),
        ({"code": 429}, RateLimited),
        ({"code": 599}, BackendError),
        ({"code": ["odd"], "type": {}}, BackendError),
    ],
)
def test_other_errors_within_a_stream(
    error: dict[str, object], failure: type[ProviderError]
) -> None:
    assert type(from_event(error, SECRET)) is failure
