"""What the contract asks of a vendor, and how a scripted peer does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from parley_provider_sdk.errors import ProviderError
from parley_provider_sdk.testing.peer import Peer
from parley_provider_sdk.types import ToolCallPart

__all__ = ["PeerVendor", "ScriptedVendor", "VendorPeer"]

NONSENSE = "<html><body>Welcome to the hotel. Please log in.</body></html>"


class ScriptedVendor(Protocol):
    """A vendor that does as it is told.

    Each of the telling methods returns what the user has to say to get the reply.
    """

    @property
    def failures(self) -> Sequence[type[ProviderError]]:
        """The failures that this vendor can mean before it replies, of those in the taxonomy."""

    @property
    def retry_after(self) -> float:
        """The seconds that it asks for when it limits our rate."""

    def says(self, deltas: Sequence[str]) -> str:
        """Replies with these texts, one event each where the wire has events, and ends well."""

    def says_many(self, count: int) -> str:
        """Replies with so many words, a space after each; the last may lack it."""

    def fails(self, failure: type[ProviderError]) -> str:
        """Fails before the first token, as the vendor does when it means this."""

    def fails_midway(self, deltas: Sequence[str]) -> str:
        """Sends these texts and then, in the stream, an error of its own."""

    def breaks_off(self, deltas: Sequence[str]) -> str:
        """Sends these texts and closes the connection without the mark that ends a reply."""

    def falls_silent(self, deltas: Sequence[str]) -> str:
        """Sends these texts, perhaps none, then nothing, and keeps the connection open."""

    async def reached(self) -> None:
        """Returns once vectors have been asked for that it is silent about."""

    async def hung_up(self) -> None:
        """Returns once the client of what fell silent has closed its connection."""

    def thinks(self, reasoning: Sequence[str], deltas: Sequence[str]) -> str:
        """Sends reasoning, with all that it wants back with it, and then these texts."""

    def calls(self, calls: Sequence[ToolCallPart]) -> str:
        """Asks for these tool calls, arguments in pieces, with all that it wants back with them."""


class VendorPeer(ScriptedVendor, Protocol):
    """A vendor at the other end of a connection, which can be garbled and looked at."""

    def dribbles(self, deltas: Sequence[str]) -> str:
        """Sends the first of these texts whole, the others byte by byte, forty bytes a second."""

    def splits(self, deltas: Sequence[str]) -> str:
        """Sends these texts so that characters are split between writes."""

    def adds_unknown(self, deltas: Sequence[str]) -> str:
        """Sends these texts among fields and events that no client knows."""

    def omits_usage(self, deltas: Sequence[str]) -> str:
        """Sends these texts and counts no tokens."""

    def talks_nonsense(self) -> str:
        """Answers 200 with HTML, as a captive portal does."""

    def sends_too_much(self) -> str:
        """Sends one event of more than four megabytes."""

    def received(self) -> Any:
        """Returns the body of the request that came last."""

    @property
    def connections(self) -> int:
        """How many connections clients keep open."""


class PeerVendor:
    """A VendorPeer that scripts a Peer."""

    def __init__(
        self, peer: Peer, failures: Mapping[type[ProviderError], str], *, midway: str
    ) -> None:
        """`failures` names the dialect's failures, `midway` one that it reports in a stream."""
        self.peer = peer
        self.failures = tuple(failures)
        self.retry_after = 7.0
        self._names = failures
        self._midway = midway

    def says(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas)

    def fails(self, failure: type[ProviderError]) -> str:
        return self._told(error=self._names[failure], headers={"retry-after": "7"})

    def breaks_off(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, cut_after=len(deltas))

    def falls_silent(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, hold_after=len(deltas))

    async def reached(self) -> None:
        await self.peer.reached()

    async def hung_up(self) -> None:
        await self.peer.disconnected()

    def fails_midway(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, error=self._midway, error_after=len(deltas))

    def dribbles(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, dribble=40, dribble_after=1)

    def splits(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, split=True)

    def adds_unknown(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, unknown=True)

    def omits_usage(self, deltas: Sequence[str]) -> str:
        return self._told(texts=deltas, usage=False)

    def thinks(self, reasoning: Sequence[str], deltas: Sequence[str]) -> str:
        return self._told(reasoning=reasoning, texts=deltas)

    def calls(self, calls: Sequence[ToolCallPart]) -> str:
        asked = [
            {"tool_call_id": one.tool_call_id, "name": one.name, "arguments": one.arguments}
            for one in calls
        ]
        return self._told(texts=(), calls=asked)

    def talks_nonsense(self) -> str:
        return self._told(raw=NONSENSE, raw_type="text/html")

    def sends_too_much(self) -> str:
        return self._told(texts=("x" * (4 << 20),))

    def says_many(self, count: int) -> str:
        return self._told(count=count)

    def received(self) -> Any:
        return self.peer.requests[-1].body

    @property
    def connections(self) -> int:
        """How many connections clients keep open."""
        return self.peer.connections

    def _told(self, **script: Any) -> str:
        self.peer.script(**{n: tuple(v) if isinstance(v, list) else v for n, v in script.items()})
        return "Do as you were told."
