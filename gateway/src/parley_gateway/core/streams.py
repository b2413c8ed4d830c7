"""Open streams, each under its key: what a key began ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable, Fault, Unauthenticated

from parley_gateway.core.keys import LIVES_SECONDS, has_ended, is_key_id
from parley_gateway.core.model import Identity, Rights, Role
from parley_gateway.core.ports import KeyStore, Turns

LOOK_EVERY_SECONDS = 2.0
# For so long it is looked for turns of a key that has ended, and a chat service that is away is
# asked again.
REMEMBERED_SECONDS = 60.0
# Until then another gateway may let in one more request with the key, and begin its turn.
LET_IN_SECONDS = LIVES_SECONDS + 2.0
NO_LONGER = "The key is not valid any more."


class Stream:
    """Something that is under way for a key: a stream, or the wait for a whole reply."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        # Why it is to end, once it is.
        self.cut: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()
        self._scope: asyncio.Timeout | None = None

    def end(self) -> None:
        """End it because of its key."""
        if not self.cut.done():
            self.cut.set_result(Unauthenticated(NO_LONGER))
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0)

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Run a block that ends with the key; Unauthenticated."""
        try:
            async with asyncio.timeout(None) as self._scope:
                if self.cut.done():
                    self._scope.reschedule(0)
                yield
        except TimeoutError:
            if not self.cut.done():
                raise
            raise self.cut.result() from None
        finally:
            self._scope = None


class Streams:
    """Ends what was begun with keys that are revoked, expired, or make less of their users.

    What happens here is heeded at once. For the rest one query asks every two seconds for all
    keys of open streams together, and another one for what has ended of late: turns go on
    without their clients, and those of such a key are stopped, wherever they run.
    """

    def __init__(
        self, store: KeyStore, turns: Turns, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.turns = turns
        self.clock = clock
        self._open: dict[str, set[Stream]] = {}
        # Whose turns were stopped for good.
        self._stopped: dict[tuple[UUID, str], float] = {}

    @contextlib.contextmanager
    def open(self, identity: Identity) -> Iterator[Stream]:
        """Name a stream as one of a key's for the length of a block."""
        stream, streams = Stream(identity), self._open.setdefault(identity.key_id, set())
        streams.add(stream)
        try:
            yield stream
        finally:
            streams.discard(stream)
            if not streams and self._open.get(identity.key_id) is streams:
                del self._open[identity.key_id]

    async def end(self, user_id: UUID, key_id: str = "") -> None:
        """End what a key began, or all of a user's keys when none is named."""
        for stream in self._streams():
            by = stream.identity
            if by.user_id == user_id and key_id in {"", by.key_id}:
                stream.end()
        # What cannot be reached now is stopped a moment later, as what other gateways began.
        with contextlib.suppress(Fault):
            await self.turns.stop(user_id, key_id)

    async def confirm(self, identity: Identity) -> None:
        """Ask for one key at once: why a reply was stopped may be that; Unauthenticated."""
        if not is_key_id(identity.key_id):
            return
        with contextlib.suppress(DatabaseUnavailable):
            rights = await self.store.rights([identity.key_id])
            if is_lowered(identity, rights.get(identity.key_id)):
                raise Unauthenticated(NO_LONGER)

    async def run(self) -> None:
        """Look after all of it for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            with contextlib.suppress(DatabaseUnavailable):
                await self.look()

    async def look(self) -> None:
        """End what has to end by now; DatabaseUnavailable."""
        asked = [stream for stream in self._streams() if is_key_id(stream.identity.key_id)]
        if asked:
            key_ids = sorted({stream.identity.key_id for stream in asked})
            rights = await self.store.rights(key_ids)
            for stream in asked:
                if is_lowered(stream.identity, rights.get(stream.identity.key_id)):
                    stream.end()
        await self._stop_turns()

    async def _stop_turns(self) -> None:
        ended = await self.store.ended(REMEMBERED_SECONDS)
        now = self.clock()
        done = {pair: until for pair, until in self._stopped.items() if now < until}
        self._stopped = done
        for user_id, key_id, seconds_ago in ended:
            if (user_id, key_id) in done:
                continue
            with contextlib.suppress(Fault):
                await self.turns.stop(user_id, key_id)
                if seconds_ago >= LET_IN_SECONDS:
                    done[user_id, key_id] = now + REMEMBERED_SECONDS - seconds_ago

    def _streams(self) -> list[Stream]:
        return [stream for streams in self._open.values() for stream in streams]


def is_lowered(was: Identity, rights: Rights | None) -> bool:
    """Say whether a key makes less of its user than it did, or nothing any more."""
    if rights is None or has_ended(was):
        return True
    demoted = was.role is Role.ADMIN and rights.role is not Role.ADMIN
    return demoted or rights.scopes != was.scopes
