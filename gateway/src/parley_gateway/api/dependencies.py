"""What belongs to a request: who calls, within which limit, and what the routes may use."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, TypeVar

import grpc
from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from parley_rpc.context import Caller
from parley_rpc.faults import PermissionDenied, Unauthenticated
from parley_rpc.vouching import Voucher
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from parley.context.v1.context_pb2 import UserContext
from parley_gateway.api.addresses import household
from parley_gateway.api.allowances import allowances_of
from parley_gateway.api.bodies import parse, read_body
from parley_gateway.api.credential import credential
from parley_gateway.api.door import Door, Headers
from parley_gateway.api.middleware import Exchange, exchange_of
from parley_gateway.core import limits, model
from parley_gateway.core.audit import Audit
from parley_gateway.core.entries import Whence
from parley_gateway.core.failures import Failures
from parley_gateway.core.keys import Keyring, key_id_of
from parley_gateway.core.limits import Limiter
from parley_gateway.core.load import Load
from parley_gateway.core.model import HOUR_SECONDS, Identity, Standing, Verdict
from parley_gateway.core.scopes import acting_role, require, require_admin
from parley_gateway.core.streams import Streams
from parley_gateway.core.users import FIRST_KEY, Accounts

if TYPE_CHECKING:  # only the stubs' types know these
    from parley.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from parley.prompt.v1.prompt_pb2_grpc import PromptServiceAsyncStub
    from parley.provider.v1.provider_pb2_grpc import ProviderServiceAsyncStub

CALLER = "parley.caller"
IDENTITY = "parley.identity"
VERDICT = "parley.verdict"
BODY = "parley.body"
Scopes = frozenset[model.Scope]
NOBODY: Scopes = frozenset()
ADMINISTRATORS: Scopes = frozenset({model.Scope.ADMIN})
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# What the hours are called in the IETF's headers.
POLICIES = {"user": b"hour", "key": b"key-hour"}
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
    voucher: Voucher
    accounts: Accounts
    chat: Service[ChatServiceAsyncStub]
    prompt: Service[PromptServiceAsyncStub]
    provider: Service[ProviderServiceAsyncStub]
    database_answers: Callable[[], Awaitable[bool]]
    load: Load
    streams: Streams
    audit: Audit
    failures: Failures = field(default_factory=Failures)
    door: Door = field(default_factory=Door)
    turn_seconds: float = 600.0
    max_message_chars: int = 200_000


class GuardedRoute(APIRoute):
    """A route for those with a valid key that is for it, within their limit.

    Every router uses a class that `guarded` makes of it; a public route says so by another
    class, and one that says nothing is for nobody. The body is read after that, so strangers
    cannot make the gateway read theirs.
    """

    # Any of these scopes will do for what only reads, and for what changes something.
    reading: ClassVar[Scopes] = NOBODY
    changing: ClassVar[Scopes] = NOBODY

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)  # which answers 405
            return
        await admit(scope)
        require_scope(scope[IDENTITY], self.scopes_for(scope["method"]))
        if scope["method"] in WITH_BODY:
            scope[BODY] = await read_body(scope, receive)
            receive = replay(scope[BODY], receive)
        await self.answer(scope, receive, send)

    @classmethod
    def scopes_for(cls, method: str) -> Scopes:
        """Return the scopes of which a key needs one."""
        return cls.reading if method == "GET" else cls.changing

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer somebody who was admitted."""
        if self.body_field is not None and (
            scope[BODY] or self.body_field.field_info.is_required()
        ):
            parse(scope[BODY])  # refuses what is not JSON in the words of the hot route
        # Bodies are JSON, whatever a client calls them.
        named = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
        scope["headers"] = [*named, (b"content-type", b"application/json")]
        await super().handle(scope, receive, send)


def guarded(
    *, reading: Scopes, changing: Scopes, among: type[GuardedRoute] = GuardedRoute
) -> type[GuardedRoute]:
    """Make the class of routes for keys with one of these scopes."""
    return type("ScopedRoute", (among,), {"reading": reading, "changing": changing})


def require_scope(by: Identity, needed: Scopes) -> None:
    """Refuse keys that are not for a route; PermissionDenied, ScopeMissing."""
    if not needed:
        raise PermissionDenied("The route says of no key that it may use it.")
    if needed == ADMINISTRATORS:
        require_admin(by)
    require(by, needed)


