"""A TCP proxy that misbehaves on request: `python -m parley_tests.checker.proxy`.

The first line of its input names the links, `{name: target}`, a target being `host:port` or the
path of a socket; it answers with `{name: port}`. Each further line sets what one link does:
`{"link": name, "fault": word, "amount": n}`. The words are

    none      pass everything on
    delay     every chunk `amount` milliseconds late
    stall     nothing passes, until something else is said
    dribble   a few bytes at a time
    cut       each connection is reset after `amount` further bytes
    reset     all connections are reset, at once; new ones pass
    refuse    all connections are reset, and new ones at once
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

import uvloop

CHUNK = 64 * 1024
DRIBBLE_BYTES, DRIBBLE_SECONDS = 7, 0.002


class Link:
    """One port, where it leads, and what it does to what passes."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.fault = "none"
        self.amount = 0
        self.changed = asyncio.Event()
        self.writers: set[asyncio.StreamWriter] = set()

    def set(self, fault: str, amount: int) -> None:
        """Change what the link does."""
        self.fault, self.amount = fault, amount
        self.changed.set()
        self.changed = asyncio.Event()
        if fault in {"reset", "refuse"}:
            for writer in list(self.writers):
                writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side closes it."""
        ends = {writer}
        self.writers.add(writer)
        try:
            if self.fault == "refuse":
                raise ConnectionAbortedError
            far_reader, far_writer = await self._dial()
            ends.add(far_writer)
            self.writers.add(far_writer)
            pumps = [
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in ends:
                end.close()
        except OSError:
            for end in ends:
                end.transport.abort()
        finally:
            self.writers -= ends

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.target.startswith("/"):
            return await asyncio.open_unix_connection(self.target)
        host, _, port = self.target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        budget: int | None = None
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                await self._hold()
                budget = self._budget(budget)
                if budget is not None and len(chunk) >= budget:
                    writer.write(chunk[:budget])
                    await writer.drain()
                    for end in (writer, *self.writers):
                        end.transport.abort()
                    return
                if budget is not None:
                    budget -= len(chunk)
                await self._write(writer, chunk)

    def _budget(self, left: int | None) -> int | None:
        """Return how many bytes may still pass; None when any number may."""
        if self.fault != "cut":
            return None
        return self.amount if left is None else left

    async def _hold(self) -> None:
        while self.fault == "stall":
            await self.changed.wait()
        if self.fault == "delay":
            await asyncio.sleep(self.amount / 1000)

    async def _write(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        if self.fault != "dribble":
            writer.write(chunk)
            await writer.drain()
            return
        for at in range(0, len(chunk), DRIBBLE_BYTES):
            writer.write(chunk[at : at + DRIBBLE_BYTES])
            await writer.drain()
            if self.fault == "dribble":
                await asyncio.sleep(DRIBBLE_SECONDS)


async def run() -> None:
    """Serve until the input ends."""
    orders = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(orders)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    links = {name: Link(target) for name, target in json.loads(await orders.readline()).items()}
    ports = {}
    for name, link in links.items():
        server = await asyncio.start_server(link.accept, "127.0.0.1", 0)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    while line := await orders.readline():
        order = json.loads(line)
        links[order["link"]].set(order["fault"], order.get("amount", 0))


if __name__ == "__main__":
    uvloop.run(run())
