"""One run: start, send and strike, quiet, judge."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import aiohttp
import uvloop

from parley_tests.checker import plan
from parley_tests.checker.aftermath import Found, Quiet, quieten, survey, trouble
from parley_tests.checker.clients import Client
from parley_tests.checker.cluster import Cluster
from parley_tests.checker.history import History
from parley_tests.checker.nemesis import KINDS, SERVICES, Blow, Nemesis, targets
from parley_tests.checker.rules import judge
from parley_tests.checker.rules.world import Violation, World
from parley_tests.checker.wire import Api
from parley_tests.platform import ADMIN_KEY


@dataclass(frozen=True)
class Order:
    """What a run is to be.

    It ends once it has the `messages` and the `kills` that it was to have, and after `seconds`
    in any case.
    """

    seed: int
    seconds: float
    messages: int | None = None
    kills: int | None = None
    clients: int = 16
    users: int = 4
    kinds: Mapping[str, int] = field(default_factory=lambda: dict(KINDS))
    victims: Sequence[str] = SERVICES
    # Mean seconds between two blows.
    pace: float = 1.0
    quiet_within: float = 30.0
    # What clients that were told to stop are given to end their turns.
    wind_down: float = 30.0
    # Words of a second that the vendor says.
    words_per_second: int = 150
    # A fault for a service (see `broken`), and one for PostgreSQL.
    broken: Mapping[str, str] = field(default_factory=dict)
    synchronous_commit: bool = True


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    order: Order
    folder: Path
    history: History
    found: Found
    violations: list[Violation]
    blows: list[Blow]
    counts: Counter[str]
    kills: int
    seconds: float

    @property
    def messages(self) -> int:
        """Messages that are stored, replies included."""
        return len(self.found.messages)


def execute(order: Order) -> Outcome:
    """Make a run in a folder of its own, which stays."""
    folder = Path(tempfile.mkdtemp(prefix="parley-faults-"))
    folder.chmod(0o711)  # PostgreSQL runs as somebody else when we are root.
    return uvloop.run(_execute(order, folder))


async def _execute(order: Order, folder: Path) -> Outcome:
    environment = {"DEMO_PACE": str(order.words_per_second)}
    cluster = Cluster(
        folder, environment, broken=order.broken, synchronous_commit=order.synchronous_commit
    )
    try:
        await cluster.start()
        owners, keys = await _users(cluster, order.users)
        await asyncio.to_thread(cluster.save)
        history, nemesis = History(), Nemesis(cluster)
        began = time.monotonic()
        quiet = Quiet()
        await _rage(order, cluster, history, nemesis, keys, quiet)
        seconds = time.monotonic() - began
        await quieten(quiet, cluster.database_url, cluster.healthy, order.quiet_within)
        async with contextlib.aclosing(Api(cluster.gateways(direct=True), keys)) as api:
            found = await survey(history, api, quiet, cluster.database_url, owners)
        found.resident_mb = cluster.resident_mb()
    finally:
        await cluster.stop(gracefully=not order.broken)
    found.exits = cluster.exits
    found.trouble = trouble(cluster.log_files())
    violations = judge(World(history, found, order.quiet_within))
    return Outcome(
        order,
        folder,
        history,
        found,
        violations,
        nemesis.blows,
        nemesis.counts,
        nemesis.kills,
        seconds,
    )


async def _rage(
    order: Order,
    cluster: Cluster,
    history: History,
    nemesis: Nemesis,
    keys: list[str],
    quiet: Quiet,
) -> None:
    """Let clients send and the nemesis strike until there was enough of both."""
    stop = asyncio.Event()
    api = Api(cluster.gateways(), keys)
    clients = [
        asyncio.create_task(
            Client(api, history, stop).run(plan.sessions(order.seed, n, n % order.users))
        )
        for n in range(order.clients)
    ]
    blows = plan.faults(order.seed, order.kinds, targets(cluster.links, order.victims), order.pace)
    striking = asyncio.create_task(nemesis.run(blows))
    try:
        await _enough(order, history, nemesis, [striking, *clients])
    finally:
        striking.cancel()
        await asyncio.wait([striking])
        stop.set()
        healed = time.monotonic()
        _, late = await asyncio.wait(clients, timeout=order.wind_down)
        quiet.clients_done = None if late else time.monotonic() - healed
        for client in late:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await api.aclose()


async def _enough(
    order: Order, history: History, nemesis: Nemesis, tasks: list[asyncio.Task[None]]
) -> None:
    """Return when the run has gone on long enough; raise what any part of it failed with."""
    give_up = time.monotonic() + order.seconds
    while time.monotonic() < give_up:
        for task in tasks:
            if task.done():
                task.result()
        # A turn is two messages.
        sent = history.acknowledged * 2 >= (order.messages or 0)
        killed = nemesis.kills >= (order.kills or 0)
        if sent and killed and (order.messages or order.kills):
            return
        await asyncio.sleep(0.2)


async def _users(cluster: Cluster, count: int) -> tuple[list[UUID], list[str]]:
    """Make users; return their ids and a key of each."""
    owners, keys = [], []
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with aiohttp.ClientSession(cluster.gateways(direct=True)[0], headers=headers) as admin:
        for number in range(count):
            async with admin.post("/users", json={"name": f"user {number}"}) as answer:
                user = (await answer.json())["user_id"]
            body = {"name": "checker", "user_id": user}
            async with admin.post("/keys", json=body) as answer:
                keys.append((await answer.json())["key"])
            owners.append(UUID(user))
    return owners, keys
