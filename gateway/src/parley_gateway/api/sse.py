"""Server-sent events, written by hand: each as soon as it comes, and nothing is collected."""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson
from parley_rpc.faults import Fault, Internal, Unavailable
from starlette.types import Receive, Send

from parley_gateway.api.middleware import UNEXPECTED

KEEP_ALIVE_SECONDS = 15.0
CUT_WITHIN_SECONDS = 1.0
KEEP_ALIVE = b": keep-alive\n\n"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        # Proxies that would collect what is to be shown at once.
        (b"x-accel-buffering", b"no"),
    ],
}


def event(name: bytes, data: Any, position: str = "") -> bytes:
    """Write one event."""
    place = b"id: %s\n" % position.encode() if position else b""
    return b"event: %s\n%sdata: %s\n\n" % (name, place, orjson.dumps(data))


async def stream(
    frames: AsyncGenerator[bytes, None],
    receive: Receive,
    send: Send,
    *,
    problem: Callable[[Fault], bytes],
    cut: asyncio.Future[Fault],
    keep_alive: float = KEEP_ALIVE_SECONDS,
) -> None:
    """Send frames until they end, the client leaves, the server stops, or it is cut.

    A slow client slows the reading of `frames` down, so what waits for it is bounded.
    `problem` makes the last event of a stream that is cut.
    """
    await send(START)
    writing = _Writing(send)
    writer = asyncio.create_task(writing.write(frames))
    leaving = asyncio.create_task(left(receive))
    beating = asyncio.create_task(writing.keep_alive(keep_alive))
    ends: set[asyncio.Future[Any]] = {writer, leaving, cut}
    try:
        await asyncio.wait(ends, return_when=FIRST_COMPLETED)
    except asyncio.CancelledError:
        # The server cancels what still runs when it has waited long enough.
        writer.cancel()
        await end(send, problem(Unavailable("The gateway is stopping.", retry_after=1.0)))
        return
    finally:
        for task in (leaving, beating, writer):
            task.cancel()
        await asyncio.wait({writer, leaving, beating})
    if writer.cancelled():
        if cut.done():
            # A client that reads nothing is not waited for: the server hangs up then.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CUT_WITHIN_SECONDS):
                    await end(send, problem(cut.result()))
        return
    error = writer.exception()
    await end(send, problem(Internal(UNEXPECTED)) if error else b"")
    if error:
        raise error


class _Writing:
    """Writes the frames of one stream, and knows when it last did."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.last = time.monotonic()
        self.busy = False

    async def write(self, frames: AsyncGenerator[bytes, None]) -> None:
        async with contextlib.aclosing(frames):
            async for frame in frames:
                self.busy = True
                await self.send({"type": "http.response.body", "body": frame, "more_body": True})
                self.busy = False
                self.last = time.monotonic()

    async def keep_alive(self, after: float) -> None:
        """Write a comment whenever nothing has been written for a while.

        Not while a frame waits for a client that does not read: that is no silence.
        """
        comment = {"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True}
        while True:
            await asyncio.sleep(max(0.0, self.last + after - time.monotonic()))
            if time.monotonic() >= self.last + after:
                if not self.busy:
                    await self.send(comment)
                self.last = time.monotonic()


async def end(send: Send, frame: bytes = b"") -> None:
    """Send the last frame."""
    await send({"type": "http.response.body", "body": frame, "more_body": False})


async def left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
