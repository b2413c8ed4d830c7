"""Nobody dies by themselves, everybody recovers, and no log tells of a bug."""

from __future__ import annotations

from collections.abc import Iterator

from parley_tests.checker.rules.world import Violation, World


def nobody_died_unasked(world: World) -> Iterator[Violation]:
    """A process ends when it is killed or told to, with the code that fits."""
    for ended in world.found.exits:
        if not ended.wanted:
            yield Violation("nobody_died_unasked", None, f"{ended.name} ended with {ended.code}")


def comes_to_rest(world: World) -> Iterator[Violation]:
    """After the last fault nothing runs or is held within the limit, and all is well."""
    quiet = world.found.quiet
    for name in ("clients_done", "nothing_runs", "nothing_held", "all_told", "healthy"):
        seconds = getattr(quiet, name)
        if seconds is None or seconds > world.quiet_within:
            what = f"{name.replace('_', ' ')}: not within {world.quiet_within:g} s"
            yield Violation("comes_to_rest", None, what)


def logs_are_clean(world: World) -> Iterator[Violation]:
    """No traceback, no error."""
    for line in world.found.trouble:
        yield Violation("logs_are_clean", None, line)


RULES = (nobody_died_unasked, comes_to_rest, logs_are_clean)
