"""Answers that are refusals, or nonsense."""

import json

import pytest
from parley_client import FieldError, ProblemError, UnexpectedAnswer
from parley_client.answers import Answer, problem
from parley_client.calls import about, get_chat, health, list_prompts

pytestmark = pytest.mark.unit

PROBLEM = {
    "title": "Limit exceeded",
    "status": 429,
    "detail": "1000 requests are allowed in an hour.",
    "instance": "0198",
    "reason": "limit_exceeded",
    "retryable": True,
    "metadata": {"limit": "1000"},
    "errors": [{"pointer": "/message", "detail": "Too long."}],
}


def answer(status: int, body: object, kind: str = "application/json", **headers: str) -> Answer:
    return Answer(status, {"content-type": kind, **headers}, json.dumps(body).encode())


def test_a_problem_document_becomes_an_error_with_all_it_says() -> None:
    refusal = answer(429, PROBLEM, "application/problem+json", **{"retry-after": "3"})
    with pytest.raises(ProblemError, match=r"limit_exceeded \(429\): 1000 requests") as caught:
        about().answered(refusal)
    error = caught.value
    assert (error.status, error.reason, error.title) == (429, "limit_exceeded", "Limit exceeded")
    assert (error.retryable, error.retry_after, error.request_id) == (True, 3.0, "0198")
    assert error.metadata == {"limit": "1000"}
    assert error.errors == (FieldError("/message", "Too long."),)


@pytest.mark.parametrize("document", [{}, [], {"errors": ["?"], "status": "x", "metadata": 3}])
def test_a_problem_that_lacks_everything_is_still_one(document: object) -> None:
    assert (problem(document).status, problem(document).reason) == (500, "unknown")


def test_a_page_of_somebody_else_is_no_answer() -> None:
    page = Answer(502, {"content-type": "text/html; charset=utf-8"}, b"<h1>Bad gateway</h1>")
    with pytest.raises(UnexpectedAnswer, match=r"Status 502 \(text/html\)"):
        about().answered(page)


@pytest.mark.parametrize(
    "body", ["text", {"name": 1, "version": "1"}, {"version": "1"}, {"name": None, "version": "1"}]
)
def test_an_answer_of_another_shape_is_said_to_be_one(body: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        about().answered(answer(200, body))


def test_an_answer_that_is_no_json_is_said_to_be_none() -> None:
    with pytest.raises(UnexpectedAnswer, match="no JSON"):
        about().answered(Answer(200, {}, b"<"))


def test_a_list_that_is_missing_is_said_to_be_missing() -> None:
    with pytest.raises(UnexpectedAnswer, match="no list of Prompt"):
        list_prompts().answered(answer(200, {}))


def test_an_unhealthy_platform_is_an_answer() -> None:
    body = {"status": "degraded", "version": "1", "services": {"chat": "away"}, "providers": {}}
    assert health().answered(answer(503, body)).services == {"chat": "away"}


def test_a_timestamp_keeps_its_zone_and_unknown_fields_are_ignored() -> None:
    times = {"created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-23T10:00:00.5+00:00"}
    body = {"chat_id": "a", "title": "A", "message_count": 0, "new": 1, "messages": [], **times}
    history = get_chat("a").answered(answer(200, body))
    assert history.chat.created_at.isoformat() == "2026-11-23T10:00:00+00:00"
    assert history.messages.next_page_token is None
