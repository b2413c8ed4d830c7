"""Service tokens: which service calls, said for a minute and to one service only.

A token is a JWT, signed with the calling service's own key: `iss` is its name, `aud` the service
that is called. It is shown as `authorization: Bearer <token>` with every call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OKPKey

from parley_rpc.faults import Unauthenticated
from parley_rpc.keys import CURVE, SERVICE, Key, Source, Trusted, Watched, private_key
from parley_rpc.memo import Memo
from parley_rpc.tls import Tls

AUTHORIZATION = "authorization"
LIVES_SECONDS = 60
# A token is made anew so long before its end: what is sent with it has to arrive in time.
RENEW_SECONDS = 20
# Nobody's token is taken that says to live longer.
LONGEST_LIFE_SECONDS = 600
LONGEST_TOKEN = 4096
SCHEME = "Bearer "


class Credential:
    """Shows which service calls: makes its tokens, and keeps each until shortly before its end.

    `tls` is what its connections are made with; None for plain ones.
    """

    def __init__(
        self, key: Watched[Key], tls: Tls | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.key = key
        self.tls = tls
        self.clock = clock
        # By the service that is called: the key that signed, when, and what is shown.
        self._shown: dict[str, tuple[Key, float, tuple[str, str]]] = {}

    @classmethod
    def of_file(cls, path: str | Path, tls: Tls | None = None) -> Credential:
        """Return the credential whose private key lies in a file; IdentityError."""
        source = Source("SERVICE_KEY", path=Path(path))
        return cls(Watched(source, private_key(SERVICE)), tls)

    def entry(self, service: str) -> tuple[str, str]:
        """Return the metadata entry for a call of a service."""
        key, now = self.key.current(), self.clock()
        known = self._shown.get(service)
        if known and known[0] is key and 0 <= now - known[1] < LIVES_SECONDS - RENEW_SECONDS:
            return known[2]
        entry = (AUTHORIZATION, SCHEME + token(key, service, now))
        self._shown[service] = key, now, entry
        return entry


def token(key: Key, service: str, now: float, lives: int = LIVES_SECONDS) -> str:
    """Sign a token for calls of a service."""
    claims = {"iss": key.name, "aud": service, "iat": int(now), "exp": int(now) + lives}
    header = {"alg": CURVE, "typ": "JWT", "kid": key.kid}
    return jwt.encode(header, claims, key.jwk, algorithms=[CURVE])


class TokenCheck:
    """Says whose token is shown to one service; those that were right are remembered.

    `leeway` is how far apart, in seconds, the clocks of two machines may be.
    """

    def __init__(
        self, audience: str, leeway: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.audience = audience
        self.leeway = leeway
        self.clock = clock
        # Under each token: its service, from when and until when it counts.
        self._remembered: Memo[tuple[str, float, float]] = Memo()

    def service(self, shown: object, trusted: Trusted) -> str:
        """Return the name of the service that calls; Unauthenticated."""
        if not isinstance(shown, str) or not shown.startswith(SCHEME):
            raise Unauthenticated("The call carries no token of a service.")
        known = self._remembered.get(shown, trusted)
        if known is None:
            if len(shown) > LONGEST_TOKEN:
                raise Unauthenticated("The service token is too long.")
            known = self._read(shown.removeprefix(SCHEME), trusted)
            self._remembered.keep(shown, known)
        service, begins, ends = known
        now = self.clock()
        if now < begins - self.leeway:
            raise Unauthenticated("The service token is of the future: are the clocks alike?")
        if now >= ends + self.leeway:
            raise Unauthenticated("The service token has expired.")
        return service

    def _read(self, text: str, trusted: Trusted) -> tuple[str, float, float]:
        try:
            decoded = jwt.decode(text, _finder(trusted), algorithms=[CURVE])
            key = trusted[SERVICE, decoded.header["kid"]]
        except (JoseError, ValueError, KeyError, TypeError):
            # Whatever is wrong with it: no other key may say this.
            raise Unauthenticated("The service token is not signed by a trusted key.") from None
        return self._claimed(key, decoded.claims)

    def _claimed(self, key: Key, claims: Mapping[str, Any]) -> tuple[str, float, float]:
        issued, ends = claims.get("iat"), claims.get("exp")
        if claims.get("iss") != key.name:
            raise Unauthenticated("The service token names another service than its key.")
        if claims.get("aud") != self.audience:
            raise Unauthenticated("The service token is for another service.")
        if type(issued) is not int or type(ends) is not int:
            raise Unauthenticated("The service token does not say from when until when it counts.")
        if not 0 <= ends - issued <= LONGEST_LIFE_SECONDS:
            raise Unauthenticated("The service token lives too long.")
        return key.name, issued, ends


def _finder(trusted: Trusted) -> Callable[[GuestProtocol], OKPKey]:
    def find(shown: GuestProtocol) -> OKPKey:
        return trusted[SERVICE, shown.headers()["kid"]].jwk

    return find
