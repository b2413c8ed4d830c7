"""What belongs to a request: who calls, within which limit, and what the routes may use."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import grpc
from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from parley_rpc.context import Caller, new_caller
from parley_rpc.faults import Unauthenticated
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from parley_gateway.api.addresses import household
from parley_gateway.api.bodies import parse, read_body
from parley_gateway.api.door import Door, Headers
from parley_gateway.api.middleware import exchange_of
from parley_gateway.core import limits
from parley_gateway.core.failures import Failures
from parley_gateway.core.keys import Keyring, key_id_of
from parley_gateway.core.limits import Limiter
from parley_gateway.core.load import Load
from parley_gateway.core.model import HOUR_SECONDS, Identity, Standing
from parley_gateway.core.users import Accounts, require_admin

if TYPE_CHECKING:  # only the stubs' types know these
    from parley.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from parley.prompt.v1.prompt_pb2_grpc import PromptServiceAsyncStub
    from parley.provider.v1.provider_pb2_grpc import ProviderServiceAsyncStub

CALLER = "parley.caller"
IDENTITY = "parley.identity"
BODY = "parley.body"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
LONGEST_TOKEN = 8 * 1024
READ_SECONDS = 10.0
# What is left for a turn's own verdict to arrive after its time is over.
SPARE_SECONDS = 5.0

Stub_co = TypeVar("Stub_co", covariant=True)
Sent = TypeVar("Sent")
Answer = TypeVar("Answer")


class Service(Protocol[Stub_co]):
    """A service behind the gateway (`adapters.clients.Client`)."""

    @property
    def stub(self) -> Stub_co:
        """Its methods."""

    async def unary(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Sent, Answer],
        request: Sent,
        caller: Caller,
        seconds: float,
    ) -> Answer:
        """Call and return the answer; the fault that the service reported."""

    def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Sent, Answer],
        request: Sent,
        caller: Caller,
        seconds: float,
    ) -> AsyncIterator[Answer]:
        """Call and yield the answers as they come; the fault that the service reported."""

    async def is_serving(self) -> bool:
        """Say whether the service is well, within a second."""


@dataclass(frozen=True)
class Gateway:
    """Everything that routes use, put together by `bootstrap`."""

    keyring: Keyring
    limiter: Limiter
    accounts: Accounts
    chat: Service[ChatServiceAsyncStub]
    prompt: Service[PromptServiceAsyncStub]
    provider: Service[ProviderServiceAsyncStub]
    database_answers: Callable[[], Awaitable[bool]]
    load: Load
    failures: Failures = field(default_factory=Failures)
    door: Door = field(default_factory=Door)
    turn_seconds: float = 600.0
    max_message_chars: int = 200_000


class GuardedRoute(APIRoute):
    """A route for those with a valid key, within their limit.

    Every router uses it; a public route says so by another class. The body is read after
    that, so strangers cannot make the gateway read theirs.
    """

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)  # which answers 405
            return
        await admit(scope)
        if scope["method"] in WITH_BODY:
            scope[BODY] = await read_body(scope, receive)
            receive = replay(scope[BODY], receive)
        await self.answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer somebody who was admitted."""
        if self.body_field is not None:
            parse(scope[BODY])  # refuses what is not JSON in the words of the hot route
        # Bodies are JSON, whatever a client calls them.
        named = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
        scope["headers"] = [*named, (b"content-type", b"application/json")]
        await super().handle(scope, receive, send)


def answered_by(app: ASGIApp) -> type[GuardedRoute]:
    """Make the class of a hot route: documented by its endpoint, answered by `app`."""

    class HotRoute(GuardedRoute):
        @override
        async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

    return HotRoute


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with a body that was read before."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


