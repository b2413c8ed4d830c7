"""Fault ⇄ google.rpc.Status: one table, read in both directions."""

from __future__ import annotations

import math

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from parley_rpc import faults
from parley_rpc.faults import Fault, Origin, RemoteFault, Violation, kind_of, reason_of

# Where grpc-status puts the serialized google.rpc.Status (rpc_status.to_status).
DETAILS_METADATA = "grpc-status-details-bin"

CODES: dict[type[Fault], int] = {
    faults.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    faults.Unauthenticated: code_pb2.UNAUTHENTICATED,
    faults.PermissionDenied: code_pb2.PERMISSION_DENIED,
    faults.NotFound: code_pb2.NOT_FOUND,
    faults.AlreadyExists: code_pb2.ALREADY_EXISTS,
    faults.Aborted: code_pb2.ABORTED,
    faults.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    faults.LimitExceeded: code_pb2.RESOURCE_EXHAUSTED,
    faults.Unavailable: code_pb2.UNAVAILABLE,
    faults.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    faults.Unimplemented: code_pb2.UNIMPLEMENTED,
    faults.BadGateway: code_pb2.UNKNOWN,
    faults.Internal: code_pb2.INTERNAL,
}
KINDS: dict[int, type[Fault]] = {code: kind for kind, code in CODES.items()}
REASONLESS: dict[type[Fault], str] = {kind: kind.reason or "internal" for kind in CODES}


def to_status(fault: Fault, domain: str) -> status_pb2.Status:
    """Write a fault as a status with `ErrorInfo` and, where they apply, the other details."""
    status = status_pb2.Status(code=code_of(fault), message=fault.sentence)
    where = fault.origin.domain if isinstance(fault, RemoteFault) else domain
    info = error_details_pb2.ErrorInfo(
        reason=reason_of(fault), domain=where, metadata=fault.metadata
    )
    details: list[Message] = [info]
    if fault.violations:
        details.append(bad_request(fault))
    if fault.retry_after is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=duration(fault.retry_after)))
    for detail in details:
        status.details.append(packed(detail))
    return status


def from_status(status: status_pb2.Status) -> Fault:
    """Read a fault out of a status; one without `ErrorInfo` gets its kind's own reason."""
    kind = KINDS.get(status.code, faults.Internal)
    origin = Origin(kind, REASONLESS[kind], "")
    metadata: dict[str, str] = {}
    retry_after: float | None = None
    violations: list[Violation] = []
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            origin = Origin(kind, info.reason, info.domain)
            metadata = dict(info.metadata)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
            retry_after = delay.seconds + delay.nanos / 1e9
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            fields = error_details_pb2.BadRequest.FromString(detail.value).field_violations
            violations = [Violation(field.field, field.description) for field in fields]
    return RemoteFault(
        status.message, origin, retry_after=retry_after, violations=violations, metadata=metadata
    )


def from_rpc_error(error: grpc.aio.AioRpcError, service: str) -> Fault:
    """Read a fault out of what a call raised; `service` names the peer for one that is away."""
    status = details_of(error)
    if status is not None and status.details:
        return from_status(status)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return faults.DeadlineExceeded(f"The {service} service took too long.", service=service)
    if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return faults.Unavailable(
            f"The {service} service cannot be reached.", retry_after=1.0, service=service
        )
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return faults.Unimplemented(f"The {service} service does not know this call.")
    return faults.Internal(f"The {service} service failed.", service=service)


def details_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    """Return the status that came in the trailing metadata, if one did."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_METADATA and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return None


def code_of(fault: Fault) -> int:
    """Return the code of the nearest kind."""
    return next(CODES[cls] for cls in kind_of(fault).__mro__ if cls in CODES)


def bad_request(fault: Fault) -> error_details_pb2.BadRequest:
    """Write the violated fields."""
    detail = error_details_pb2.BadRequest()
    for violation in fault.violations:
        detail.field_violations.add(field=violation.field, description=violation.description)
    return detail


def duration(seconds: float) -> Duration:
    """Write seconds, split as the wire wants them."""
    fraction, whole = math.modf(max(0.0, seconds))
    return Duration(seconds=int(whole), nanos=int(fraction * 1e9))


def packed(detail: Message) -> AnyMessage:
    """Wrap a detail."""
    wrapped = AnyMessage()
    wrapped.Pack(detail)
    return wrapped
