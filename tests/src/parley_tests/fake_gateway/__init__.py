"""A gateway in memory on a real socket: the same words on the wire, and nothing behind them.

For the tests of what calls a gateway: the client and the page. It answers as the real one does, and
can be told to be slow, to refuse, to fail in the middle of a reply, and to lose its connections.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from parley_tests.fake_gateway.account_routes import account_routes
from parley_tests.fake_gateway.provider_routes import provider_routes
from parley_tests.fake_gateway.routes import GATEWAY, front, routes
from parley_tests.fake_gateway.state import FakeGateway, Received, problem
from parley_tests.fake_gateway.turn_routes import turn_routes
from parley_tests.fake_gateway.usage_routes import usage_routes

__all__ = ["FakeGateway", "Received", "fake_gateway", "problem"]


@contextmanager
def fake_gateway(port: int = 0, **settings: Any) -> Iterator[FakeGateway]:
    """Serves a fake gateway from a thread of its own, on a free port unless one is named."""
    fake = FakeGateway(**settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-gateway")
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(fake, port), loop).result(10)
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(_stop(fake, runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _start(fake: FakeGateway, port: int) -> web.AppRunner:
    app = web.Application(middlewares=[front])
    app[GATEWAY] = fake
    app.add_routes(routes)
    app.add_routes(turn_routes)
    app.add_routes(account_routes)
    app.add_routes(provider_routes)
    app.add_routes(usage_routes)
    app.add_routes(account_routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


async def _stop(fake: FakeGateway, runner: web.AppRunner) -> None:
    await fake.forget_turns()
    await runner.cleanup()
