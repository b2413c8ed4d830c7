"""Runs a service with a fault put into it: `python -m parley_tests.checker.broken FAULT MODULE …`.

A checker that never fails proves nothing. These are the builds that it has to catch.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def without_idempotency() -> None:
    """Takes the check of idempotency keys out: each repetition makes a turn of its own."""
    _replace(
        "parley_chat_service.adapters.store.turns",
        "BEGIN",
        "(%(key)s::text = '' or exists (select from k))",
        "(%(key)s::text = '' or true or exists (select from k))",
    )


def without_sweeper() -> None:
    """Nobody sweeps up after the dead."""
    store: Any = importlib.import_module("parley_chat_service.adapters.store.workers")

    async def sweep(*_: object) -> int:
        return 0

    store.PostgresWorkerStore.sweep = sweep


def without_journal() -> None:
    """Shows text that was never stored."""
    journal: Any = importlib.import_module("parley_chat_service.core.journal")

    async def append(_: object, pieces: Sequence[Any]) -> frozenset[Any]:
        return frozenset(piece.message_id for piece in pieces)

    journal.Journal._append = append


def without_settlement() -> None:
    """Nobody writes down what a reply used."""
    ledger: Any = importlib.import_module("parley_provider_service.adapters.ledger.writing")

    async def settle(*_: object) -> None:
        return None

    ledger.PostgresLedger.settle = settle


FAULTS: Mapping[str, Callable[[], None]] = {
    "idempotency": without_idempotency,
    "sweeper": without_sweeper,
    "journal": without_journal,
    "settlement": without_settlement,
}


def _replace(module: str, name: str, old: str, new: str) -> None:
    """Change a statement; a build in which it is not found is no test of anything."""
    found: Any = importlib.import_module(module)
    statement = getattr(found, name)
    if old not in statement:
        raise SystemExit(f"{module}.{name} does not hold {old!r}")
    setattr(found, name, statement.replace(old, new))


if __name__ == "__main__":
    _, fault, service, *_rest = sys.argv
    FAULTS[fault]()
    sys.argv = [service, *_rest]
    runpy.run_module(service, run_name="__main__", alter_sys=False)
