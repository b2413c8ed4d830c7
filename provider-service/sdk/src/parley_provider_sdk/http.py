"""Speaks HTTP with a vendor: one pool of connections, limits that hold, nothing followed or leaked.

Needs the extra `http` (aiohttp). A plugin writes a Reading, a table of failures, and

    async def chat_completion(self, request):
        call = Call("/v1/messages", translate.encode(request))
        async for event in self._vendor.reply(call, MyReading(request), request):
            yield event
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http import HttpProcessingError
from typing_extensions import override

from parley_provider_sdk.addresses import (
    ForbiddenAddress,
    Lookup,
    check,
    looked_up,
    private_allowed,
    resolved,
)
from parley_provider_sdk.errors import (
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadResponse,
    ProviderError,
)
from parley_provider_sdk.failures import Refusal, broken_off, sentence_of
from parley_provider_sdk.reading import Reading
from parley_provider_sdk.types import Limits, ReplyEvent, ReplyRequest, ReplyStream

__all__ = ["Call", "Vendor", "from_exception"]

# In order: the first that fits decides.
BY_CLASS: Mapping[type[BaseException], type[ProviderError]] = MappingProxyType(
    {
        aiohttp.ConnectionTimeoutError: BackendUnreachable,
        TimeoutError: BackendTimeout,
        aiohttp.ClientResponseError: BadResponse,
        aiohttp.ClientPayloadError: BadResponse,
        aiohttp.ClientError: BackendUnreachable,
        OSError: BackendUnreachable,
    }
)
# Bytes of a reply in one piece, and of an answer that reports a failure.
WHOLE_LIMIT = 16 << 20
FAILURE_LIMIT = 64 << 10
# Bytes that are read at once. A burst is understood in such pieces, and others run in between: a
# connection hands over up to 768 KiB, which would take a tenth of a second.
PIECE = 32 << 10
# Seconds that an answer may take to end after its mark, so that its connection can be used again.
DRAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a vendor. Its body stays out of repr."""

    path: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    # An answer of this type is a whole reply, even when a stream was asked for.
    whole_type: str = "application/json"


class Vendor:
    """One vendor's address. How much is asked of it at once, the service limits."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        failure: Callable[[Refusal], ProviderError],
        secret: str = "",
        unreachable: str = "",
        lookup: Lookup = looked_up,
    ) -> None:
        """`failure` says what an answer other than 200 means, `unreachable` what to do then."""
        self._lookup = lookup
        self._private = private_allowed()
        self._base_url = base_url.rstrip("/")
        self._headers = {"Content-Type": "application/json", **headers}
        self._failure = failure
        self._secret = secret
        self._unreachable = unreachable
        self._session: aiohttp.ClientSession | None = None

    async def reply(self, call: Call, reading: Reading, request: ReplyRequest) -> ReplyStream:
        """Makes one reply: yields what is read, and its end. Raises ProviderError.

        Closing or cancelling it closes the connection, unless the answer was read to its end.
        """
        limits = request.limits
        wait = limits.first_token if request.stream else limits.whole
        async with self._asked(call, limits, wait) as (response, patience):
            is_whole = response.content_type == call.whole_type
            read = _whole(reading, patience) if is_whole else _streamed(reading, patience, limits)
            async with aclosing(read) as batches:
                async for events in batches:
                    for event in events:
                        yield event
            if reading.failure:
                raise reading.failure
            end = reading.end()
            await patience.drain(DRAIN_SECONDS)
            yield end

    async def ask(self, call: Call, *, seconds: float = 10.0) -> bytes:
        """Asks something small and rare, and returns the answer's body. Raises ProviderError."""
        async with self._asked(call, Limits(), seconds) as (_, patience):
            return await patience.read(WHOLE_LIMIT)

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._session:
            await self._session.close()

    @asynccontextmanager
    async def _asked(
        self, call: Call, limits: Limits, wait: float
    ) -> AsyncGenerator[tuple[aiohttp.ClientResponse, Patience], None]:
        deadline = asyncio.get_running_loop().time() + wait
        response = await self._answer(call, limits, deadline)
        patience = Patience(response.content, deadline)
        try:
            if response.status != 200:
                raise await self._refused(response, patience)
            yield response, patience
        finally:
            patience.close()
            response.close()

    async def _answer(self, call: Call, limits: Limits, deadline: float) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._opened().request(
                    "GET" if call.body is None else "POST",
                    self._base_url + call.path,
                    data=call.body,
                    headers=call.headers,
                    timeout=aiohttp.ClientTimeout(connect=limits.connect),
                    allow_redirects=False,
                )
        except (aiohttp.ClientError, OSError) as error:
            failure = from_exception(error, self._unreachable)
        # Raised out here, because the error it would be chained to holds the headers, key included.
        raise failure

    async def _refused(self, response: aiohttp.ClientResponse, patience: Patience) -> ProviderError:
        body = await patience.read(FAILURE_LIMIT)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._failure(Refusal(response.status, headers, body, self._secret))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                resolver=_Resolver(self._lookup, private=self._private),
                socket_factory=partial(_socket, private=self._private),
                ttl_dns_cache=60,
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=self._headers
            )
        return self._session


