"""A stop reaches the vendor: its connection is closed in a second, wherever the reply stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from parley_provider_sdk.testing import Dialect, Peer
from parley_provider_service.settings import Settings
from parley_tests.anthropic_peer import AnthropicDialect
from parley_tests.google_peer import GoogleDialect
from parley_tests.ollama_peer import OllamaDialect
from parley_tests.openai_peer import OpenAIDialect

from .processes import Call, Client, Service, client_of, serving

pytestmark = pytest.mark.integration

KEY = "sk-a-vendors-key"
WITHIN_SECONDS = 1.0
SPOKEN = ("Some ", "words ", "that ", "count.")


class Wire(NamedTuple):
    """A vendor: who speaks to it, which model it has, and how it asks to come back later."""

    provider: str
    dialect: type[Dialect]
    model: str
    busy: str
    variant: str = ""

    def settings(self, peer: Peer) -> dict[str, str]:
        """What points the service at a peer."""
        name = self.provider.upper()
        pointed = {f"{name}_BASE_URL": peer.base_url, f"{name}_API_KEY": KEY}
        return pointed | ({f"{name}_WIRE": self.variant} if self.variant else {})


WIRES = [
    Wire("openai", OpenAIDialect, "gpt-peer", "rate_limit_exceeded", "chat"),
    Wire("openai", OpenAIDialect, "gpt-peer", "rate_limit_exceeded", "responses"),
    Wire("anthropic", AnthropicDialect, "claude-haiku-4-5", "rate_limit"),
    Wire("google", GoogleDialect, "gemini-3-flash-peer", "rate_limited"),
    Wire("ollama", OllamaDialect, "llama-peer:latest", "server_busy"),
]
everywhere = pytest.mark.parametrize("wire", WIRES, ids=lambda w: f"{w.provider}{w.variant}")
# Where a reply may stand: what the vendor is told to do, and whether it has said something then.
PLACES: list[tuple[str, dict[str, Any], bool]] = [
    ("before the vendor's head", {"delay": 30}, False),
    ("before the first token", {"hold_after": 0}, False),
    ("silent in the middle", {"texts": SPOKEN, "hold_after": 3}, True),
    ("in full flow", {"texts": SPOKEN * 500, "pace": 50}, True),
]


@pytest.fixture
def start(settings: Settings, port: int, tmp_path: Path) -> Iterator[Any]:
    """Start the service; it ends after the test."""
    with ExitStack() as stack:

        def start(environment: dict[str, str]) -> Service:
            service = serving(port, settings.conninfo, tmp_path / "log", **environment)
            return stack.enter_context(service)

        yield start


def replies(peer: Peer) -> int:
    """Count the replies that the vendor was asked for; its models are listed at any time."""
    wire = peer.dialect
    return sum(wire.model_of(one.path, one.body) is not None for one in peer.requests)


async def reached(peer: Peer, before: int) -> None:
    """Wait until the vendor was asked for one more reply."""
    async with asyncio.timeout(20):
        while replies(peer) == before:  # noqa: ASYNC110  (a fact, not an event)
            await asyncio.sleep(0.01)


async def stopped(call: Call, peer: Peer) -> float:
    """Hang up; return how long it took until the vendor noticed."""
    began = time.monotonic()
    call.stream.cancel()
    async with asyncio.timeout(20):
        await peer.disconnected()
    return time.monotonic() - began


async def begun(client: Client, wire: Wire, peer: Peer, *, spoken: bool, **more: Any) -> Call:
    """Ask for a reply, and return when it stands where it is to be stopped."""
    before = replies(peer)
    call = client.ask("Hello", provider=wire.provider, model=wire.model, **more)
    await reached(peer, before)
    if spoken:
        await call.spoke.wait()
        assert call.fault is None
    return call


@everywhere
async def test_a_stop_closes_the_vendors_connection(wire: Wire, start: Any) -> None:
    async with Peer(wire.dialect(), key=KEY) as peer:
        service = start(wire.settings(peer))
        await service.is_well()
        async with client_of(service.port) as client:
            for place, script, spoken in PLACES:
                peer.script(**script)
                call = await begun(client, wire, peer, spoken=spoken)

                took = await stopped(call, peer)
                record = await client.settled(call)

                assert (place, True) == (place, took < WITHIN_SECONDS)
                assert (place, "stopped") == (place, record.outcome)
                # One vendor counts the first token before it sends it.
                assert (place, True) == (place, spoken <= (record.usage.output_tokens > 0))


@everywhere
async def test_a_stop_ends_the_pause_before_another_try(wire: Wire, start: Any) -> None:
    async with Peer(wire.dialect(), key=KEY) as peer:
        service = start(wire.settings(peer))
        await service.is_well()
        peer.script(error=wire.busy, headers={"retry-after": "20"})
        async with client_of(service.port) as client:
            call = await begun(client, wire, peer, spoken=False)
            asked, began = replies(peer), time.monotonic()

            call.stream.cancel()
            record = await client.settled(call)

            assert time.monotonic() - began < WITHIN_SECONDS
            assert ("stopped", 0) == (record.outcome, record.usage.output_tokens)
            assert asked == replies(peer)


@pytest.mark.parametrize("wire", WIRES[2:3], ids=lambda w: w.provider)
async def test_a_stop_reaches_who_was_asked_instead(wire: Wire, start: Any) -> None:
    first = WIRES[0]
    async with Peer(first.dialect(), key=KEY) as failing, Peer(wire.dialect(), key=KEY) as peer:
        service = start(first.settings(failing) | wire.settings(peer))
        await service.is_well()
        failing.script(error="authentication")
        peer.script(texts=SPOKEN, hold_after=3)
        async with client_of(service.port) as client:
            instead = {"provider": wire.provider, "model": wire.model}
            model = first.model
            call = client.ask("Hello", provider=first.provider, model=model, fallbacks=[instead])
            await call.spoke.wait()
            assert call.fault is None

            took = await stopped(call, peer)
            record = await client.settled(call)

    assert took < WITHIN_SECONDS
    assert ("stopped", wire.provider) == (record.outcome, record.provider)
    assert ["provider_auth", "stopped"] == [one.outcome for one in record.attempts]
    assert record.usage.output_tokens > 0
