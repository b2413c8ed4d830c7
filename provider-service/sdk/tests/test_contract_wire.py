"""The same over a wire: an honest provider passes, a wrong one fails where it should."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from parley_provider_sdk import (
    Finished,
    FinishReason,
    Health,
    ModelInfo,
    ProviderError,
    Usage,
)
from parley_provider_sdk.reading import LineCutter
from parley_provider_sdk.testing import Peer, PeerVendor, ProviderContract
from typing_extensions import override

from .toy import FAILURES, KEY, SIGNATURES, Toy, ToyDialect, ToyReading

pytestmark = pytest.mark.unit


@pytest.fixture
async def peer() -> AsyncIterator[PeerVendor]:
    async with Peer(ToyDialect(), key=KEY) as wire:
        yield PeerVendor(wire, FAILURES, midway="busy")


class TestToy(ProviderContract):
    model = "toy-1"
    secret = KEY
    patience = 2.0
    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType(
        {"reasoning": SIGNATURES[:1], "tools": SIGNATURES[1:]}
    )
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "embeddings": "the toy makes none; test_contract_vectors.py has",
            "logprobs": "the toy tells none; test_contract_vectors.py has",
        }
    )

    @pytest.fixture
    async def provider(self, peer: PeerVendor) -> AsyncIterator[Toy]:
        made = Toy(peer.peer.base_url)
        yield made
        await made.aclose()


class ReplacesHalfCharacters(Toy):
    class Careless(LineCutter):
        @override
        def feed(self, chunk: bytes) -> list[bytes] | None:
            return super().feed(chunk.decode(errors="replace").encode())

    @override
    def cutter(self) -> LineCutter:
        return self.Careless()


class KnowsTheWireOfToday(Toy):
    class reading(ToyReading):  # noqa: N801  (stands in for an attribute)
        @override
        def read_line(self, line: Mapping[str, Any]) -> None:
            if "news" in line:
                raise ValueError("What is this?")
            super().read_line(line)


class InventsUsage(Toy):
    class reading(ToyReading):  # noqa: N801  (stands in for an attribute)
        @override
        def counted(self, line: Mapping[str, Any]) -> Usage:
            return Usage(line.get("in", 1), line.get("out", 1))


class TakesHalfALineForLife(Toy):
    class reading(ToyReading):  # noqa: N801  (stands in for an attribute)
        @override
        def feed(self, chunk: bytes) -> bool:
            super().feed(chunk)
            return True


class TakesNonsense(Toy):
    class reading(ToyReading):  # noqa: N801  (stands in for an attribute)
        @override
        def read(self, event: bytes) -> None:
            with suppress(ValueError):
                super().read(event)

        @override
        def end(self) -> Finished:
            return Finished(FinishReason.STOP, Usage(1, 1))


class TakesAnySize(Toy):
    @override
    def cutter(self) -> LineCutter:
        return LineCutter(limit=64 << 20)


class KeepsItsConnections(Toy):
    @override
    async def aclose(self) -> None:
        """Closes nothing."""


class ClosesOnlyOnce(Toy):
    closed = False

    @override
    async def aclose(self) -> None:
        await super().aclose()
        assert not self.closed
        self.closed = True


class RaisesThatItIsUnwell(Toy):
    @override
    async def health_check(self) -> Health:
        await self.list_models()
        return Health(healthy=True)


class ListsWhenRefused(Toy):
    @override
    async def list_models(self) -> Sequence[ModelInfo]:
        with suppress(ProviderError):
            return await super().list_models()
        return []


class NeverTakesSignatures(Toy):
    class reading(ToyReading):  # noqa: N801  (stands in for an attribute)
        @override
        def signed(self, signature: str) -> bytes:
            return b""


class GivesBackANoteOnly(Toy):
    """Keeps a note of its own with the signature, and sends neither."""

    class reading(ToyReading):  # noqa: N801  (stands in for an attribute)
        @override
        def signed(self, signature: str) -> bytes:
            return b'{"note": "mine"}'

    @override
    def given_back(self, metadata: bytes) -> dict[str, Any]:
        return {}


class ForgetsSignatures(Toy):
    @override
    def given_back(self, metadata: bytes) -> dict[str, Any]:
        return {}


class ForgetsAll(ForgetsSignatures):
    """The same, where the contract does not say what the vendor wants back."""


class Unsigned(TestToy):
    """Does not say what the vendor wants back: something of what was kept has to go."""

    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType({})


CONTRACT = TestToy()
UNSIGNED = Unsigned()
WRONG: list[tuple[type[Toy], Callable[..., Any], tuple[Any, ...]]] = [
    (ReplacesHalfCharacters, CONTRACT.test_split_characters_come_whole, ()),
    (KnowsTheWireOfToday, CONTRACT.test_unknown_fields_and_events_are_ignored, ()),
    (InventsUsage, CONTRACT.test_usage_that_the_vendor_omits_is_marked, ()),
    (TakesHalfALineForLife, CONTRACT.test_dribble_is_a_timeout, ()),
    (TakesNonsense, CONTRACT.test_nonsense_is_a_bad_response, (True,)),
    (TakesAnySize, CONTRACT.test_oversized_event_is_refused, ()),
    (KeepsItsConnections, CONTRACT.test_closing_the_provider_leaves_no_connection, ()),
    (ClosesOnlyOnce, CONTRACT.test_closing_the_provider_leaves_no_connection, ()),
    (RaisesThatItIsUnwell, CONTRACT.test_being_refused_is_unwell, ()),
    (ListsWhenRefused, CONTRACT.test_being_refused_is_unwell, ()),
    (NeverTakesSignatures, CONTRACT.test_tool_results_go_back, ()),
    (NeverTakesSignatures, CONTRACT.test_reasoning_goes_back, ()),
    (ForgetsAll, UNSIGNED.test_tool_results_go_back, ()),
    (ForgetsAll, UNSIGNED.test_reasoning_goes_back, ()),
    (GivesBackANoteOnly, CONTRACT.test_reasoning_goes_back, ()),
    (ForgetsSignatures, CONTRACT.test_tool_results_go_back, ()),
    (ForgetsSignatures, CONTRACT.test_reasoning_goes_back, ()),
]


@pytest.mark.parametrize(
    ("wrong", "test", "arguments"),
    WRONG,
    ids=[f"{row[0].__name__}-{row[1].__name__}" for row in WRONG],
)
async def test_a_wrong_provider_is_caught(
    peer: PeerVendor, wrong: type[Toy], test: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    provider = wrong(peer.peer.base_url)
    with pytest.raises((AssertionError, pytest.fail.Exception, ProviderError)):
        await test(provider, peer, *arguments)
    await provider.vendor.aclose()
