"""The server of the calls: it stops the replies before it cuts their streams."""

from __future__ import annotations

import asyncio

from parley_rpc.server import Probe, Server
from parley_rpc.trust import Doorkeeper
from typing_extensions import override

from parley_provider_service.api.allowances import DOMAIN
from parley_provider_service.core.generation import Generation

# What a reply that was stopped is given to be settled and to tell its listener.
FAREWELL_SECONDS = 0.5


class ReplyServer(Server):
    """Gives running replies the grace; those still there after it are told why they end.

    What gRPC takes on in the last moment is a reply like any other. What comes later it refuses by
    itself, before anything is held: UNAVAILABLE, or CANCELLED on a connection that it is leaving.
    """

    def __init__(
        self, generation: Generation, trust: Doorkeeper, *, probe: Probe, reflect: bool
    ) -> None:
        super().__init__(DOMAIN, trust, probe=probe, reflect=reflect)
        self.generation = generation

    @override
    async def stop(self, grace: float) -> None:
        timer = asyncio.get_running_loop().call_later(grace, self.generation.stop)
        try:
            await super().stop(grace + FAREWELL_SECONDS)
        finally:
            timer.cancel()
