"""Limits and budgets in words."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from parley_client import Allowance
from parley_ui import quotas

pytestmark = pytest.mark.unit

AT = datetime(2027, 2, 1, tzinfo=UTC)


def test_a_limit_says_how_it_stands() -> None:
    limit = Allowance("user", "requests_per_hour", 1000, 20, 980, resets_at=AT)
    assert quotas.standing(limit) == (
        "Requests per hour: 20 of 1,000 used, 980 left, resets at 2027-02-01 00:00 UTC"
    )
    assert quotas.share(limit) == pytest.approx(0.02)


def test_a_budget_of_a_key_says_whose_and_what_is_held() -> None:
    budget = Allowance("key", "daily_cost", Decimal(5), Decimal("1.2"), Decimal("3.75"))
    assert quotas.standing(budget) == (
        "Spent per day, with this key: $1.20 of $5.00 used, $3.75 left"
    )
    held = Allowance("key", "daily_cost", Decimal(5), Decimal(1), Decimal(3), Decimal(1))
    assert "$1.00 held for replies that are being written" in quotas.standing(held)
    assert quotas.share(held) == pytest.approx(0.4)


@pytest.mark.parametrize(("limit", "left", "share"), [(0, 0, 1), (10, 0, 1), (10, 20, 0)])
def test_no_bar_is_longer_than_its_place(limit: int, left: int, share: float) -> None:
    assert quotas.share(Allowance("user", "odd_new_meter", limit, 0, left)) == share


def test_a_meter_of_the_future_has_a_name() -> None:
    assert quotas.meter("odd_new_meter") == "Odd new meter"


def test_a_budget_that_is_used_up_says_what_is_left_and_when_to_come_back() -> None:
    known = {
        "scope": "user",
        "period": "day",
        "limit": "5",
        "used": "4.9",
        "held": "0.09",
        "left": "0.01",
        "resets_at": "2027-02-01T00:00:00Z",
    }
    assert quotas.shortage(known) == (
        "Spent per day: $0.01 left of $5.00, $0.09 held for replies that are being written, "
        "resets at 2027-02-01 00:00 UTC."
    )


def test_a_limit_that_is_reached_says_what_is_left() -> None:
    known = {"scope": "key", "meter": "tokens_per_minute", "limit": "1000", "left": "12"}
    assert quotas.shortage(known) == "Tokens per minute, with this key: 12 left of 1,000."


def test_a_provider_that_is_tired_says_nothing_of_limits_of_ours() -> None:
    assert quotas.shortage({"provider": "acme"}) == ""


def test_what_is_no_figure_is_told_as_it_is() -> None:
    known = {"meter": "daily_cost", "left": "little", "limit": "much", "resets_at": "soon"}
    assert quotas.shortage(known) == "Spent per day: little left of much, resets at soon."
