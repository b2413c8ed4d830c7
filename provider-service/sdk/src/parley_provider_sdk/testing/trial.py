"""A provider that is tried without its vendor: with a key that opens nothing, at a dead end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from parley_provider_sdk.hooks import Registration
from parley_provider_sdk.provider import Provider
from parley_provider_sdk.settings import Setting, describe_settings, fill_settings
from parley_provider_sdk.types import Limits, Message, ReplyRequest, Role, TextPart

__all__ = ["SECRET", "Complaint", "Hole", "Trial", "black_hole", "closed_port"]

SECRET = "parley-check-key-5f3a"  # noqa: S105  (it opens nothing)
# What is needed and no secret.
FILLER = "parley-check"
# Seconds, so short that a check of a silent vendor does not take long.
_LIMITS = Limits(connect=1, first_token=1, idle=1, whole=1)


class Complaint(Exception):  # noqa: N818  (named for what it is)
    """What is wrong, in a sentence."""


@dataclass(slots=True)
class Hole:
    """An address that takes connections and never says anything."""

    port: int = 0
    # How many have come, how many are there.
    taken: int = 0
    open: int = 0
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    emptied: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Trial:
    """A provider that is tried, without an address and with a key that opens nothing."""

    registration: Registration

    @property
    def has_address(self) -> bool:
        """Whether it can be sent elsewhere."""
        return any(one.field == "base_url" for one in self.described)

    def settings(self, port: int = 9) -> object:
        """Returns settings that lead to this port of this machine."""
        values: dict[str, str] = {}
        for one in self.described:
            if one.field == "base_url":
                values[one.env] = _moved(str(one.default), port)
            elif one.secret:
                values[one.env] = SECRET
            elif one.required and one.default == "":
                values[one.env] = FILLER
        settings: object = fill_settings(self.registration.info.settings, values)
        return settings

    @asynccontextmanager
    async def provider(self, port: int = 9) -> AsyncIterator[Provider]:
        """Makes one for the length of a block."""
        provider = self.registration.create(self.settings(port))
        if not isinstance(provider, Provider):
            raise Complaint(f"{type(provider).__name__} lacks methods of a provider.")
        try:
            yield provider
        finally:
            await provider.aclose()

    def request(self, *, stream: bool = True, limits: Limits = _LIMITS) -> ReplyRequest:
        """Returns a small request that nobody will answer, soon to be given up."""
        messages = (Message(Role.USER, (TextPart("Hello?"),)),)
        model = self.registration.info.default_model or FILLER
        return ReplyRequest(model, messages, stream=stream, limits=limits)

    @property
    def described(self) -> Sequence[Setting]:
        """Its settings."""
        return describe_settings(self.registration.info.settings)


@asynccontextmanager
async def black_hole() -> AsyncIterator[Hole]:
    """Listens and stays silent for the length of a block."""
    hole = Hole()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hole.taken += 1
        hole.open += 1
        hole.filled.set()
        with suppress(ConnectionError):
            await reader.read()
        hole.open -= 1
        if not hole.open:
            hole.emptied.set()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()


def closed_port() -> int:
    """Returns a port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _moved(url: str, port: int) -> str:
    return urlsplit(url)._replace(scheme="http", netloc=f"127.0.0.1:{port}").geturl()