class Patience:
    """Reads an answer against a deadline that moves.

    One timer looks now and then whether the deadline has passed while somebody waits. A timer for
    each read, as `asyncio.timeout` sets one, would cost more than the read.
    """

    def __init__(self, content: aiohttp.StreamReader, deadline: float) -> None:
        self._content = content
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf
        self._waiting = False

    def extend(self, seconds: float) -> None:
        """Moves the deadline to so many seconds from now."""
        self._deadline = self._loop.time() + seconds

    async def next(self) -> bytes:
        """Returns what has arrived, a piece at most; nothing at the end. Raises ProviderError."""
        if self._deadline < self._looks_at:
            self._set_timer()
        self._waiting = True
        try:
            return await self._content.read(PIECE)
        except TimeoutError as error:
            failure = from_exception(error)
        except (aiohttp.ClientError, HttpProcessingError, OSError):
            failure = broken_off()
        finally:
            self._waiting = False
        raise failure

    async def read(self, limit: int) -> bytes:
        """Returns all of the answer, or as much of it as the limit lets through."""
        chunks = bytearray()
        while len(chunks) < limit and (chunk := await self.next()):
            chunks += chunk
        return bytes(chunks)

    async def drain(self, seconds: float) -> None:
        """Reads what is left, if it comes soon, so that the connection can be used again."""
        self.extend(seconds)
        with suppress(ProviderError):
            while not self._content.at_eof():
                await self.next()

    def close(self) -> None:
        """Stops the timer."""
        if self._timer:
            self._timer.cancel()

    def _set_timer(self) -> None:
        self.close()
        self._looks_at = self._deadline
        self._timer = self._loop.call_at(self._looks_at, self._look)

    def _look(self) -> None:
        self._looks_at = math.inf
        if self._waiting and self._loop.time() < self._deadline:
            self._set_timer()
        elif self._waiting:
            self._content.set_exception(TimeoutError())


def from_exception(error: BaseException, advice: str = "") -> ProviderError:
    """Returns the error that a failed connection means. Quotes nothing: headers hold the key."""
    failure = next(
        (kind for cause, kind in BY_CLASS.items() if isinstance(error, cause)), BackendError
    )
    sentence = sentence_of(failure)
    if _is_forbidden(error):
        advice = "Its address leads to where no provider may be: see PRIVATE_ADDRESSES."
    return failure(f"{sentence} {advice}" if advice and failure is BackendUnreachable else sentence)


async def _whole(reading: Reading, patience: Patience) -> AsyncGenerator[list[ReplyEvent], None]:
    """Yields what is read of a reply in one piece."""
    reading.feed_whole(await patience.read(WHOLE_LIMIT))
    yield reading.take()


async def _streamed(
    reading: Reading, patience: Patience, limits: Limits
) -> AsyncGenerator[list[ReplyEvent], None]:
    """Yields what is read, as it comes, until the end or a failure."""
    is_alive = False
    while not (reading.done or reading.failure):
        if is_alive:
            # Measured from now: the time that our own listener took is not the vendor's.
            patience.extend(limits.idle)
        chunk = await patience.next()
        if not chunk:
            reading.feed_end()
            yield reading.take()
            return
        # Before the first token nothing but the first token is a sign of life.
        is_alive = reading.feed(chunk) and reading.has_spoken
        if events := reading.take():
            yield events
        if len(chunk) == PIECE:  # There is more, so the next reading would not let others run.
            await asyncio.sleep(0)


class _Resolver(AbstractResolver):
    """Resolves names to addresses that may be connected to; those are what is connected to."""

    def __init__(self, lookup: Lookup, *, private: bool) -> None:
        self._lookup = lookup
        self._private = private

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await resolved(host, port, private=self._private, lookup=self._lookup)
        return [_result(host, port, address) for address in found]

    @override
    async def close(self) -> None:
        pass


def _result(name: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=name,
        host=address,
        port=port,
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def _socket(address: aiohttp.AddrInfoType, *, private: bool) -> socket.socket:
    """Makes the socket for an address. Literals come here too, which no resolver sees."""
    family, kind, protocol, _, place = address
    check(str(place[0]), private=private)
    return socket.socket(family, kind, protocol)


def _is_forbidden(error: BaseException) -> bool:
    return isinstance(error, ForbiddenAddress) or isinstance(
        getattr(error, "os_error", None), ForbiddenAddress
    )
