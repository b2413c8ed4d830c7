"""Measures what a turn and a streamed token cost, all processes and PostgreSQL together.

    python tests/bench/run.py [--turns 800] [--seconds 8] [--json FILE]

One fake vendor that answers at once, everything on loopback, PostgreSQL with fsync. CPU time is
what counts: it is repeatable on a noisy machine. The leanest pass-through runs beside it, so that
a figure can be read as a ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import psycopg
from cpu import Spent, read, resident_mb
from parley_tests.database import fresh_database, server
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import Platform, free_port, running_platform
from workloads import (
    CALLERS,
    HISTORY,
    Gateway,
    calls,
    gateway,
    prepare_chats,
    stateless_calls,
    stateless_streams,
    streams,
    turns,
)

GOALS = {
    "stateless call, 20 messages (CPU-ms)": 1.0,
    "stateless token, 100 streams at 50 tokens/s (CPU-µs)": 140.0,
    "durable turn, chat of 20 messages (CPU-ms)": 2.5,
    "streamed token, 100 streams at 50 tokens/s (CPU-µs)": 140.0,
    "four services idle (MB)": 320.0,
}
STREAMS = 100
Streams: TypeAlias = Callable[[Gateway, int], Awaitable[list[float]]]
PACE = 50


@dataclass(frozen=True)
class Bench:
    """What is measured: the parts by name and process id, and the vendor behind them."""

    platform: Platform
    vendor: RunningPeer
    parts: dict[str, int]


@contextmanager
def bench() -> Iterator[Bench]:
    """Bring everything up, PostgreSQL as it is in production."""
    logs = Path(tempfile.mkdtemp(prefix="parley-bench-"))
    with (
        server(durable=True) as database_server,
        fresh_database(database_server) as url,
        running_peer("openai", "--instant", "--tokens", "64") as vendor,
        running_platform(url, logs, vendor.settings | {"DEFAULT_PROVIDER": "openai"}) as platform,
    ):
        parts = {name: process.pid for name, process in platform.processes.items()}
        parts["postgres"] = postmaster(url)
        yield Bench(platform, vendor, parts)


def postmaster(url: str) -> int:
    """Find the process id of the server behind a URL: the parent of whatever answers."""
    with psycopg.connect(url) as connection:
        return psutil.Process(connection.info.backend_pid).ppid()


async def measure_turns(client: Gateway, bench: Bench, count: int) -> dict[str, Any]:
    """CPU per turn at 16 callers, in chats of 20 messages."""
    chats = await prepare_chats(client, count // 2, HISTORY)
    before = read(bench.parts)
    seconds = await turns(client, chats) + await turns(client, chats)
    spent = read(bench.parts).since(before)
    return {
        "cpu_ms_per_turn": spent.per(count),
        "turns_per_second": round(count / spent.wall, 1),
        **quantiles("turn_ms", seconds),
    }


async def measure_stateless(client: Gateway, bench: Bench, count: int) -> dict[str, Any]:
    """CPU per call that is kept nowhere, at 16 callers, 20 messages each."""
    before = read(bench.parts)
    seconds = await stateless_calls(client, count)
    spent = read(bench.parts).since(before)
    return {
        "cpu_ms_per_call": spent.per(count),
        "calls_per_second": round(count / spent.wall, 1),
        **quantiles("call_ms", seconds),
    }


async def measure_streams(
    client: Gateway, bench: Bench, seconds: float, streams: Streams
) -> dict[str, Any]:
    """CPU per streamed token: 100 streams at 50 tokens a second."""
    tokens = int(seconds * PACE)
    bench.vendor.script(count=tokens, pace=PACE)
    before = read(bench.parts)
    firsts = await streams(client, STREAMS)
    spent = read(bench.parts).since(before)
    per_token = {name: round(ms * 1000, 1) for name, ms in spent.per(STREAMS * tokens).items()}
    bench.vendor.script()
    return {
        "cpu_us_per_token": per_token,
        "tokens_per_second": round(STREAMS * tokens / spent.wall),
        **quantiles("first_delta_ms", firsts),
    }


async def measure_first_byte(client: Gateway) -> dict[str, Any]:
    """Time to the first delta of a `demo` answer, one client."""
    firsts = [(await client.stream("Hello", provider="demo"))[0] for _ in range(60)]
    return quantiles("first_delta_ms", firsts[10:])


def measure_passthrough(bench: Bench, count: int) -> dict[str, Any]:
    """CPU per call of the leanest pass-through, same vendor, same callers."""
    port = free_port()
    program = Path(__file__).with_name("passthrough.py")
    command = [sys.executable, str(program), bench.vendor.base_url, str(port)]
    with subprocess.Popen(command) as process:
        try:
            return asyncio.run(through(port, {"passthrough": process.pid}, count))
        finally:
            process.terminate()


async def through(port: int, parts: dict[str, int], count: int) -> dict[str, Any]:
    """Load the pass-through."""
    async with gateway(f"http://127.0.0.1:{port}") as client:
        await client.until_up()
        await calls(client, 100)
        before = read(parts)
        await calls(client, count)
        spent: Spent = read(parts).since(before)
    return {"cpu_ms_per_call": spent.per(count)["total"]}


def quantiles(name: str, seconds: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {f"{name}_p50": round(cuts[49] * 1000, 2), f"{name}_p99": round(cuts[98] * 1000, 2)}


async def measure(bench: Bench, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all loads, one after the other."""
    idle = resident_mb({n: p for n, p in bench.parts.items() if n != "postgres"})
    async with gateway(bench.platform.url) as client:
        await turns(client, [f"warm-{number}" for number in range(CALLERS * 10)])
        await stateless_calls(client, CALLERS * 10)
        return {
            "idle_mb": {"total": round(sum(idle.values()), 1)} | idle,
            "first_byte_demo": await measure_first_byte(client),
            "turns": await measure_turns(client, bench, arguments.turns),
            "streams": await measure_streams(client, bench, arguments.seconds, streams),
            "stateless": await measure_stateless(client, bench, arguments.turns * 2),
            "stateless_streams": await measure_streams(
                client, bench, arguments.seconds, stateless_streams
            ),
        }


def report(results: dict[str, Any]) -> None:
    """Print every figure, then the ones that have a goal beside it."""
    print(json.dumps(results, indent=2))
    reached = [
        results["stateless"]["cpu_ms_per_call"]["total"],
        results["stateless_streams"]["cpu_us_per_token"]["total"],
        results["turns"]["cpu_ms_per_turn"]["total"],
        results["streams"]["cpu_us_per_token"]["total"],
        results["idle_mb"]["total"],
    ]
    for (name, goal), figure in zip(GOALS.items(), reached, strict=True):
        print(f"{name}: {figure} (goal {goal})")


def main() -> None:
    """Measure, print, and write JSON when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=800)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with bench() as running:
        results = asyncio.run(measure(running, arguments))
        results["passthrough"] = measure_passthrough(running, arguments.turns)
    leanest = results["passthrough"]["cpu_ms_per_call"]
    for name, work in (("turn", "turns"), ("call", "stateless")):
        ratio = results[work][f"cpu_ms_per_{name}"]["total"] / leanest
        results[f"{work}_over_passthrough"] = round(ratio, 1)
    report(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
