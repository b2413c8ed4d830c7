"""Why a reply failed, as it is stored: whoever reads it later is told what its listeners were."""

from __future__ import annotations

from parley_rpc import faults
from parley_rpc.faults import Fault, Origin, RemoteFault, kind_of, reason_of

from parley_chat_service.core.faults import DOMAIN, TurnInterrupted
from parley_chat_service.core.model import Failure, Message, Status

# The kinds of faults by name, so that one can be stored.
KINDS: dict[str, type[Fault]] = {
    kind.__name__: kind
    for kind in (
        faults.InvalidArgument,
        faults.Unauthenticated,
        faults.PermissionDenied,
        faults.NotFound,
        faults.AlreadyExists,
        faults.Aborted,
        faults.FailedPrecondition,
        faults.LimitExceeded,
        faults.Unavailable,
        faults.DeadlineExceeded,
        faults.Unimplemented,
        faults.BadGateway,
        faults.Internal,
    )
}


def failure_of(fault: Fault) -> Failure:
    """Return what is stored of a fault."""
    kind = next(cls.__name__ for cls in kind_of(fault).__mro__ if cls.__name__ in KINDS)
    domain = fault.origin.domain if isinstance(fault, RemoteFault) else DOMAIN
    return Failure(kind, reason_of(fault), domain, fault.sentence, dict(fault.metadata))


def fault_of(failure: Failure) -> Fault:
    """Return the fault that a failure was."""
    origin = Origin(KINDS.get(failure.kind, faults.Internal), failure.reason, failure.domain)
    return RemoteFault(failure.sentence, origin, metadata=failure.metadata)


def ending_of(message: Message) -> Message | Fault:
    """Return how a reply that has ended is told: as it is stored, or as the fault it failed with.

    What a dead process left behind has no failure of its own.
    """
    if message.failure is not None:
        return fault_of(message.failure)
    if message.status in {Status.FAILED, Status.INTERRUPTED}:
        return TurnInterrupted(message.message_id)
    return message
