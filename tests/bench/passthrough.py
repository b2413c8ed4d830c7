"""The leanest pass-through: what a proxy without any feature costs, as the yardstick of a run.

python tests/bench/passthrough.py VENDOR_URL PORT
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web
from parley_tests.peers import KEY

SESSION = web.AppKey("session", aiohttp.ClientSession)


def application(vendor_url: str) -> web.Application:
    """Forward every body to the vendor and every byte of the answer back."""

    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        url = f"{vendor_url}/chat/completions"
        session = request.app[SESSION]
        async with session.post(url, data=body, headers=headers) as answer:
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        return response

    async def session(app: web.Application) -> AsyncIterator[None]:
        app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        yield
        await app[SESSION].close()

    app = web.Application(client_max_size=2**24)
    app.cleanup_ctx.append(session)
    app.router.add_post("/chat", forward)
    return app


if __name__ == "__main__":
    vendor, port = sys.argv[1:]
    loop = uvloop.new_event_loop()
    web.run_app(application(vendor), host="127.0.0.1", port=int(port), print=None, loop=loop)
