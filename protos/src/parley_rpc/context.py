"""The caller and the request id, as metadata of a call."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
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
    def is_admin(self) -> bool:
        """Whether the user is an administrator."""
        return self.role == ADMIN

    @property
    def metadata(self) -> Metadata:
        """What the next call carries."""
        return ((USER_CONTEXT, self.signed), (REQUEST_ID, self.request_id))

    def until(self, deadline: float) -> Caller:
        """Return the same caller with another deadline."""
        return replace(self, deadline=deadline)


def new_caller(
    user_id: str, key_id: str, request_id: str, *, valid_for: float, role: str = USER
) -> Caller:
    """Vouch for a user without limits for `valid_for` seconds."""
    user = UserContext(user_id=user_id, key_id=key_id, role=role)
    return vouched(user, request_id, valid_for=valid_for)


def vouched(user: UserContext, request_id: str, *, valid_for: float) -> Caller:
    """Vouch for a user for `valid_for` seconds (the gateway does, once per request)."""
    user.expires_at.FromDatetime(datetime.fromtimestamp(time.time() + valid_for, UTC))
    signed = SignedUserContext(user_context=user.SerializeToString()).SerializeToString()
    return caller(user, signed, request_id, time.monotonic() + valid_for)


def caller(user: UserContext, signed: bytes, request_id: str, deadline: float) -> Caller:
    """Return the caller that a context speaks of."""
    scopes, allowances = frozenset(user.scopes), tuple(user.allowances)
    role = user.role or USER
    return Caller(user.user_id, user.key_id, signed, request_id, role, deadline, scopes, allowances)


def expiry_of(by: Caller) -> datetime:
    """Return when nobody vouches for the caller any more."""
    signed = SignedUserContext.FromString(by.signed)
    return UserContext.FromString(signed.user_context).expires_at.ToDatetime(UTC)


def caller_of(context: ServerContext) -> Caller:
    """Read the caller of a call; Unauthenticated when it names none or an expired one."""
    signed = metadata_of(context, USER_CONTEXT)
    if not isinstance(signed, bytes):
        raise Unauthenticated(f"The call carries no {USER_CONTEXT}.")
    try:
        user = UserContext.FromString(SignedUserContext.FromString(signed).user_context)
    except DecodeError:
        raise Unauthenticated(f"{USER_CONTEXT} is not a SignedUserContext.") from None
    if not user.user_id:
        raise Unauthenticated("The user context names no user.")
    if user.expires_at.seconds <= time.time():
        raise Unauthenticated("The user context has expired.")
    return caller(user, signed, request_id_of(context), deadline_of(context))


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


def request_id_of(context: ServerContext) -> str:
    """Return the request id of a call, empty when it carries none."""
    value = metadata_of(context, REQUEST_ID)
    return value if isinstance(value, str) else ""


def metadata_of(context: ServerContext, name: str) -> str | bytes | None:
    """Return one metadata entry of a call."""
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return value
    return None
