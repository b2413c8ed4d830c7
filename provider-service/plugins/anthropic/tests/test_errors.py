"""Every failure of the vendor has its class, row by row."""

import orjson
import pytest
from anthropic._error_classes import ERROR_CLASSES
from parley_provider_anthropic.errors import BY_CODE, BY_TYPE, from_answer, from_event
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
from parley_tests.anthropic_peer import ERRORS, error_body

pytestmark = pytest.mark.unit

SECRET = "sk-ant-secret"
NAMED = {
    "authentication": AuthenticationFailed,
    "permission": AuthenticationFailed,
    "on_hold": AuthenticationFailed,
    "model_not_found": ModelNotFound,
    "bad_request": BadRequest,
    "unprocessable": BadRequest,
    "temperature": UnsupportedParameter,
    "extra_inputs": UnsupportedParameter,
    "effort": UnsupportedParameter,
    "thinking": UnsupportedParameter,
    "forced_tool": UnsupportedParameter,
    "prompt_too_long": ContextTooLong,
    "context_limit": ContextTooLong,
    "content_filter": ContentRefused,
    "own_spend_limit": QuotaExhausted,
    "credit_balance": QuotaExhausted,
    "billing": QuotaExhausted,
    "rate_limit": RateLimited,
    "ramp_limit": RateLimited,
    "enforced_spend_limit": QuotaExhausted,
    "monthly_spend_limit": QuotaExhausted,
    "request_timeout": BackendTimeout,
    "conflict": BackendError,
    "too_large": TooLarge,
    "api_error": BackendError,
    "unavailable": Overloaded,
    "timeout": BackendTimeout,
    "overloaded": Overloaded,
}


def answered(status: int, body: object, **headers: str) -> ProviderError:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return from_answer(Refusal(status, headers, content, SECRET))


def prose(message: str) -> dict[str, object]:
    return {"error": {"type": "invalid_request_error", "message": message}}


def test_every_failure_of_the_peer_is_in_the_table() -> None:
    assert ERRORS.keys() == NAMED.keys()


@pytest.mark.parametrize(("name", "failure"), NAMED.items())
def test_the_vendors_failures(name: str, failure: type[ProviderError]) -> None:
    error = answered(ERRORS[name].status, error_body(name, key=SECRET))
    assert failure is type(error)
    assert SECRET not in str(error)


def test_every_code_of_the_table_is_one_of_the_librarys() -> None:
    assert BY_CODE.keys() <= {code for _, code in ERROR_CLASSES}


@pytest.mark.parametrize(("code", "failure"), BY_CODE.items())
def test_a_code_decides_before_the_type(code: str, failure: type[ProviderError]) -> None:
    details = {"error_code": code}
    error = {"type": "rate_limit_error", "message": "odd", "details": details}
    assert failure is type(answered(429, {"type": "error", "error": error}))


@pytest.mark.parametrize(("kind", "failure"), BY_TYPE.items())
def test_a_type_decides_before_the_status(kind: str, failure: type[ProviderError]) -> None:
    error = {"type": kind, "message": "odd", "details": None}
    assert failure is type(answered(400, {"type": "error", "error": error}))
    assert failure is type(from_event(error, SECRET))


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
        (302, b"", BadResponse),
        (204, b"", BadResponse),
        (413, prose("odd"), TooLarge),
        (429, {"error": {"type": "odd", "details": "odd"}}, RateLimited),
        (400, {"error": {"type": ["odd"], "message": {"odd": 1}}}, BadRequest),
        (500, [], BackendError),
    ],
)
def test_other_servers_failures(status: int, body: object, failure: type[ProviderError]) -> None:
    assert failure is type(answered(status, body))


@pytest.mark.parametrize(
    "message",
    [
        "The prompt is too long: say less",
        "messages.0: prompt is too long",
        "Why have I reached your specified API usage limits?",
        "`temperature` and `top_p` cannot both be specified for this model.",
        "tools.3.custom.input_examples: Extra inputs are not permitted",
        "`weather` is deprecated for this model.",
    ],
)
def test_other_sentences_are_only_what_the_status_says(message: str) -> None:
    error = answered(400, prose(message))
    assert BadRequest is type(error)
    assert message in error.message


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("`top_p` is deprecated for this model.", "top_p"),
        ("temperature: Extra inputs are not permitted", "temperature"),
        ("thinking: Extra inputs are not permitted", "reasoning_effort"),
        ("output_config.format: Extra inputs are not permitted", "output"),
        ("stop_sequences: Extra inputs are not permitted", "stop"),
        ("This model does not support the effort parameter.", "reasoning_effort"),
        ('"thinking.type.disabled" is not supported for this model. Use …', "reasoning_effort"),
        ('tool_choice: type "tool" and "any" are not supported for this model.', "tool_choice"),
    ],
)
def test_a_parameter_that_the_model_does_not_take_is_named(message: str, parameter: str) -> None:
    error = answered(400, prose(message))
    assert isinstance(error, UnsupportedParameter)
    assert parameter == error.parameter


def test_the_vendors_words_are_cut_and_hold_no_key() -> None:
    message = answered(400, prose(f"{SECRET} is odd " + "x" * 1000)).message
    assert SECRET not in message
    assert len(message) < 400


def test_the_vendor_says_when_to_come_back() -> None:
    error = answered(429, error_body("rate_limit"), **{"retry-after": "7"})
    assert (7.0, True) == (error.retry_after, error.retryable)
    assert not answered(429, error_body("enforced_spend_limit")).retryable


def test_the_vendor_may_forbid_another_try() -> None:
    assert answered(500, {}).retryable
    assert not answered(500, {}, **{"x-should-retry": "false"}).retryable
