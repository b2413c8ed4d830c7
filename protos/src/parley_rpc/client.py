"""Channels to other services: credentials, keepalive, quick reconnects, deadlines, faults."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, Protocol, TypeVar

import grpc

from parley_rpc.context import Metadata
from parley_rpc.faults import (
    DeadlineExceeded,
    Fault,
    Internal,
    Unauthenticated,
    Unavailable,
    kind_of,
)
from parley_rpc.status import from_rpc_error
from parley_rpc.tokens import Credential
from parley_rpc.vouching import PASS_ON

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
# A context with a hundred scopes takes a third of it.
MAX_METADATA_BYTES = 32 * 1024
CONNECT_WITHIN_SECONDS = 1.5
# What health calls the taking of new calls. Its own name, because a replica that is unwell still
# answers, and says what ails it.
ACCEPTING = "parley.rpc.Accepting"

Request = TypeVar("Request")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

# Reads of our own tables may be repeated by the channel. What makes or changes something never
# is, nor what may ask a vendor: an overloaded one would be asked again in each layer.
READS = {
    "parley.chat.v1.ChatService": ("GetChat", "GetMessage", "ListChats", "ListMessages"),
    "parley.prompt.v1.PromptService": ("GetPrompt", "ListPrompts", "GetActivePrompt"),
    "parley.provider.v1.ProviderService": (
        "GetAllowances",
        "GetUsage",
        "ListAliases",
        "ListProviders",
        "ListUsage",
        "ListUsageRecords",
        "SummarizeUsage",
    ),
}
SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        # The channel watches it, and leaves a replica that is about to stop before its port closes.
        "healthCheckConfig": {"serviceName": ACCEPTING},
        "methodConfig": [
            {
                "name": [
                    {"service": service, "method": method}
                    for service, methods in READS.items()
                    for method in methods
                ],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)
KEEPALIVE = [
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 4_000),
    ("grpc.http2.ping_timeout_ms", 4_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
OPTIONS = [
    *KEEPALIVE,
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
]


class Asker(Protocol):
    """In whose name a call is made, and until when it must be answered (`Caller`, or a core's)."""

    @property
    def metadata(self) -> Metadata:
        """What the call carries."""

    @property
    def deadline(self) -> float:
        """In `time.monotonic()`; infinity says nothing."""


class Peer:
    """One other service: its channel, and what its failures mean here.

    `name` is what people read in a sentence, and whom our tokens are for: "chat", "prompt",
    "provider". Without a `credential` it is asked as nobody, and answers about health alone.
    """

    def __init__(self, name: str, target: str, credential: Credential | None) -> None:
        self.name = name
        self.credential = credential
        tls = credential.tls if credential else None
        if tls is None:
            self.channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(target, tls.for_channel(), options=OPTIONS)

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        caller: Asker,
        seconds: float,
    ) -> Answer:
        """Call within `seconds`, or within what the caller has left when that is less.

        The fault that the peer reported; Unavailable, DeadlineExceeded.
        """
        left = await self._reached(caller, seconds)
        metadata = self.metadata(caller.metadata)
        return await self.unary(method(request, timeout=left, metadata=metadata))

    async def follow(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Answer],
        request: Request,
        caller: Asker,
        seconds: float,
    ) -> AsyncGenerator[Answer, None]:
        """Yield the answers as they come; in all other things like `call`."""
        left = await self._reached(caller, seconds)
        call = method(request, timeout=left, metadata=self.metadata(caller.metadata))
        async for answer in self.stream(call):
            yield answer

    def metadata(self, shown: Metadata = ()) -> Metadata:
        """Return what a call carries: who calls, beside what else is shown."""
        if self.credential is None:
            return shown
        return (*shown, self.credential.entry(self.name))

    async def connected(self, within: float = CONNECT_WITHIN_SECONDS) -> None:
        """Return when the channel is ready; Unavailable when it is not `within` seconds.

        A service that has just been started again is found in this time, and one that is
        away is reported in less than two seconds.
        """
        if self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return
        try:
            async with asyncio.timeout(within):
                await self.channel.channel_ready()
        except TimeoutError:
            raise Unavailable(
                f"The {self.name} service cannot be reached.", retry_after=1.0, service=self.name
            ) from None

    async def unary(self, call: Awaitable[Answer]) -> Answer:
        """Await one answer; raise the fault that the peer reported."""
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from None

    async def stream(self, call: grpc.aio.UnaryStreamCall[Any, Answer]) -> AsyncIterator[Answer]:
        """Yield a stream's answers; raise the fault that the peer reported; cancel when left."""
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from None
        finally:
            call.cancel()

    async def aclose(self) -> None:
        """Close the channel."""
        await self.channel.close()

    def _fault(self, error: grpc.aio.AioRpcError) -> Fault:
        """Return the fault that was reported; that we are not trusted is no fault of the user's."""
        fault = from_rpc_error(error, self.name)
        own = self.credential and self.credential.key.current().name
        if own not in PASS_ON or kind_of(fault) is not Unauthenticated:
            return fault
        fields = {"service": self.name, "reason": fault.sentence}
        logger.error("not trusted", extra={"fields": fields})
        return Internal(f"The {self.name} service does not trust this one.", service=self.name)

    async def _reached(self, caller: Asker, seconds: float) -> float:
        """Return what a call has left once the channel is ready."""
        until = min(time.monotonic() + seconds, caller.deadline)
        left = self._left(until)
        if self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return left
        await self.connected(min(left, CONNECT_WITHIN_SECONDS))
        return self._left(until)

    def _left(self, until: float) -> float:
        left = until - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(
                f"No time is left to ask the {self.name} service.", service=self.name
            )
        return left
