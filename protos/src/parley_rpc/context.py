"""In whose name a call is made, and by which service: what is shown, and what was found true."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from parley.context.v1.context_pb2 import Allowance, SignedUserContext, UserContext
from parley_rpc.faults import PermissionDenied, Unauthenticated

USER_CONTEXT = "parley-user-context-bin"
REQUEST_ID = "x-request-id"
# Roles of users.
USER = "user"
ADMIN = "admin"
# What an answer takes on its way back: a call that is passed on ends this much earlier.
HOP_SECONDS = 0.05

if TYPE_CHECKING:  # only the stubs know the type's parameters
    ServerContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]
else:
    ServerContext = grpc.aio.ServicerContext
Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name a call is made, and until when what it asks of others must be answered.

    `signed` is passed on to other services unchanged. `deadline` is in `time.monotonic()`; what
    goes on without its listener takes one of its own (`until`).
    """

    user_id: str
    key_id: str
    signed: bytes
    request_id: str = ""
    role: str = USER
    deadline: float = field(default=math.inf, compare=False)
    # What the key may be used for, and what the call counts against (`UserContext`).
    scopes: frozenset[str] = frozenset()
    allowances: tuple[Allowance, ...] = ()

    @property
    def capabilities(self) -> frozenset[str]:
        """The scopes that say what the key may do; none means all that the user may do."""
        return frozenset(scope for scope in self.scopes if ":" not in scope)

    @property
    def is_admin(self) -> bool:
        """Whether the user is an administrator, and shows a key that may be used as one's."""
        can = self.capabilities
        return self.role == ADMIN and (not can or ADMIN in can)

    @property
    def metadata(self) -> Metadata:
        """What the next call carries."""
        return ((USER_CONTEXT, self.signed), (REQUEST_ID, self.request_id))

    def until(self, deadline: float) -> Caller:
        """Return the same caller with another deadline."""
        return replace(self, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that was let in: the service that makes it, and in whose name."""

    service: str
    caller: Caller | None


# What the interceptor found out of the call that this task answers.
ADMITTED: ContextVar[Admitted] = ContextVar("admitted")


def caller(user: UserContext, signed: bytes, request_id: str, deadline: float) -> Caller:
    """Return the caller that a context speaks of."""
    scopes, allowances = frozenset(user.scopes), tuple(user.allowances)
    role = user.role or USER
    return Caller(user.user_id, user.key_id, signed, request_id, role, deadline, scopes, allowances)


def context_in(shown: object) -> bytes:
    """Return what a call shows as its context; Unauthenticated when it shows none."""
    if not isinstance(shown, bytes):
        raise Unauthenticated(f"The call carries no {USER_CONTEXT}.")
    return shown


def read(shown: bytes) -> tuple[SignedUserContext, UserContext]:
    """Read a context, whoever signed it; Unauthenticated when it is none."""
    try:
        signed = SignedUserContext.FromString(shown)
        user = UserContext.FromString(signed.user_context)
    except DecodeError:
        raise Unauthenticated(f"{USER_CONTEXT} is not a SignedUserContext.") from None
    if not user.user_id:
        raise Unauthenticated("The user context names no user.")
    return signed, user


def terms_of(by: Caller) -> tuple[datetime, datetime]:
    """Return until when something may be begun with a context, and until when it counts at all."""
    _, user = read(by.signed)
    until = user.fresh_until if user.HasField("fresh_until") else user.expires_at
    return until.ToDatetime(UTC), user.expires_at.ToDatetime(UTC)


def caller_of(context: ServerContext) -> Caller:  # noqa: ARG001  (whose call it is)
    """Return the caller of a call, as it was let in; Unauthenticated when it names none."""
    admitted = ADMITTED.get(None)
    if admitted is None or admitted.caller is None:
        raise Unauthenticated(f"The call carries no {USER_CONTEXT}.")
    return admitted.caller


def deadline_of(context: ServerContext) -> float:
    """Return until when what a call asks of others must be answered, in `time.monotonic()`."""
    left = context.time_remaining()
    return math.inf if left is None else time.monotonic() + left - HOP_SECONDS


def require_admin(context: ServerContext) -> Caller:
    """Read the caller of a call that only administrators may make; PermissionDenied."""
    by = caller_of(context)
    if not by.is_admin:
        raise PermissionDenied("Only an administrator may do this.", role=ADMIN)
    return by


def shown_by(context: ServerContext) -> Mapping[str, str | bytes]:
    """Return the metadata of a call."""
    return dict(context.invocation_metadata() or ())
