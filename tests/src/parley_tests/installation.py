"""The keys of an installation under test: each service gets what it may know, as everywhere."""

from __future__ import annotations

import orjson
from parley_rpc.context import USER, Caller
from parley_rpc.keys import (
    CONTEXT,
    SERVICE,
    Key,
    Source,
    Watched,
    new_key,
    private_key,
    public,
    trusted_keys,
    written,
)
from parley_rpc.tokens import Credential
from parley_rpc.trust import Trust
from parley_rpc.vouching import Voucher

from parley.context.v1.context_pb2 import UserContext


class Installation:
    """Keys of its own for the gateway, the chat service, and the tests as somebody outside."""

    def __init__(self) -> None:
        self.keys = {name: new_key(name, SERVICE) for name in ("gateway", "chat", "tests")}
        self.context_key = new_key("gateway", CONTEXT)
        self.trusted = jwks(*self.keys.values(), self.context_key)
        self.voucher = Voucher(Watched(Source("CONTEXT_KEY", text(self.context_key)), signing))

    def environment(self, service: str) -> dict[str, str]:
        """Return what a service has to be told: `gateway`, `chat_service` and so on."""
        known = {"TRUSTED_KEYS": self.trusted}
        if service == "gateway":
            known = {"CONTEXT_KEY": text(self.context_key)}
        own = self.keys.get(service.removesuffix("_service"))
        return {**known, "SERVICE_KEY": text(own)} if own else known

    def trust(self, service: str) -> Trust:
        """Return whom a service in this process lets in: `chat`, `prompt`, `provider`."""
        return Trust(service, Watched(Source("TRUSTED_KEYS", self.trusted), trusted_keys))

    def credential(self, name: str = "tests") -> Credential:
        """Return the credential of somebody who calls."""
        source = Source("SERVICE_KEY", text(self.keys[name]))
        return Credential(Watched(source, private_key(SERVICE)))

    def caller(self, user_id: str, role: str = USER, *, valid_for: float = 60.0) -> Caller:
        """Return a caller in whose name the gateway has vouched."""
        user = UserContext(user_id=user_id, key_id="key", role=role)
        return self.voucher.vouch(user, "request", valid_for=valid_for)


signing = private_key(CONTEXT)


def text(key: Key) -> str:
    """Write a private key as a setting holds it."""
    return orjson.dumps(written(key)).decode()


def jwks(*keys: Key) -> str:
    """Write public keys as a setting holds them."""
    return orjson.dumps({"keys": [public(key) for key in keys]}).decode()
