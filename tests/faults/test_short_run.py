"""A little of everything at once, on every build; `make faults` does it for half an hour."""

from __future__ import annotations

import pytest
from parley_tests.checker.report import summary, write
from parley_tests.checker.run import Order, execute

pytestmark = pytest.mark.integration

# The plan is the same in every run. Its timing is not, nor is what comes of it: it goes on until
# there was enough of both, on a slow machine for longer.
MESSAGES, KILLS = 1200, 6
ORDER = Order(seed=20, messages=MESSAGES, kills=KILLS, seconds=120, pace=0.3)


@pytest.mark.timeout(270)
def test_all_rules_hold_after_a_little_of_every_fault() -> None:
    outcome = execute(ORDER)
    write(outcome)

    assert not outcome.violations, summary(outcome)
    assert outcome.kills >= KILLS, summary(outcome)
    assert outcome.messages >= MESSAGES, summary(outcome)
    assert not outcome.history.missing
