"""Whom a server lets in: which services, and in whose name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from parley_rpc.context import USER_CONTEXT, Caller
from parley_rpc.faults import Unauthenticated
from parley_rpc.keys import Trusted, Watched
from parley_rpc.tls import Tls
from parley_rpc.tokens import AUTHORIZATION, TokenCheck
from parley_rpc.vouching import ContextCheck

# How far apart the clocks of two machines may be.
LEEWAY_SECONDS = 30.0

Shown = Mapping[str, str | bytes]
Answer = TypeVar("Answer")


class Doorkeeper(Protocol):
    """Says who makes a call, by what it shows; Unauthenticated."""

    @property
    def tls(self) -> Tls | None:
        """What connections are made with; None for plain ones."""

    def service(self, shown: Shown) -> str:
        """Return the name of the service that calls."""

    def caller(self, shown: Shown, service: str) -> Caller:
        """Return in whose name it does."""


class Trust:
    """Believes what the trusted keys have signed, and nothing else. `service` is our own name."""

    def __init__(
        self,
        service: str,
        keys: Watched[Trusted],
        *,
        leeway: float = LEEWAY_SECONDS,
        tls: Tls | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keys = keys
        self.tls = tls
        self._tokens = TokenCheck(service, leeway, clock)
        self._contexts = ContextCheck(leeway, clock)

    def service(self, shown: Shown) -> str:
        """Return the name of the service whose token is shown; Unauthenticated."""
        return self._judged(lambda keys: self._tokens.service(shown.get(AUTHORIZATION), keys))

    def caller(self, shown: Shown, service: str) -> Caller:
        """Return the caller whose signed context is shown; Unauthenticated."""
        context = shown.get(USER_CONTEXT)
        return self._judged(lambda keys: self._contexts.caller(context, service, keys))

    def _judged(self, judge: Callable[[Trusted], Answer]) -> Answer:
        """Judge by the keys that are known, and by those of this moment before anybody is refused.

        So a key counts as soon as it has been added.
        """
        keys = self.keys.current()
        try:
            return judge(keys)
        except Unauthenticated:
            latest = self.keys.latest()
            if latest is keys:
                raise
            return judge(latest)
