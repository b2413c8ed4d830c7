"""Every failure of the vendor has its class, row by row."""

import orjson
import pytest
from parley_provider_ollama.errors import from_answer, from_event
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
    RateLimited,
    UnsupportedParameter,
)
from parley_provider_sdk.failures import Refusal
from parley_tests.ollama_peer import ERRORS, OllamaDialect

pytestmark = pytest.mark.unit

SECRET = "sk-secret"
NAMED = {
    "authentication": AuthenticationFailed,
    "bad_think": BadRequest,
    "invalid_name": ModelNotFound,
    "model_required": ModelNotFound,
    "model_not_found": ModelNotFound,
    "not_pulled": ModelNotFound,
    "no_tools": UnsupportedParameter,
    "no_thinking": UnsupportedParameter,
    "no_chat": BadRequest,
    "input_too_long": ContextTooLong,
    "context_size": ContextTooLong,
    "prompt_too_long": ContextTooLong,
    "too_many_images": BackendError,
    "canceled": BackendError,
    "usage_limit": RateLimited,
    "server_busy": RateLimited,
    "unavailable": Overloaded,
    "runner_died": BackendError,
    "no_memory": BackendError,
    "slow_load": BackendTimeout,
    "remote_away": BackendError,
    "midway": BackendError,
}


def answered(status: int, body: object) -> ProviderError:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return from_answer(Refusal(status, {}, content, SECRET))


def named(name: str, **words: str) -> ProviderError:
    status, body, _ = OllamaDialect().failure(name, key=SECRET, **words)
    return from_answer(Refusal(status, {}, body, SECRET))


def test_every_failure_of_the_peer_is_in_the_table() -> None:
    assert NAMED.keys() == ERRORS.keys()


@pytest.mark.parametrize(("name", "failure"), NAMED.items())
def test_the_vendors_failures(name: str, failure: type[ProviderError]) -> None:
    error = named(name)
    assert failure is type(error)
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        # A sentence decides only beside its own status.
        (500, {"error": "server busy, please try again."}, BackendError),
        (503, {"error": "the server is busy"}, Overloaded),
        (503, {"error": "Not now: server busy, please try again"}, Overloaded),
        (400, {"error": "model 'x' not found"}, BadRequest),
        (400, {"error": "timed out waiting for llama"}, BadRequest),
        (500, {"error": "x does not support tools"}, BackendError),
        # Other words of other servers.
        (
            400,
            {"error": {"message": "the input length exceeds the context length"}},
            ContextTooLong,
        ),
        (500, {"error": "input exceeds maximum context length and cannot be …"}, ContextTooLong),
        (404, {"error": "model x not found"}, ModelNotFound),
        (404, {"error": "gone"}, ModelNotFound),
        (400, {"error": "x does not support insert"}, BadRequest),
        (403, {"error": "cloud is disabled"}, AuthenticationFailed),
        (404, {"detail": "Not Found"}, BadResponse),
        (404, b"404 page not found", BadResponse),
        (404, {"error": 7}, BadResponse),
        (302, b"", BadResponse),
        (204, b"", BadResponse),
        (502, b"<html>Bad Gateway</html>", BackendError),
        (504, b"", BackendTimeout),
        (418, [], BadRequest),
    ],
)
def test_other_failures(status: int, body: object, failure: type[ProviderError]) -> None:
    assert failure is type(answered(status, body))


@pytest.mark.parametrize("name", ["model_not_found", "not_pulled"])
def test_a_model_that_is_not_there_can_be_pulled(name: str) -> None:
    assert "`ollama pull qwen3:8b`" in str(named(name, model="qwen3:8b"))


def test_a_model_that_nobody_names_can_be_pulled_too() -> None:
    assert "`ollama pull <model>`" in str(answered(404, {"error": "gone"}))
    assert "`ollama pull <model>`" in str(
        answered(404, {"error": f"model '{'x' * 100}' not found"})
    )


@pytest.mark.parametrize(
    ("name", "parameter"), [("no_tools", "tools"), ("no_thinking", "reasoning_effort")]
)
def test_what_a_model_does_not_support_has_our_name(name: str, parameter: str) -> None:
    error = named(name)
    assert isinstance(error, UnsupportedParameter)
    assert parameter == error.parameter
    assert "does not support" in error.message


def test_several_that_it_does_not_support_come_one_after_the_other() -> None:
    error = answered(400, {"error": "x does not support vision\nthinking\ntools"})
    assert isinstance(error, UnsupportedParameter)
    assert "tools" == error.parameter


def test_memory_that_is_not_there_will_not_be_there_again() -> None:
    assert not named("no_memory").retryable
    assert "memory" in str(named("no_memory"))
    assert named("runner_died").retryable


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (ERRORS["midway"].error, BackendError),
        (ERRORS["runner_died"].error, BackendError),
        (ERRORS["context_size"].error, ContextTooLong),
        (ERRORS["slow_load"].error, BackendTimeout),
        ("model 'x' not found", ModelNotFound),
        ("x does not support tools", BackendError),
        ({"message": "odd"}, BackendError),
        (7, BackendError),
        (f"{SECRET} exceeds the context length", ContextTooLong),
    ],
)
def test_an_error_within_a_stream(said: object, failure: type[ProviderError]) -> None:
    error = from_event(said, SECRET)
    assert failure is type(error)
    assert SECRET not in str(error)
