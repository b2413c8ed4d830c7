"""What every call passes on its way in: deadline, faults, one line in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_status import rpc_status
from typing_extensions import override

from parley_rpc import log
from parley_rpc.context import ServerContext, request_id_of
from parley_rpc.faults import Fault, Internal, InvalidArgument, reason_of
from parley_rpc.status import to_status

# A service that answers with a fault has been reached: a channel that would call again, as it
# may when nobody answers, would only wait for the same fault several times.
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
OPEN_METHODS = ("/grpc.health.v1.", "/grpc.reflection.")

Unary = Callable[[Any, ServerContext], Awaitable[Any]]
Stream = Callable[[Any, ServerContext], AsyncIterator[Any]]

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
            began = time.perf_counter()
            failure: Fault | None = None
            try:
                require_deadline(context)
                return await behaviour(request, context)
            except Fault as fault:
                failure = fault
            except Exception as error:  # noqa: BLE001  (the last resort of every call)
                failure = unexpected(error, name, context)
            finally:
                self._log(name, context, began, failure)
            return await context.abort_with_status(self._status(failure))

        return call

    def _stream(self, behaviour: Stream, name: str) -> Stream:
        async def call(request: Any, context: ServerContext) -> AsyncIterator[Any]:
            began = time.perf_counter()
            failure: Fault | None = None
            try:
                require_deadline(context)
                async for response in behaviour(request, context):
                    yield response
            except Fault as fault:
                failure = fault
            except Exception as error:  # noqa: BLE001  (the last resort of every call)
                failure = unexpected(error, name, context)
            finally:
                self._log(name, context, began, failure)
            if failure is not None:
                await context.abort_with_status(self._status(failure))

        return call

    def _status(self, fault: Fault) -> grpc.Status:
        status = rpc_status.to_status(to_status(fault, self.domain))
        return Answered(status.code, status.details, (*status.trailing_metadata, NO_RETRY))

    def _log(self, name: str, context: ServerContext, began: float, fault: Fault | None) -> None:
        log.access.info(
            "call",
            extra={
                "fields": {
                    "method": name,
                    "request_id": request_id_of(context),
                    "ms": round((time.perf_counter() - began) * 1000, 2),
                    "reason": reason_of(fault) if fault else "ok",
                }
            },
        )


def require_deadline(context: ServerContext) -> None:
    """Refuse a call that would wait for ever."""
    if context.time_remaining() is None:
        raise InvalidArgument("The call carries no deadline.")


def unexpected(error: Exception, name: str, context: ServerContext) -> Fault:
    """Log what should not have happened, and return what the caller may know of it."""
    request_id = request_id_of(context)
    fields = {"method": name, "request_id": request_id}
    logger.error("failed", exc_info=error, extra={"fields": fields})
    return Internal("Parley failed; the request id finds the cause in the log.")
