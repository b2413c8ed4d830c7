"""What every call passes on its way in: deadline, trust, scope, faults, one line in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import grpc
from grpc_status import rpc_status
from typing_extensions import override

from parley_rpc import log
from parley_rpc.context import (
    ADMITTED,
    REQUEST_ID,
    Admitted,
    ServerContext,
    deadline_of,
    shown_by,
)
from parley_rpc.faults import (
    DeadlineExceeded,
    Fault,
    Internal,
    InvalidArgument,
    PermissionDenied,
    reason_of,
)
from parley_rpc.scopes import Needs, needs_of
from parley_rpc.status import to_status
from parley_rpc.trust import Doorkeeper

# A service that answers with a fault has been reached: a channel that would call again, as it
# may when nobody answers, would only wait for the same fault several times.
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
FAILED = "Parley failed; the request id finds the cause in the log."
# Open to anybody: orchestrators ask for health.
OPEN_METHODS = "/grpc.health.v1."
# Where it is switched on, for services alone: it acts for nobody, and tools give it no deadline.
REFLECTION = "/grpc.reflection."

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
    """Requires a deadline and who calls, turns faults into statuses, and logs each call once.

    `domain` names the service in `ErrorInfo`, such as `chat.parley`. Anything raised that is
    not a Fault is our own mistake: it is logged with its traceback, and the caller is told a
    fixed sentence.
    """

    def __init__(self, domain: str, trust: Doorkeeper) -> None:
        self.domain = domain
        self.trust = trust
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
        needs = needs_of(name)
        codec = {
            "request_deserializer": method.request_deserializer,
            "response_serializer": method.response_serializer,
        }
        if name.startswith(REFLECTION):
            return grpc.stream_stream_rpc_method_handler(
                self._stream(method.stream_stream, name, needs, nobodys=True), **codec
            )
        if method.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method.unary_stream, name, needs), **codec
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method.unary_unary, name, needs), **codec
        )

    def _unary(self, behaviour: Unary, name: str, needs: Needs | None) -> Unary:
        async def call(request: Any, context: ServerContext) -> Any:
            answering = Answering(name, context)
            try:
                answering.require_time()
                answering.admit(self.trust, needs)
                return await behaviour(request, context)
            except asyncio.CancelledError:
                answering.give_up()
                raise
            except Exception as error:  # noqa: BLE001  (the last resort of every call)
                failure = answering.fail(error)
            finally:
                answering.log()
            return await context.abort_with_status(self._status(failure))

        return call

    def _stream(
        self, behaviour: Stream, name: str, needs: Needs | None, *, nobodys: bool = False
    ) -> Stream:
        async def call(request: Any, context: ServerContext) -> AsyncGenerator[Any, None]:
            answering = Answering(name, context)
            failure: Fault | None = None
            try:
                if nobodys:
                    answering.recognize(self.trust)
                else:
                    answering.require_time()
                    answering.admit(self.trust, needs)
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response
            except (asyncio.CancelledError, GeneratorExit):
                answering.give_up()
                raise
            except Exception as error:  # noqa: BLE001  (the last resort of every call)
                failure = answering.fail(error)
            finally:
                answering.log()
            if failure is not None:
                await context.abort_with_status(self._status(failure))

        return call

    def _status(self, fault: Fault) -> grpc.Status:
        status = rpc_status.to_status(to_status(fault, self.domain))
        return Answered(status.code, status.details, (*status.trailing_metadata, NO_RETRY))


class Answering:
    """Knows how a call ends, and logs it once.

    All that is said of the call is read when it begins: when its caller has gone, gRPC may have
    given the memory of its metadata away.
    """

    def __init__(self, name: str, context: ServerContext) -> None:
        self.name = name
        self.shown = shown_by(context)
        self.request_id = str(self.shown.get(REQUEST_ID, ""))
        self.service = ""
        self.seconds = context.time_remaining()
        self.deadline = deadline_of(context)
        self.began = time.perf_counter()
        self.reason = "ok"

    def require_time(self) -> None:
        """Refuse a call that would wait for ever, and one for which it is too late."""
        if self.seconds is None:
            raise InvalidArgument("The call carries no deadline.")
        if self.seconds <= 0:
            raise DeadlineExceeded("The call came too late to be answered.")

    def recognize(self, trust: Doorkeeper) -> str:
        """Return the service that calls; Unauthenticated."""
        self.service = trust.service(self.shown)
        return self.service

    def admit(self, trust: Doorkeeper, needs: Needs | None) -> None:
        """Let the call in, or not; Unauthenticated, PermissionDenied, ScopeMissing."""
        service = self.recognize(trust)
        if needs is None:
            raise PermissionDenied("The contract does not say who may make this call.")
        if needs.services:
            needs.require_service(service)
            ADMITTED.set(Admitted(service, None))
            return
        caller = trust.caller(self.shown, service)
        needs.require_scope(caller)
        caller = replace(caller, request_id=self.request_id, deadline=self.deadline)
        ADMITTED.set(Admitted(service, caller))

    def give_up(self) -> None:
        """Note that the caller has gone, or that its deadline has passed."""
        in_time = self._took < (self.seconds or 0)
        self.reason = "cancelled" if in_time else DeadlineExceeded.reason

    def fail(self, error: Exception) -> Fault:
        """Return what the caller may know of a failure; our own mistakes are logged."""
        fault = error if isinstance(error, Fault) else Internal(FAILED)
        if fault is not error:
            fields = {"method": self.name, "request_id": self.request_id}
            logger.error("failed", exc_info=error, extra={"fields": fields})
        self.reason = reason_of(fault)
        return fault

    def log(self) -> None:
        """Write the line of the call."""
        fields = {
            "method": self.name,
            "request_id": self.request_id,
            "caller": self.service,
            "ms": round(self._took * 1000, 2),
            "reason": self.reason,
        }
        log.access.info("call", extra={"fields": fields})

    @property
    def _took(self) -> float:
        return time.perf_counter() - self.began
