"""Every failure of the vendor has its class, row by row."""

import json
from typing import Any

import pytest
from parley_provider_google.errors import error_of, from_answer, from_event, retry_after
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BadRequest,
    BadResponse,
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
from parley_tests.google_peer.failures import FAILURES, body_of

pytestmark = pytest.mark.unit

SECRET = "AIza-secret"
NAMED = {
    "authentication": AuthenticationFailed,
    "unauthenticated": AuthenticationFailed,
    "permission_denied": AuthenticationFailed,
    "billing_disabled": QuotaExhausted,
    "no_free_tier": QuotaExhausted,
    "model_not_found": ModelNotFound,
    "context_too_long": ContextTooLong,
    "payload_too_large": TooLarge,
    "too_large": TooLarge,
    "bad_request": BadRequest,
    "no_thinking": UnsupportedParameter,
    "no_instruction": UnsupportedParameter,
    "no_tools": UnsupportedParameter,
    "rate_limited": RateLimited,
    "busy": RateLimited,
    "day_used_up": QuotaExhausted,
    "quota_exhausted": QuotaExhausted,
    "cancelled": BackendError,
    "internal": BackendError,
    "unimplemented": BadRequest,
    "overloaded": Overloaded,
    "timeout": BackendTimeout,
}


def answered(status: int, body: object, **headers: str) -> ProviderError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return from_answer(Refusal(status, headers, content, SECRET))


def detailed(*details: Any, status: str = "INVALID_ARGUMENT", message: str = "Odd.") -> Any:
    return {"error": {"message": message, "status": status, "details": list(details)}}


def test_every_failure_of_the_peer_is_in_the_table() -> None:
    assert NAMED.keys() == FAILURES.keys()


@pytest.mark.parametrize(("name", "failure"), NAMED.items())
def test_the_vendors_failures(name: str, failure: type[ProviderError]) -> None:
    body = body_of(FAILURES[name], key=SECRET, model="m")
    for form in (body, [body]):
        error = answered(FAILURES[name].code, form)
        assert failure is type(error)
        assert SECRET not in str(error)


@pytest.mark.parametrize(("name", "failure"), NAMED.items())
def test_the_same_failures_within_a_stream(name: str, failure: type[ProviderError]) -> None:
    error = from_event(body_of(FAILURES[name])["error"], SECRET)
    assert (BadRequest if failure is UnsupportedParameter else failure) is type(error)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, {}, BadRequest),
        (402, {}, QuotaExhausted),
        (408, {}, BackendTimeout),
        (502, b"<html>Bad Gateway</html>", BackendError),
        (500, [], BackendError),
        (500, [7], BackendError),
        (504, b"", BackendTimeout),
        (404, {"detail": "Not Found"}, BadResponse),
        (404, b"<html>", BadResponse),
        (404, {"error": "model 'x' not found"}, ModelNotFound),
        (302, b"", BadResponse),
        (204, b"", BadResponse),
        (400, {"error": {"message": "API key expired. Please renew it."}}, AuthenticationFailed),
        (400, {"error": {"message": "API Key not found."}}, AuthenticationFailed),
        (429, {"error": {"message": 7, "status": 8, "details": 9}}, RateLimited),
        (400, {"error": {"details": [7, {"reason": ["x"]}]}}, BadRequest),
    ],
)
def test_other_answers(status: int, body: object, failure: type[ProviderError]) -> None:
    assert failure is type(answered(status, body))


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("API_KEY_INVALID", AuthenticationFailed),
        ("API_KEY_SERVICE_BLOCKED", AuthenticationFailed),
        ("ACCESS_TOKEN_EXPIRED", AuthenticationFailed),
        ("SERVICE_DISABLED", AuthenticationFailed),
        ("CONSUMER_SUSPENDED", AuthenticationFailed),
        ("BILLING_DISABLED", QuotaExhausted),
        ("RATE_LIMIT_EXCEEDED", RateLimited),
        ("SOMETHING_NEW", BadRequest),
    ],
)
def test_reasons_decide_before_the_status(reason: str, failure: type[ProviderError]) -> None:
    assert failure is type(answered(400, detailed({"reason": reason})))


def test_a_days_quota_is_used_up_whatever_else_is_said() -> None:
    info = {"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit": "RequestsPerDay"}}
    error = answered(429, detailed(info, {"retryDelay": "9s"}, status="RESOURCE_EXHAUSTED"))
    assert QuotaExhausted is type(error)
    assert not error.retryable


def test_the_sentence_about_billing_does_not_make_a_limit_a_quota() -> None:
    said = "You exceeded your current quota, please check your plan and billing details."
    minute = {"violations": [{"quotaId": "RequestsPerMinute"}]}
    for detail in (minute, {"retryDelay": "3s"}):
        body = detailed(detail, status="RESOURCE_EXHAUSTED", message=said)
        assert RateLimited is type(answered(429, body))


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("34s", 34.0), ("34.07s", 34.07), ("soon", None), ("-1s", None), ("infs", None), (7, None)],
)
def test_the_delay_is_in_the_details(delay: object, seconds: float | None) -> None:
    error = detailed({"@type": "RetryInfo", "retryDelay": delay})["error"]
    assert seconds == retry_after(error)


def test_the_delay_reaches_whoever_retries() -> None:
    body = body_of(FAILURES["rate_limited"])
    assert 34.0 == answered(429, body).retry_after
    assert 7.0 == answered(429, body, **{"retry-after": "7"}).retry_after
    assert 34.0 == from_event(body["error"], SECRET).retry_after


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        ("Thinking level is not supported for this model.", "reasoning_effort"),
        ("Budget 0 is invalid. This model only works in thinking mode.", "reasoning_effort"),
        (
            "Unknown name \"thinkingLevel\" at 'generation_config': Cannot find field.",
            "reasoning_effort",
        ),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", "system"),
        ("Function calling is not enabled for models/gemma-3-27b-it", "tools"),
        ("function_calling_config is not supported.", "tool_choice"),
        ("JSON mode is not enabled for models/gemma-3-27b-it", "output"),
        ("The model does not support top_p.", "top_p"),
        ("stopSequences is not supported.", "stop"),
        ("Setting the temperature is not supported.", "temperature"),
        ("seed is not supported.", "seed"),
        ("max_output_tokens is not supported.", "max_tokens"),
    ],
)
def test_a_parameter_that_a_model_does_not_take_has_our_name(message: str, parameter: str) -> None:
    error = answered(400, detailed(message=message))
    assert isinstance(error, UnsupportedParameter)
    assert parameter == error.parameter
    assert message in error.message


def test_a_field_that_is_named_in_the_details_is_found() -> None:
    violation = {"field": "generation_config.seed", "description": "seed is not supported."}
    error = answered(400, detailed({"fieldViolations": [violation]}))
    assert isinstance(error, UnsupportedParameter)
    assert "seed" == error.parameter


@pytest.mark.parametrize(
    "message",
    ["temperature must be in the range [0.0, 2.0]", "Image input is not enabled for models/m"],
)
def test_a_wrong_value_is_no_unsupported_parameter(message: str) -> None:
    assert BadRequest is type(answered(400, detailed(message=message)))


def test_an_error_within_a_stream_may_say_no_more_than_its_code() -> None:
    assert Overloaded is type(from_event({"code": 503}, SECRET))
    assert BackendError is type(from_event({"code": "odd"}, SECRET))


@pytest.mark.parametrize("answer", [None, 7, [], [[]], {}, {"error": None}, {"error": ""}])
def test_what_is_no_error_is_none(answer: object) -> None:
    assert {} == error_of(answer)
