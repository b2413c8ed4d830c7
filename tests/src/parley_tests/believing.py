"""Callers nobody signed for, and a server that believes them: for tests of what lies behind."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from parley_rpc.context import USER, USER_CONTEXT, Caller, caller, context_in, read
from parley_rpc.faults import Unauthenticated
from parley_rpc.tls import Tls
from parley_rpc.trust import Shown
from parley_rpc.vouching import believed

from parley.context.v1.context_pb2 import SignedUserContext, UserContext


class OpenToAnybody:
    """A doorkeeper that believes everybody everything."""

    tls: Tls | None = None

    def service(self, shown: Shown) -> str:
        """Take anybody for the chat service, which may call in nobody's name."""
        del shown
        return "chat"

    def caller(self, shown: Shown, service: str) -> Caller:
        """Return the caller that is named; Unauthenticated when it is nobody, or was."""
        del service
        context = context_in(shown.get(USER_CONTEXT))
        vouched = believed(read(context)[1], context)
        if vouched.expires_at <= time.time():
            raise Unauthenticated("The user context has expired.")
        return vouched.caller


def new_caller(
    user_id: str, key_id: str, request_id: str, *, valid_for: float, role: str = USER
) -> Caller:
    """Name a user without limits, unsigned: only a server that is open to anybody believes it."""
    user = UserContext(user_id=user_id, key_id=key_id, role=role)
    return vouched(user, request_id, valid_for=valid_for)


def vouched(user: UserContext, request_id: str, *, valid_for: float) -> Caller:
    """Name a user for `valid_for` seconds, unsigned (`vouching.Voucher` signs)."""
    user.expires_at.FromDatetime(datetime.fromtimestamp(time.time() + valid_for, UTC))
    signed = SignedUserContext(user_context=user.SerializeToString()).SerializeToString()
    return caller(user, signed, request_id, time.monotonic() + valid_for)
