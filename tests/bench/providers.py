"""What the provider service promises about vendors in trouble, measured: prints JSON.

`python tests/bench/providers.py [--streams 10000]`: streams cut and left, memory over many streams
and over a long one, a quick vendor beside a slow one, all vendors failing, one failing with a
fallback. Everything on loopback; PostgreSQL and the peers are real processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from parley_rpc.faults import Fault
from parley_tests.database import fresh_database, server
from parley_tests.endurance import Endurance, Stream, differences, planned, settled_rows
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import Platform, running_provider_service

MODELS = {"google": "gemini-3-flash-peer", "openai": "gpt-peer", "anthropic": "claude-sonnet-4-5"}
WORDS = 200
CLIENTS = 50
ROUNDS = 8


def memory_mb(platform: Platform) -> float:
    """Resident memory of the provider service."""
    pid = platform.processes["provider_service"].pid
    return round(psutil.Process(pid).memory_info().rss / 1e6, 1)


async def endure(platform: Platform, url: str, count: int) -> dict[str, Any]:
    """Run many streams; hold the ledger against them, and watch the memory."""
    chance = random.Random(7)  # noqa: S311  (no secret)
    endurance = Endurance(platform, "google", MODELS["google"])
    streams = planned(count, WORDS, chance)
    tenth = max(count // 10, 1)
    memory, began = [], time.monotonic()
    for start in range(0, count, tenth):
        await endurance.run(streams[start : start + tenth], at_once=32)
        memory.append(memory_mb(platform))
    took = time.monotonic() - began
    rows = await settled_rows(url, count)
    wrong = differences(streams, rows, endurance.seen)
    before = memory_mb(platform)
    await endurance.listen(Stream("whole", 100_000))
    long = memory_mb(platform)
    await endurance.aclose()
    return {
        "streams": count,
        "seconds": round(took, 1),
        "rows": len(rows),
        "wrong": wrong[:5],
        "memory_mb_after_each_tenth": memory,
        "memory_mb_before_and_after_100000_tokens": [before, long],
    }


async def latencies(platform: Platform, provider: str, rounds: int) -> list[float]:
    """Ask with fifty clients, so many times each; return milliseconds."""
    endurance = Endurance(platform, provider, MODELS[provider])
    await endurance.ready()
    taken: list[float] = []

    async def client() -> None:
        for _ in range(rounds):
            began = time.monotonic()
            await endurance.listen(Stream("whole", 20))
            taken.append((time.monotonic() - began) * 1000)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    await endurance.aclose()
    return taken


def p95(values: Sequence[float]) -> float:
    """The value below which 95 of 100 are."""
    return round(statistics.quantiles(values, n=100)[94], 1)


async def beside_a_slow_one(platform: Platform) -> dict[str, Any]:
    """Measure a quick vendor alone and beside one that answers after thirty seconds.

    The two take turns, so that what else the machine does falls on both.
    """
    await latencies(platform, "google", 10)
    slow = Endurance(platform, "openai", MODELS["openai"])
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(ROUNDS):
        alone += await latencies(platform, "google", 10)
        waiting = asyncio.gather(*(slow.listen(Stream("whole", 20)) for _ in range(CLIENTS)))
        await asyncio.sleep(1)
        beside += await latencies(platform, "google", 10)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(1)
    await slow.aclose()
    return {"samples": len(alone), "p95_ms_alone": p95(alone), "p95_ms_beside": p95(beside)}


async def failing(
    platform: Platform, vendor: RunningPeer, error: str, fallback: bool
) -> dict[str, Any]:
    """Ask a vendor that always fails; count the calls that reached it, and the failures."""
    vendor.script(error=error)
    endurance = Endurance(platform, "openai", MODELS["openai"])
    if fallback:
        endurance.fallbacks = [("google", MODELS["google"])]
    before, failed = vendor.log()["received"], 0
    for _ in range(300):
        try:
            await endurance.listen(Stream("whole", 20))
        except Fault:
            failed += 1
    calls = vendor.log()["received"] - before
    await endurance.aclose()
    return {"error": error, "requests": 300, "calls": calls, "failed": failed}


async def measure(url: str, logs: Path, count: int) -> dict[str, Any]:
    """Run all of it."""
    with ExitStack() as stack:
        quick = stack.enter_context(running_peer("google", "--instant"))
        slow = stack.enter_context(running_peer("openai", "--delay", "30"))
        settings = quick.settings | slow.settings
        platform = stack.enter_context(running_provider_service(url, logs, settings))
        return {
            "endurance": await endure(platform, url, count),
            "beside_a_slow_one": await beside_a_slow_one(platform),
            "all_failing": await failing(platform, slow, "rate_limit_exceeded", fallback=False),
            "with_a_fallback": await failing(platform, slow, "rate_limit_exceeded", fallback=True),
            "overloaded": await failing(platform, slow, "overloaded", fallback=False),
            "overloaded_with_a_fallback": await failing(
                platform, slow, "overloaded", fallback=True
            ),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    count = parser.parse_args().streams
    with (
        TemporaryDirectory() as folder,
        server(durable=True) as base,
        fresh_database(base) as url,
    ):
        print(json.dumps(asyncio.run(measure(url, Path(folder), count)), indent=2))


if __name__ == "__main__":
    main()
