"""A vendor's answer has its class by its status, and its wait by its headers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BadRequest,
    BadResponse,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RateLimited,
    UnsupportedParameter,
)
from parley_provider_sdk.failures import BY_STATUS, Refusal, error_in, retry_after, sentence_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        *BY_STATUS.items(),
        (418, BadRequest),
        (502, BackendError),
        (599, BackendError),
        (204, BadResponse),
        (302, BadResponse),
    ],
)
def test_a_status_has_its_class(status: int, failure: type[ProviderError]) -> None:
    assert type(Refusal(status, {}, b"").failure()) is failure


def test_the_vendors_own_word_decides_before_the_status() -> None:
    assert type(Refusal(400, {}, b"").failure(RateLimited)) is RateLimited


def test_the_vendors_words_are_for_bad_requests_only_and_hold_no_key() -> None:
    said = "sk-1 is odd " + "x" * 1000
    shown = Refusal(400, {}, b"", "sk-1").failure(said=said).message
    hidden = Refusal(401, {}, b"", "sk-1").failure(AuthenticationFailed, said=said).message
    assert "… is odd" in shown
    assert len(shown) < 400
    assert "odd" not in hidden


def test_a_wait_in_the_body_counts_when_no_header_says_one() -> None:
    assert Refusal(429, {}, b"").failure(retry_after=3.0).retry_after == 3.0
    assert Refusal(429, {"retry-after": "7"}, b"").failure(retry_after=3.0).retry_after == 7.0


def test_an_address_without_the_wire_is_not_a_missing_model() -> None:
    assert Refusal(404, {}, b"").is_elsewhere(is_wire=False)
    assert not Refusal(404, {}, b"").is_elsewhere(is_wire=True)


@pytest.mark.parametrize("failure", [Overloaded, ModelNotFound, UnsupportedParameter])
def test_every_failure_has_a_sentence(failure: type[ProviderError]) -> None:
    assert sentence_of(failure).endswith(".")


def test_a_refusal_shows_neither_headers_nor_body() -> None:
    assert "sk-1" not in repr(Refusal(400, {"x": "sk-1"}, b"sk-1", "sk-1"))


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


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": {"code": "busy"}}', {"code": "busy"}),
        (b'{"error": "Busy."}', {"message": "Busy."}),
        (b'{"error": ""}', {}),
        (b'{"error": null}', {}),
        (b'{"error": ["busy"]}', {}),
        (b'["error"]', {}),
        (b"<html>", {}),
        (b"\xff", {}),
        (b"[" * 100_000, {}),
    ],
)
def test_the_error_of_an_answer_is_found(body: bytes, error: dict[str, str]) -> None:
    assert error_in(Refusal(500, {}, body).json()) == error
