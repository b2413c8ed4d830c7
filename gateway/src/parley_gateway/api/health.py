"""How the platform is: routes for people and for orchestrators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping

from fastapi import APIRouter, Request, Response
from parley_rpc.faults import Fault

from parley.context.v1.context_pb2 import UserContext
from parley_gateway.api import convert_providers
from parley_gateway.api.about import VERSION
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.providers import all_providers
from parley_gateway.api.schemas import platform
from parley_gateway.api.schemas.platform import Word

WITHIN_SECONDS = 1.0
REMEMBER_SECONDS = 2.0
# In whose name providers are listed for everybody: nobody's.
NOBODY = "00000000-0000-0000-0000-000000000000"

router = APIRouter(tags=["Platform"])


class Monitor:
    """Looks after the services and the database; remembers the providers for two seconds."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        # Whether the gateway takes no new requests, because it ends.
        self.stopping = False
        self._providers: Mapping[str, str] = {}
        self._listed_at = float("-inf")

    async def services(self) -> dict[str, Word]:
        """Ask all services and the database at once."""
        names = ("chat", "prompt", "provider", "database")
        words = await asyncio.gather(
            word(self.gateway.chat.is_serving()),
            word(self.gateway.prompt.is_serving()),
            word(self.gateway.provider.is_serving()),
            self.database(),
        )
        return dict(zip(names, words, strict=True))

    @property
    def itself(self) -> Word:
        """Whether the gateway itself takes requests."""
        return "unavailable" if self.stopping else "ok"

    async def database(self) -> Word:
        """Say whether the database is there and keys can be recognized."""
        answers = await word(self.gateway.database_answers())
        return answers if self.gateway.keyring.administrator else "unavailable"

    async def providers(self) -> Mapping[str, str]:
        """Say how the providers stand; what was known last when they cannot be listed."""
        if time.monotonic() >= self._listed_at + REMEMBER_SECONDS:
            nobody = UserContext(user_id=NOBODY, key_id="health")
            caller = self.gateway.voucher.vouch(nobody, "", valid_for=10)
            try:
                async with asyncio.timeout(WITHIN_SECONDS):
                    known = await all_providers(self.gateway, caller)
            except (Fault, TimeoutError):
                return self._providers
            self._providers = {
                one.name: convert_providers.PROVIDER_STATUSES.get(one.status, "unknown")
                for one in known
            }
            self._listed_at = time.monotonic()
        return self._providers


async def word(question: Awaitable[bool]) -> Word:
    """Say in a word whether something is well; silence is no."""
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            return "ok" if await question else "unavailable"
    except TimeoutError:
        return "unavailable"


def monitor_of(request: Request) -> Monitor:
    """Return the application's monitor."""
    monitor: Monitor = request.app.state.monitor
    return monitor


def status_of(words: Mapping[str, Word], response: Response) -> Word:
    """Say whether all is well, and answer with 503 when it is not."""
    if set(words.values()) == {"ok"}:
        return "ok"
    response.status_code = 503
    return "unavailable"


@router.get(
    "/health",
    summary="How the platform is",
    operation_id="get_health",
    responses={503: {"model": platform.Health, "description": "A service is away."}},
)
async def get_health(request: Request, response: Response) -> platform.Health:
    """Say how each service, the database and each provider is.

    503 when a service or the database is away or the gateway stops, never for a provider.
    """
    monitor = monitor_of(request)
    services = await monitor.services()
    known = await monitor.providers() if services["provider"] == "ok" else {}
    return platform.Health(
        status=status_of({**services, "gateway": monitor.itself}, response),
        version=VERSION,
        services=services,
        providers=dict(known),
    )


@router.get("/livez", summary="Whether the process works", operation_id="get_livez")
async def get_livez() -> platform.Probe:
    """Answer, which is all that is asked for."""
    return platform.Probe(status="ok")


@router.get(
    "/readyz",
    summary="Whether requests can be taken",
    operation_id="get_readyz",
    responses={
        503: {"model": platform.Probe, "description": "The database is away, or the gateway stops."}
    },
)
async def get_readyz(request: Request, response: Response) -> platform.Probe:
    """Say whether keys can be recognized and requests counted."""
    monitor = monitor_of(request)
    words = {"database": await monitor.database(), "gateway": monitor.itself}
    return platform.Probe(status=status_of(words, response))
