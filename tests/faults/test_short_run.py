"""Half a minute of everything at once, on every build; `make faults` does it for as long."""

from __future__ import annotations

import pytest
from parley_tests.checker.report import summary, write
from parley_tests.checker.run import Order, execute

pytestmark = pytest.mark.integration

# The plan is the same in every run. Its timing is not, nor is what comes of it.
ORDER = Order(seed=20, seconds=25, pace=0.3)


@pytest.mark.timeout(180)
def test_all_rules_hold_after_half_a_minute_of_faults() -> None:
    outcome = execute(ORDER)
    write(outcome)

    assert not outcome.violations, summary(outcome)
    assert outcome.kills >= 5, summary(outcome)
    assert outcome.messages >= 500, summary(outcome)
    assert not outcome.history.missing
