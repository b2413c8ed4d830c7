"""What a service failed with, as the errors that the gateway's answers are, too."""

from collections.abc import Mapping
from types import MappingProxyType

from parley_rpc import faults
from parley_rpc.faults import Fault, RemoteFault, kind_of, reason_of

from parley_client.errors import (
    FieldError,
    GatewayUnreachable,
    ParleyError,
    ProblemError,
    UnexpectedAnswer,
)

# By kind: the status that the gateway answers with, and whether trying again may help …
KINDS: Mapping[type[Fault], tuple[int, bool]] = MappingProxyType(
    {
        faults.InvalidArgument: (422, False),
        faults.Unauthenticated: (401, False),
        faults.PermissionDenied: (403, False),
        faults.NotFound: (404, False),
        faults.AlreadyExists: (409, False),
        faults.Aborted: (409, True),
        faults.FailedPrecondition: (409, False),
        faults.LimitExceeded: (429, True),
        faults.Unavailable: (503, True),
        faults.DeadlineExceeded: (504, True),
        faults.Unimplemented: (501, False),
        faults.BadGateway: (502, True),
        faults.Internal: (500, False),
    }
)
# … and the reasons of which it says something else.
REASONS: Mapping[str, tuple[int, bool]] = MappingProxyType(
    {
        "chat_deleted": (409, False),
        "budget_exceeded": (402, False),
        "price_unknown": (402, False),
        "provider_auth": (502, False),
        "provider_quota": (402, False),
        "too_large": (413, False),
        "tool_calls_too_large": (502, False),
    }
)


def as_error(fault: Fault, request_id: str) -> ParleyError:
    """Returns the error that a fault means: what a service said, or that it could not."""
    if isinstance(fault, RemoteFault):
        return problem(fault, request_id)
    if isinstance(fault, faults.DeadlineExceeded):
        return GatewayUnreachable(fault.sentence, waited=True)
    if isinstance(fault, faults.Unimplemented):
        return UnexpectedAnswer(fault.sentence, 501)
    return GatewayUnreachable(fault.sentence)


def problem(fault: Fault, request_id: str) -> ProblemError:
    """Returns what a service refused or failed with."""
    reason = reason_of(fault)
    status, retryable = row_of(kind_of(fault), reason)
    error = ProblemError(status, reason, fault.sentence)
    error.retryable = retryable
    error.retry_after = fault.retry_after
    error.request_id = request_id
    error.metadata = MappingProxyType(dict(fault.metadata))
    error.errors = tuple(
        FieldError(pointer(one.field), one.description) for one in fault.violations
    )
    return error


def row_of(kind: type[Fault], reason: str) -> tuple[int, bool]:
    """Returns the gateway's status for a failure, and whether trying again may help."""
    kinds = (KINDS[one] for one in (*kind.__mro__, faults.Internal) if one in KINDS)
    return REASONS.get(reason) or next(kinds)


def pointer(field: str) -> str:
    """Writes a field of a contract, such as `parts[0].text`, as the gateway does."""
    if not field or field.startswith("/"):
        return field
    return "/" + field.replace("[", ".").replace("]", "").replace(".", "/")