async def identified(gateway: Gateway, token: bytes, address: str) -> Identity:
    """Say whose key this is; Unauthenticated, TooManyAttempts, DatabaseUnavailable."""
    place = household(address)
    turn = gateway.failures.turn(place)
    try:
        if turn is None:
            return await gateway.keyring.identify(token)
        async with turn:
            return await gateway.keyring.identify(token)
    except Unauthenticated:
        gateway.failures.note(token, place, key_id_of(token))
        raise


async def admit(scope: Scope) -> None:
    """Let a request in; Unauthenticated, LimitExceeded, DatabaseUnavailable."""
    gateway, exchange = gateway_of(scope), exchange_of(scope)
    identity = await identified(gateway, credential(scope["headers"]), exchange.address)
    exchange.user_id = user_id = str(identity.user_id)
    standing = await gateway.limiter.spend(f"user:{user_id}")
    exchange.headers += standing_headers(standing)
    limits.check(standing)
    scope[IDENTITY] = identity
    scope[CALLER] = new_caller(
        user_id,
        identity.key_id,
        exchange.request_id,
        valid_for=gateway.turn_seconds + 2 * SPARE_SECONDS,
        role=identity.role.value,
    )


def credential(headers: Headers) -> bytes:
    """Return the one key that a request shows; Unauthenticated.

    `Authorization: Bearer` and `x-api-key` mean the same, and both may be sent when they hold
    the same key.
    """
    shown = [bearer(value) for name, value in headers if name == b"authorization"]
    if len(shown) > 1:
        raise Unauthenticated("The request has more than one Authorization header.")
    shown += [value.strip() for name, value in headers if name == b"x-api-key"]
    if not shown:
        raise Unauthenticated("The request shows no key: send `Authorization: Bearer <key>`.")
    token = shown[0]
    if any(other != token for other in shown):
        raise Unauthenticated("The request shows more than one key.")
    if not token or len(token) > LONGEST_TOKEN:
        raise Unauthenticated("The key is not valid.")
    return token


def bearer(value: bytes) -> bytes:
    """Return the token of an Authorization header; Unauthenticated for any other scheme."""
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated("The Authorization header must be `Bearer <key>`.")
    return token.strip()


def standing_headers(standing: Standing) -> Headers:
    """Tell what is left of the hour: in the IETF's words and in those that clients know."""
    reset = max(1, math.ceil(standing.seconds_left))
    left, limit = standing.remaining, standing.limit
    return [
        (b"ratelimit", b'"hour";r=%d;t=%d' % (left, reset)),
        (b"ratelimit-policy", b'"hour";q=%d;w=%d' % (limit, HOUR_SECONDS)),
        (b"x-ratelimit-limit-requests", b"%d" % limit),
        (b"x-ratelimit-remaining-requests", b"%d" % left),
        (b"x-ratelimit-reset-requests", b"%ds" % reset),
    ]


def gateway_of(scope: Scope) -> Gateway:
    """Return what the routes may use."""
    gateway: Gateway = scope["app"].state.gateway
    return gateway


async def _gateway(request: Request) -> Gateway:
    return gateway_of(request.scope)


async def _identity(request: Request) -> Identity:
    identity: Identity = request.scope[IDENTITY]
    return identity


async def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


async def _administrator(request: Request) -> Caller:
    """Refuse others before anything is said of what they sent; PermissionDenied."""
    require_admin(request.scope[IDENTITY])
    return await _caller(request)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    size: int
    token: str


async def _paging(
    page_size: Annotated[int, Query(ge=1, le=100, description="The most entries of a page.")] = 20,
    page_token: Annotated[
        str, Query(description="The `next_page_token` of the page before.", max_length=1000)
    ] = "",
) -> Paging:
    return Paging(page_size, page_token)


UsedGateway = Annotated[Gateway, Depends(_gateway)]
ActingIdentity = Annotated[Identity, Depends(_identity)]
ActingCaller = Annotated[Caller, Depends(_caller)]
ActingAdministrator = Annotated[Caller, Depends(_administrator)]
AskedPage = Annotated[Paging, Depends(_paging)]
