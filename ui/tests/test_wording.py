"""Figures and failures in words."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from parley_client import (
    Cost,
    FieldError,
    GatewayUnreachable,
    Message,
    ProblemError,
    UnexpectedAnswer,
    Usage,
)
from parley_ui.figures import account, duration, money, tokens
from parley_ui.wording import ADVICE, explain, explain_refusal, is_refusal

pytestmark = pytest.mark.unit

URL = "http://gateway:8000"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0.000125", "$0.000125"),
        ("1.2", "$1.20"),
        ("1234.5", "$1,234.50"),
        ("0.0000001", "less than 0.000001 USD"),
    ],
)
def test_money_has_the_digits_that_say_something(amount: str, shown: str) -> None:
    assert money(Cost(Decimal(amount))) == shown


def test_another_currency_is_named() -> None:
    assert money(Cost(Decimal("0.5"), "EUR")) == "0.50 EUR"


def test_an_estimate_is_marked() -> None:
    assert tokens(Usage(1200, 3)) == "1,200 tokens in, 3 out"
    assert tokens(Usage(1200, 3, source="estimated")) == "about 1,200 tokens in, 3 out"


def test_a_reply_is_accounted_for() -> None:
    reply = Message("m", "assistant", "Hi", "complete", datetime.now(UTC), usage=Usage(1, 2))
    assert account(reply) == "1 tokens in, 2 out · cost unknown"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (45, "45 s"), (60, "1 min"), (61, "2 min"), (3601, "2 h")]
)
def test_a_duration_is_rounded_up(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_gateway_that_is_away_is_explained() -> None:
    what = explain(GatewayUnreachable("refused"), URL)
    assert what.title == f"The gateway at {URL} does not answer"
    assert "`API_URL`" in what.advice


def test_a_stranger_is_explained() -> None:
    assert explain(UnexpectedAnswer("html"), URL).title == f"What answers at {URL} is not a gateway"


def test_a_refused_key_is_explained() -> None:
    assert "`API_KEY`" in explain(ProblemError(401, "unauthenticated", "No."), URL).advice


def test_a_problem_says_what_to_do_and_when() -> None:
    problem = ProblemError(429, "rate_limited", "Acme is tired.")
    problem.retry_after, problem.request_id = 90.0, "0198"
    what = explain(problem, URL)
    assert (what.title, what.advice) == ("Acme is tired.", ADVICE["rate_limited"])
    assert what.facts == ("Try again in 2 min", "Reason rate_limited", "Request 0198")


def test_a_problem_of_the_future_says_what_it_can() -> None:
    problem = ProblemError(422, "invalid_argument", "Two fields are wrong.")
    problem.errors = (FieldError("/temperature", "At most 2."), FieldError("/model", "Unknown."))
    assert explain(problem, URL).advice == "temperature: At most 2. model: Unknown. "
    problem = ProblemError(503, "brand_new", "Later.")
    problem.retryable = True
    assert explain(problem, URL).advice == "Try again in a moment."


def test_a_budget_that_is_used_up_is_explained() -> None:
    problem = ProblemError(402, "budget_exceeded", "Not enough is left.")
    problem.metadata = {"period": "month", "limit": "50", "left": "0", "held": "0"}
    what = explain(problem, URL)
    assert what.advice.startswith(r"Spent per month\: \$0\.00 left of \$50\.00\. A shorter reply")


def test_whose_key_was_refused_is_told() -> None:
    refusal = ProblemError(401, "unauthenticated", "No.")
    assert "this page" in explain_refusal(refusal, own=False).title
    assert "Sign in with another key" in explain_refusal(refusal, own=True).advice
    assert not is_refusal(ProblemError(403, "permission_denied", "No."))
