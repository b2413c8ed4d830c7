"""What every call passes on its way in: deadline, faults, one line in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from grpc_status import rpc_status
from typing_extensions import override

from parley_rpc import log
from parley_rpc.context import ServerContext, request_id_of
from parley_rpc.faults import DeadlineExceeded, Fault, Internal, InvalidArgument, reason_of
from parley_rpc.status import to_status

# A service that answers with a fault has been reached: a channel that would call again, as it
# may when nobody answers, would only wait for the same fault several times.
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
FAILED = "Parley failed; the request id finds the cause in the log."
OPEN_METHODS = ("/grpc.health.v1.", "/grpc.reflection.")

Unary = Callable[[Any, ServerContext], Awaitable[Any]]
Stream = Callable[[Any, ServerContext], AsyncGenerator[Any, None]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered(grpc.Status):
    """A status with what the channel of the caller is to know besides."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


class Edge(grpc.aio.ServerInterceptor):
    """Requires a deadline, turns faults into statuses, and logs each call once.

    `domain` names the service in `ErrorInfo`, such as `chat.parley`. Anything raised that is
    not a Fault is our own mistake: it is logged with its traceback, and the caller is told a
    fixed sentence.
    """

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.wrapped: dict[str, Any] = {}

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        name = handler_call_details.method
        known = self.wrapped.get(name)
        if known is not None:
            return known
        method = await continuation(handler_call_details)
        if method is None or name.startswith(OPEN_METHODS):
            return method
        return self.wrapped.setdefault(name, self._wrap(method, name))

    def _wrap(self, method: Any, name: str) -> Any:
        codec = {
            "request_deserializer": method.request_deserializer,
            "response_serializer": method.response_serializer,
        }
        if method.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method.unary_stream, name), **codec
            )
        return grpc.unary_unary_rpc_method_handler(self._unary(method.unary_unary, name), **codec)

    def _unary(self, behaviour: Unary, name: str) -> Unary:
        async def call(request: Any, context: ServerContext) -> Any:
            with Answering(name, context) as answering:
                answering.require_time()
                return await behaviour(request, context)
            return await context.abort_with_status(self._status(answering.failed))

        return call

    def _stream(self, behaviour: Stream, name: str) -> Stream:
        async def call(request: Any, context: ServerContext) -> AsyncGenerator[Any, None]:
            with Answering(name, context) as answering:
                answering.require_time()
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response
                return
            await context.abort_with_status(self._status(answering.failed))

        return call

    def _status(self, fault: Fault) -> grpc.Status:
        status = rpc_status.to_status(to_status(fault, self.domain))
        return Answered(status.code, status.details, (*status.trailing_metadata, NO_RETRY))


class Answering:
    """Takes a call's failure in, and logs the call once, however it ends.

    All that is said of the call is read when it begins: when its caller has gone, gRPC may have
    given the memory of its metadata away.
    """

    def __init__(self, name: str, context: ServerContext) -> None:
        self.name = name
        self.request_id = request_id_of(context)
        self.seconds = context.time_remaining()
        self.began = time.perf_counter()
        self.failed: Fault = Internal(FAILED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> bool:
        """Swallow what becomes a status; let through what ends the call without one."""
        if isinstance(error, Fault):
            self.failed, reason = error, reason_of(error)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            reason = "cancelled" if self._took < (self.seconds or 0) else DeadlineExceeded.reason
        elif isinstance(error, Exception):
            fields = {"method": self.name, "request_id": self.request_id}
            logger.error("failed", exc_info=error, extra={"fields": fields})
            reason = self.failed.reason
        else:
            reason = "ok"
        self._log(reason)
        return isinstance(error, Exception)

    def require_time(self) -> None:
        """Refuse a call that would wait for ever, and one for which it is too late."""
        if self.seconds is None:
            raise InvalidArgument("The call carries no deadline.")
        if self.seconds <= 0:
            raise DeadlineExceeded("The call came too late to be answered.")

    @property
    def _took(self) -> float:
        return time.perf_counter() - self.began

    def _log(self, reason: str) -> None:
        log.access.info(
            "call",
            extra={
                "fields": {
                    "method": self.name,
                    "request_id": self.request_id,
                    "ms": round(self._took * 1000, 2),
                    "reason": reason,
                }
            },
        )
