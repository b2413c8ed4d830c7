"""A channel for the generated stubs, whose calls are trusted, in time, repeated, and typed.

A stub asks its channel for one callable for each call of its contract. Those that a `Line` gives
take a request and a `timeout`. What they return is awaited, or iterated over, and nothing else.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from parley_rpc.client import CONNECT_WITHIN_SECONDS, READS, Peer
from parley_rpc.context import REQUEST_ID, USER_CONTEXT, Metadata
from parley_rpc.faults import Fault, Unauthenticated, Unavailable, kind_of

from parley.chat.v1 import chat_pb2
from parley_client.errors import GatewayUnreachable, ParleyError
from parley_client.grpc.contexts import Contexts, Known
from parley_client.grpc.failures import as_error
from parley_client.grpc.patience import Patience
from parley_client.grpc.turns import Reply
from parley_client.retries import MOST_REPEATS, Retries, not_taken

CHAT = "/parley.chat.v1.ChatService/"
SEND, STREAM, STOP = (f"{CHAT}{name}" for name in ("SendMessage", "StreamMessage", "StopMessage"))
# Calls that only read, as the channels of our own services know them.
REPEATABLE = {f"/{service}/{method}" for service, methods in READS.items() for method in methods}

Codec: TypeAlias = Callable[[Any], Any]
Asked: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
Followed: TypeAlias = Callable[..., AsyncGenerator[Any, None]]


@dataclass(frozen=True, slots=True)
class Asking:
    """One call: whose id it has, in whose name it is made, and until when."""

    known: Known
    request_id: str
    deadline: float

    @property
    def metadata(self) -> Metadata:
        """What it carries."""
        return ((USER_CONTEXT, self.known.signed), (REQUEST_ID, self.request_id))


class Line:
    """A way to one service, in one user's name."""

    def __init__(self, peer: Peer, contexts: Contexts, patience: Patience) -> None:
        self._peer = peer
        self._contexts = contexts
        self._patience = patience

    def unary_unary(
        self, path: str, *, request_serializer: Codec, response_deserializer: Codec, **_: Any
    ) -> Asked:
        """Returns what makes a call that has one answer."""
        method = self._peer.channel.unary_unary(path, request_serializer, response_deserializer)

        async def asked(request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as on any stub
            until = time.monotonic() + (self._patience.call if timeout is None else timeout)
            retries = self._retries(path)
            while True:
                try:
                    return await self._once(method, request, until)
                except ParleyError as error:
                    await self._pause(retries.wait_after(error), until, error)

        return asked

    def unary_stream(
        self, path: str, *, request_serializer: Codec, response_deserializer: Codec, **_: Any
    ) -> Followed:
        """Returns what makes a call whose answer is a stream; a reply is read to its end."""
        method = self._peer.channel.unary_stream(path, request_serializer, response_deserializer)

        async def followed(
            request: Any,
            *,
            timeout: float | None = None,  # noqa: ASYNC109 - as on any stub
        ) -> AsyncGenerator[Any, None]:
            until = time.monotonic() + (self._patience.stream if timeout is None else timeout)
            events = (
                self._reply(request, until)
                if path in {SEND, STREAM}
                else self._events(method, request, until)
            )
            async with aclosing(events):
                async for event in events:
                    yield event

        return followed

    async def _once(self, method: Any, request: Any, until: float) -> Any:
        request_id = uuid4().hex
        await self._reach(until)
        refused = None
        while True:
            asking = Asking(await self._contexts.current(refused), request_id, until)
            try:
                return await self._peer.call(method, request, asking, until - time.monotonic())
            except Fault as fault:
                if refused is not None or kind_of(fault) is not Unauthenticated:
                    raise as_error(fault, request_id) from fault
                refused = asking.known

    async def _events(self, method: Any, request: Any, until: float) -> AsyncGenerator[Any, None]:
        request_id = uuid4().hex
        await self._reach(until)
        refused, begun = None, False
        while True:
            asking = Asking(await self._contexts.current(refused), request_id, until)
            left = until - time.monotonic()
            try:
                async with aclosing(self._peer.follow(method, request, asking, left)) as events:
                    async for event in events:
                        begun = True
                        yield event
            except Fault as fault:
                if refused is not None or begun or kind_of(fault) is not Unauthenticated:
                    raise as_error(fault, request_id) from fault
                refused = asking.known
            else:
                return

    async def _reply(self, request: Any, until: float) -> AsyncGenerator[Any, None]:
        reply = Reply(request, self._patience)
        while not reply.over:
            try:
                async with aclosing(self._part(reply, type(request), until)) as events:
                    async for event in events:
                        yield event
            except ParleyError as error:
                if not reply.over:
                    await self._pause(reply.wait_after(error), until, error)

    async def _part(
        self, reply: Reply, asked: type[Any], until: float
    ) -> AsyncGenerator[Any, None]:
        request = reply.request()
        told = (
            chat_pb2.SendMessageResponse
            if asked is chat_pb2.SendMessageRequest
            else chat_pb2.StreamMessageResponse
        )
        async with aclosing(self._events(self._method(request), request, until)) as events:
            async for event in events:
                if reply.seen(event):
                    yield event if isinstance(event, told) else in_words_of(told, event)
        reply.finish()

    def _method(self, request: Any) -> Any:
        sends = isinstance(request, chat_pb2.SendMessageRequest)
        answer = chat_pb2.SendMessageResponse if sends else chat_pb2.StreamMessageResponse
        return self._peer.channel.unary_stream(
            SEND if sends else STREAM, type(request).SerializeToString, answer.FromString
        )

    async def _reach(self, until: float) -> None:
        """Waits a moment for a connection: what fails before there is one has not arrived."""
        within = max(self._patience.reread, CONNECT_WITHIN_SECONDS)
        try:
            await self._peer.connected(min(until - time.monotonic(), within))
        except Unavailable as fault:
            raise GatewayUnreachable(fault.sentence, arrived=False) from None

    def _retries(self, path: str) -> Retries:
        if path == STOP:
            return Retries(not_taken, self._patience.repeat, MOST_REPEATS)
        seconds = self._patience.reread if path in REPEATABLE else 0
        return Retries(not_taken, seconds, MOST_REPEATS)

    async def _pause(self, seconds: float, until: float, error: ParleyError) -> None:
        """Waits before another try; raises `error` when there is no time for one."""
        if time.monotonic() + seconds >= until:
            raise error
        await asyncio.sleep(seconds)


def in_words_of(told: type[Any], event: Any) -> Any:
    """Returns an event of a reply as the other of the two calls tells it."""
    name = event.WhichOneof("event")
    return told(**{name: getattr(event, name)})
