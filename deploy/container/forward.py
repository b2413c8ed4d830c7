#!/usr/bin/env python
"""Passes connections on to a host and port: `python forward.py HOST PORT` listens on that port."""

import asyncio
import contextlib
import sys


async def forward(host: str, port: int) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = await asyncio.start_server(accept, "0.0.0.0", port)  # noqa: S104 - published on loopback
    await server.serve_forever()


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forward(sys.argv[1], int(sys.argv[2])))
