"""Every failure of the vendor has its class, row by row."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.client_reqrep import ConnectionKey
from parley_provider_openai.errors import from_answer, from_event, from_exception, retry_after
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
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
)
from parley_tests.openai_peer.wire import ERRORS, error_body
from yarl import URL

pytestmark = pytest.mark.unit

SECRET = "sk-secret"
NAMED = {
    "invalid_api_key": AuthenticationFailed,
    "permission_denied": AuthenticationFailed,
    "model_not_found": ModelNotFound,
    "context_length_exceeded": ContextTooLong,
    "content_policy_violation": ContentRefused,
    "bad_request": BadRequest,
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
    return from_answer(status, headers, content, SECRET)


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


def date(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "1"}, 1, 1),
        ({"retry-after": "3600"}, 3600, 3600),
        ({"retry-after": "0.5"}, 0.5, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2, 2),
    ],
)
def test_the_wait_is_read(headers: dict[str, str], low: float, high: float) -> None:
    seconds = retry_after(headers)
    assert seconds is not None
    assert low <= seconds <= high


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_the_wait_may_be_a_date(zone: str) -> None:
    seconds = retry_after({"retry-after": date(60).replace("GMT", zone)})
    assert seconds is not None
    assert 55 <= seconds <= 60


def test_a_date_that_has_passed_asks_for_no_wait() -> None:
    assert retry_after({"retry-after": date(-60)}) is None


@pytest.mark.parametrize(
    "value", ["", "-5", "0", "soon", "nan", "inf", "Mon, 99 Xxx 2026 99:99:99 GMT"]
)
def test_a_senseless_wait_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


def _connector_error(cls: Any = aiohttp.ClientConnectorError) -> BaseException:
    key = ConnectionKey("host", 1, False, True, None, None, None)
    error: BaseException = cls(key, OSError(111, "refused"))
    return error


def _response_error() -> BaseException:
    headers: Any = MappingProxyType({"Authorization": SECRET})
    info = aiohttp.RequestInfo(URL("http://x"), "POST", headers, URL("http://x"))
    return aiohttp.ClientResponseError(info, (), message="bad status line")


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (_connector_error(), BackendUnreachable),
        (_connector_error(aiohttp.ClientConnectorDNSError), BackendUnreachable),
        (_connector_error(aiohttp.ClientConnectorSSLError), BackendUnreachable),
        (aiohttp.ConnectionTimeoutError(), BackendUnreachable),
        (aiohttp.ServerDisconnectedError(), BackendUnreachable),
        (aiohttp.ClientPayloadError(), BadResponse),
        (TimeoutError(), BackendTimeout),
        (_response_error(), BadResponse),
        (ConnectionResetError(), BackendUnreachable),
        (RuntimeError(), BackendError),
    ],
)
def test_exceptions_have_their_class(error: BaseException, failure: type[ProviderError]) -> None:
    made = from_exception(error)
    assert type(made) is failure
    assert SECRET not in repr(made)
