"""Runs the peer as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress

from parley_provider_sdk.testing import Peer, Script

from parley_tests.google_peer.wire import GoogleDialect


async def _serve(arguments: argparse.Namespace) -> None:
    script = Script(count=arguments.tokens, delay=arguments.delay, pace=arguments.pace)
    record = not arguments.instant
    peer = Peer(GoogleDialect(), key=arguments.api_key, script=script, record=record)
    await peer.start(arguments.host, arguments.port)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    sys.stdout.write(json.dumps({"base_url": peer.base_url}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await peer.aclose()


def main() -> None:
    """Runs the peer until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m parley_tests.google_peer")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default="", help="refuse every other; empty takes any")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--pace", type=float, default=0.0, help="tokens per second; 0 at once")
    parser.add_argument("--instant", action="store_true", help="for benches: keep no log")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
