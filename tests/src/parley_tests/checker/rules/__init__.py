"""What must hold after every run, whatever was done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from parley_tests.checker.rules import endings, ledger, order, processes, sends, texts
from parley_tests.checker.rules.world import Violation, World

Rule = Callable[[World], Iterator[Violation]]

RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for module in (sends, order, texts, endings, ledger, processes)
    for rule in module.RULES
}


def judge(world: World) -> list[Violation]:
    """Return all that is against a rule."""
    return [violation for rule in RULES.values() for violation in rule(world)]
