"""The database away in every way, under a steady load: how long anybody waits, and what is lost.

python tests/bench/database_away.py [FAULT ...] [--seconds 15] [--connections 8]
python tests/bench/database_away.py --memory 600

The second leaves the database away for so long, at 50 requests in a second, and prints how much
memory each service holds meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from parley_tests.breakable import BreakablePostgres, Wire
from parley_tests.faults import FAULTS, Site
from parley_tests.outage import Load, Logs, Verdict, lost
from parley_tests.platform import SERVICES, Platform, running_platform

STREAMS = 4
BEFORE_SECONDS = 1.0
AFTER_SECONDS = 6.0
MEMORY_RATE = 50.0
MEGABYTE = 2**20


@contextmanager
def running_site(folder: Path, connections: int) -> Iterator[tuple[Site, Platform]]:
    """Run a server of its own, and the services in front of it."""
    postgres = BreakablePostgres(folder / "postgres")
    logs = folder / "logs"
    logs.mkdir()
    environment = {"DEMO_PACE": "40", "DB_CONNECTIONS": str(connections)}
    with postgres.running():
        wire = Wire(postgres.url)
        with wire.running(), running_platform(wire.url, logs, environment) as platform:
            yield Site(postgres, wire), platform


def try_fault(name: str, site: Site, platform: Platform, key: str, seconds: float) -> None:
    """Let one fault last so long; print what became of the load."""
    before, logs, load = site.connections(), Logs(platform), Load(platform, key)
    logs.mark()
    with load.running(STREAMS):
        time.sleep(BEFORE_SECONDS)
        begin = time.monotonic()
        with FAULTS[name](site):
            time.sleep(seconds)
        end = time.monotonic()
        time.sleep(AFTER_SECONDS)
    verdict = Verdict(load.answers, begin, end)
    lines = {service: len(logs.lines(service)) for service in SERVICES}
    print(f"{name}: {verdict.figures()}")
    print(f"  wrong: {list(verdict.wrong)}")
    print(f"  lost: {asyncio.run(lost(platform, key, load))}, tracebacks: {logs.tracebacks()}")
    print(f"  streams: {[one.ending for one in load.streams]}, lines in the logs: {lines}")
    print(f"  connections: {before} before, {site.connections()} after", flush=True)


def memory(platform: Platform) -> dict[str, float]:
    """Return the megabytes that each service holds."""
    return {
        name: round(psutil.Process(process.pid).memory_info().rss / MEGABYTE, 1)
        for name, process in platform.processes.items()
    }


def try_memory(site: Site, platform: Platform, key: str, seconds: float) -> None:
    """Leave the database away for so long; print the memory of each service as it goes."""
    load = Load(platform, key, MEMORY_RATE)
    with load.running():
        time.sleep(10 * BEFORE_SECONDS)
        first, begin = memory(platform), time.monotonic()
        print("before", first, flush=True)
        with FAULTS["stopped"](site):
            while time.monotonic() < begin + seconds:
                time.sleep(min(10, seconds))
                print(f"{time.monotonic() - begin:5.0f} s", memory(platform), flush=True)
        end = time.monotonic()
        for _ in range(3):
            time.sleep(10 * BEFORE_SECONDS)
            print("back  ", memory(platform), flush=True)
    last = memory(platform)
    print({name: f"{last[name] - first[name]:+.1f} MB" for name in first})
    print(Verdict(load.answers, begin, end).figures())


def main() -> None:
    """Try what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fault", nargs="*", choices=[[], *FAULTS], help="all when none is named")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--memory", type=float, default=0.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server runs as somebody else
        with running_site(folder, given.connections) as (site, platform):
            key = asyncio.run(platform.new_user("ada"))
            if given.memory:
                try_memory(site, platform, key, given.memory)
                return
            for fault in given.fault or FAULTS:
                try_fault(fault, site, platform, key, given.seconds)


if __name__ == "__main__":
    main()
