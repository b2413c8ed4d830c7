"""Runs a Peer as a process of its own, for tests of several processes, and to play with.

    python -m parley_provider_sdk.testing.serve parley_provider_acme.dialect:AcmeDialect

Prints `{"base_url": …}` on one line once it listens, and ends at SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from parley_provider_sdk.testing.peer import Dialect, Peer, Script

__all__ = ["main"]


async def _serve(given: argparse.Namespace) -> None:
    script = Script(count=given.tokens, delay=given.delay, pace=given.pace)
    peer = Peer(given.dialect, key=given.key, script=script, record=not given.instant)
    await peer.start(given.host, given.port)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    sys.stdout.write(json.dumps({"base_url": peer.base_url}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await peer.aclose()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs it until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m parley_provider_sdk.testing.serve")
    parser.add_argument("dialect", type=_dialect, help="module:Class, made without arguments")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="", help="refuse every other; empty takes any")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--pace", type=float, default=0.0, help="tokens per second; 0 at once")
    parser.add_argument("--instant", action="store_true", help="for benches: keep no log")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args(arguments)))


def _dialect(target: str) -> Dialect:
    """Makes the dialect that is named. ArgumentTypeError when there is none."""
    module, _, name = target.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{target!r} is no module:Class: {error}") from None
    if not isinstance(made, Dialect):
        raise argparse.ArgumentTypeError(f"{target!r} is no Dialect.")
    return made


if __name__ == "__main__":
    main()
