"""User contexts: signed by the gateway alone, believed by the services behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parley.context.v1.context_pb2 import SignedUserContext, UserContext
from parley_rpc.context import Caller, caller, context_in, read
from parley_rpc.faults import Unauthenticated
from parley_rpc.keys import CONTEXT, Key, Trusted, Watched
from parley_rpc.memo import Memo

# A key is remembered for 3 s: with these, what is revoked is so everywhere within 5 s.
FRESH_SECONDS = 2.0
# So long the same words about somebody are signed but once.
SIGNED_AGAIN_SECONDS = 1.0
# These pass on what was shown to them, or signed it: they may do so until it expires.
PASS_ON = frozenset({"gateway", "chat"})


@dataclass(frozen=True, slots=True)
class Vouched:
    """A caller that was vouched for: from when, to begin something until when, and how long."""

    caller: Caller
    fresh_until: float
    expires_at: float


class Voucher:
    """Vouches for users, with the gateway's private key."""

    def __init__(
        self,
        key: Watched[Key],
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self.fresh_seconds = fresh_seconds
        self.clock = clock
        self._signed: Memo[tuple[float, Caller]] = Memo()

    def vouch(self, user: UserContext, request_id: str, *, valid_for: float) -> Caller:
        """Vouch for a user for `valid_for` seconds; the times in `user` do not matter."""
        key, now = self.key.current(), self.clock()
        user.ClearField("expires_at")
        user.ClearField("fresh_until")
        words = (user.SerializeToString(deterministic=True), valid_for)
        known = self._signed.get(words, key)
        if known is None or not 0 <= now - known[0] < SIGNED_AGAIN_SECONDS:
            known = now, self._sign(key, user, now, now + valid_for + SIGNED_AGAIN_SECONDS)
            self._signed.keep(words, known)
        return replace(known[1], request_id=request_id, deadline=time.monotonic() + valid_for)

    def renew(self, by: Caller) -> Caller:
        """Vouch anew for somebody, until the same moment, so that others may begin with it."""
        _, user = read(by.signed)
        key, now = self.key.current(), self.clock()
        signed = self._sign(key, user, now, user.expires_at.ToMicroseconds() / 1e6)
        return replace(by, signed=signed.signed)

    def _sign(self, key: Key, user: UserContext, now: float, expires_at: float) -> Caller:
        user.expires_at.FromDatetime(datetime.fromtimestamp(expires_at, UTC))
        user.fresh_until.FromDatetime(datetime.fromtimestamp(now + self.fresh_seconds, UTC))
        words, private = user.SerializeToString(), key.jwk.private_key
        if not isinstance(private, Ed25519PrivateKey):
            raise TypeError(key.kid)
        signed = SignedUserContext(
            user_context=words, signing_key_id=key.kid, signature=private.sign(words)
        )
        return caller(user, signed.SerializeToString(), "", 0.0)


class ContextCheck:
    """Says in whose name a call is made; contexts that were right are remembered."""

    def __init__(self, leeway: float, clock: Callable[[], float] = time.time) -> None:
        self.leeway = leeway
        self.clock = clock
        self._remembered: Memo[Vouched] = Memo()

    def caller(self, shown: object, service: str, trusted: Trusted) -> Caller:
        """Return the caller; Unauthenticated for words that are not signed, or too old."""
        shown = context_in(shown)
        known = self._remembered.get(shown, trusted)
        if known is None:
            known = verified(shown, trusted)
            self._remembered.keep(shown, known)
        now = self.clock()
        if now >= known.expires_at + self.leeway:
            raise Unauthenticated("The user context has expired.")
        if now >= known.fresh_until and service not in PASS_ON:
            raise Unauthenticated("The user context is no longer fresh: ask for another.")
        return known.caller


def verified(shown: bytes, trusted: Trusted) -> Vouched:
    """Read a context that a trusted key has signed; Unauthenticated."""
    signed, user = read(shown)
    key = trusted.get((CONTEXT, signed.signing_key_id))
    if key is None:
        raise Unauthenticated("The user context is not signed by a trusted key.")
    public = key.jwk.public_key
    if not isinstance(public, Ed25519PublicKey):
        raise TypeError(key.kid)
    try:
        public.verify(signed.signature, signed.user_context)
    except InvalidSignature:
        raise Unauthenticated("The user context is not what was signed.") from None
    return believed(user, shown)


def believed(user: UserContext, shown: bytes) -> Vouched:
    """Take a context at its word."""
    expires_at = user.expires_at.ToMicroseconds() / 1e6
    until = user.fresh_until if user.HasField("fresh_until") else user.expires_at
    return Vouched(caller(user, shown, "", 0.0), until.ToMicroseconds() / 1e6, expires_at)