def answered_by(app: ASGIApp, route: type[GuardedRoute]) -> type[GuardedRoute]:
    """Make the class of a hot route: documented by its endpoint, answered by `app`."""

    async def answer(_: GuardedRoute, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return type("HotRoute", (route,), {"answer": answer})


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with a body that was read before."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


async def identified(gateway: Gateway, token: bytes, whence: Whence) -> Identity:
    """Say whose key this is; Unauthenticated, TooManyAttempts, DatabaseUnavailable."""
    place = household(whence.ip)
    turn = gateway.failures.turn(place)
    try:
        if turn is None:
            return await gateway.keyring.identify(token, whence)
        async with turn:
            return await gateway.keyring.identify(token, whence)
    except Unauthenticated:
        gateway.failures.note(token, place, key_id_of(token))
        raise


async def admit(scope: Scope) -> None:
    """Let a request in; Unauthenticated, LimitExceeded, DatabaseUnavailable."""
    gateway, exchange = gateway_of(scope), exchange_of(scope)
    identity = await identified(gateway, credential(scope["headers"]), exchange.whence)
    if identity.key_id == FIRST_KEY:
        gateway.audit.first_key(identity, exchange.whence)
    exchange.user_id = str(identity.user_id)
    scope[IDENTITY] = identity
    scope[VERDICT] = verdict = await gateway.limiter.spend(gateway.limiter.payer(identity))
    exchange.headers += standing_headers(verdict)
    limits.check(verdict)
    scope[CALLER] = gateway.voucher.vouch(
        user_context(identity),
        exchange.request_id,
        valid_for=gateway.turn_seconds + 2 * SPARE_SECONDS,
    )


def user_context(by: Identity) -> UserContext:
    """Say to the services who calls, and what the key is for."""
    return UserContext(
        user_id=str(by.user_id),
        key_id=by.key_id,
        role=acting_role(by).value,
        scopes=sorted(by.scopes),
        allowances=allowances_of(by),
    )


def standing_headers(verdict: Verdict) -> Headers:
    """Tell what is left of the hours: in the IETF's words and in those that clients know.

    Those know one limit only, and are told of the tightest.
    """
    states, policies = [], []
    for one in verdict.standings:
        name = POLICIES[one.whose]
        states.append(b'"%s";r=%d;t=%d' % (name, one.remaining, seconds_of(one)))
        policies.append(b'"%s";q=%d;w=%d' % (name, one.limit, HOUR_SECONDS))
    tightest = verdict.tightest
    return [
        (b"ratelimit", b", ".join(states)),
        (b"ratelimit-policy", b", ".join(policies)),
        (b"x-ratelimit-limit-requests", b"%d" % tightest.limit),
        (b"x-ratelimit-remaining-requests", b"%d" % tightest.remaining),
        (b"x-ratelimit-reset-requests", b"%ds" % seconds_of(tightest)),
    ]


def seconds_of(standing: Standing) -> int:
    """Return after how many whole seconds an hour is over."""
    return max(1, math.ceil(standing.seconds_left))


def gateway_of(scope: Scope) -> Gateway:
    """Return what the routes may use."""
    gateway: Gateway = scope["app"].state.gateway
    return gateway


def confirming(scope: Scope) -> Callable[[], Awaitable[None]]:
    """Return what asks whether the key of a request is still valid; Unauthenticated."""
    return partial(gateway_of(scope).streams.confirm, scope[IDENTITY])


async def _gateway(request: Request) -> Gateway:
    return gateway_of(request.scope)


async def _identity(request: Request) -> Identity:
    identity: Identity = request.scope[IDENTITY]
    return identity


async def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


async def _exchange(request: Request) -> Exchange:
    return exchange_of(request.scope)


async def _whence(request: Request) -> Whence:
    return exchange_of(request.scope).whence


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
# Of a route that is for administrators alone, as its class says.
ActingAdministrator = ActingCaller
ThisExchange = Annotated[Exchange, Depends(_exchange)]
AskedFrom = Annotated[Whence, Depends(_whence)]
AskedPage = Annotated[Paging, Depends(_paging)]
