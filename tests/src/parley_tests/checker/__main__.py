"""Runs the checker: `python -m parley_tests.checker --seconds 60 --seed 7`."""

from __future__ import annotations

import argparse
import random
import sys

from parley_tests.checker.broken import FAULTS
from parley_tests.checker.nemesis import KINDS, SERVICES
from parley_tests.checker.report import summary, write
from parley_tests.checker.run import Order, execute


def main() -> int:
    """Make one run; 1 when a rule does not hold."""
    parser = argparse.ArgumentParser(prog="parley_tests.checker", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=2100, help="the longest it may last")
    parser.add_argument("--messages", type=int, default=100_000, help="to be stored at least …")
    parser.add_argument("--kills", type=int, default=200, help="… and processes to be killed")
    parser.add_argument("--clients", type=int, default=Order.clients)
    parser.add_argument("--pace", type=float, default=Order.pace, help="seconds between two blows")
    parser.add_argument("--faults", default=",".join(KINDS), help="which kinds, commas between")
    parser.add_argument("--victims", default=",".join(SERVICES), help="which services are struck")
    parser.add_argument("--quiet", type=float, default=Order.quiet_within, help="seconds to rest")
    parser.add_argument("--broken", choices=FAULTS, help="run a build with this fault")
    parser.add_argument("--no-synchronous-commit", action="store_true", help="another such build")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a run that holds")
    given = parser.parse_args()
    chosen = [kind for kind in given.faults.split(",") if kind]
    service = "provider_service" if given.broken == "settlement" else "chat_service"
    order = Order(
        seed=given.seed,
        seconds=given.seconds,
        messages=given.messages,
        kills=given.kills,
        clients=given.clients,
        pace=given.pace,
        kinds={kind: KINDS[kind] for kind in chosen},
        victims=given.victims.split(","),
        quiet_within=given.quiet,
        broken={service: given.broken} if given.broken else {},
        synchronous_commit=not given.no_synchronous_commit,
    )
    print(f"seed {order.seed}", flush=True)
    outcome = execute(order)
    write(outcome, keep=given.keep)
    print(summary(outcome))
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
