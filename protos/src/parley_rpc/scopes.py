"""What a call of the contracts needs: the options that its proto gives it (`access.proto`)."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.descriptor_pool import Default

from parley.context.v1 import access_pb2
from parley_rpc.context import ADMIN, Caller
from parley_rpc.faults import PermissionDenied, ScopeMissing


@dataclass(frozen=True, slots=True)
class Needs:
    """The scopes of which a key needs one, or the services that call in nobody's name."""

    scopes: tuple[str, ...] = ()
    services: frozenset[str] = frozenset()

    def require_scope(self, by: Caller) -> None:
        """Refuse who may not make the call; PermissionDenied, ScopeMissing."""
        if self.scopes == (ADMIN,) and by.role != ADMIN:
            raise PermissionDenied("Only an administrator may do this.", role=ADMIN)
        can = by.capabilities
        if can and can.isdisjoint(self.scopes):
            raise ScopeMissing(self.scopes[0])

    def require_service(self, service: str) -> None:
        """Refuse a service that may not call in nobody's name; PermissionDenied."""
        if service not in self.services:
            raise PermissionDenied(f"The service '{service}' may not call this.", service=service)


def needs_of(method: str) -> Needs | None:
    """Return what a call such as `/parley.chat.v1.ChatService/GetChat` needs; None: never said."""
    try:
        found = Default().FindMethodByName(method.strip("/").replace("/", "."))
    except KeyError:
        return None
    options = found.GetOptions().Extensions
    scopes, services = options[access_pb2.scope], options[access_pb2.service]
    return Needs(tuple(scopes), frozenset(services)) if scopes or services else None
