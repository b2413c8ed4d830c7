"""The proxy, between a client and a server that sends back what it gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from parley_tests.checker.proxy import Link

pytestmark = pytest.mark.unit


class Wire:
    """A link before an echoing server; `open` connects through it."""

    def __init__(self, link: Link, port: int) -> None:
        self.link = link
        self.port = port

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1024):
        writer.write(chunk)
    writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    far = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link(f"127.0.0.1:{far.sockets[0].getsockname()[1]}")
    near = await asyncio.start_server(link.accept, "127.0.0.1", 0)
    yield Wire(link, near.sockets[0].getsockname()[1])
    link.set("reset", 0)
    near.close()
    far.close()
    await near.wait_closed()
    await far.wait_closed()


@pytest.mark.parametrize(("fault", "amount"), [("none", 0), ("delay", 5), ("dribble", 0)])
async def test_what_is_late_or_in_bits_arrives_whole(wire: Wire, fault: str, amount: int) -> None:
    reader, writer = await wire.open()
    wire.link.set(fault, amount)
    writer.write(b"hello" * 20)

    assert b"hello" * 20 == await reader.readexactly(100)
    writer.close()


async def test_a_stall_holds_everything_until_it_is_over(wire: Wire) -> None:
    reader, writer = await wire.open()
    wire.link.set("stall", 0)
    writer.write(b"hello")
    waiting = asyncio.create_task(reader.readexactly(5))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done

    wire.link.set("none", 0)

    assert b"hello" == await waiting
    writer.close()


async def test_a_cut_lets_so_many_bytes_pass(wire: Wire) -> None:
    wire.link.set("cut", 7)
    reader, writer = await wire.open()
    writer.write(b"hello world")

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(11)
    writer.close()


@pytest.mark.parametrize("fault", ["reset", "refuse"])
async def test_connections_are_reset(wire: Wire, fault: str) -> None:
    reader, writer = await wire.open()
    writer.write(b"hello")
    await reader.readexactly(5)
    wire.link.set(fault, 0)

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()


async def test_new_connections_are_refused(wire: Wire) -> None:
    wire.link.set("refuse", 0)
    reader, writer = await wire.open()

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
