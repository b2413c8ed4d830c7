"""The three services, in somebody's name."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from parley_rpc.client import Peer
from parley_rpc.tokens import Credential

from parley.chat.v1.chat_pb2_grpc import ChatServiceStub
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceStub
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub
from parley_client.client import AsyncClient
from parley_client.grpc.contexts import Contexts
from parley_client.grpc.lines import Line
from parley_client.grpc.patience import Patience

if TYPE_CHECKING:  # only the stubs' types know these
    from parley.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from parley.prompt.v1.prompt_pb2_grpc import PromptServiceAsyncStub
    from parley.provider.v1.provider_pb2_grpc import ProviderServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services listen, as gRPC names it: `host:port`, or `dns:///name:port` for many."""

    chat: str = "127.0.0.1:9101"
    prompt: str = "127.0.0.1:9102"
    provider: str = "127.0.0.1:9103"


class Services:
    """The services behind a gateway, asked by the owner of `credential` in the name of `key`'s.

    `chat`, `prompt` and `provider` have a method for each call of their contracts. Must be made in
    a running loop. Close it at the end, or use `async with`.
    """

    def __init__(
        self,
        gateway_url: str,
        key: str,
        credential: Credential,
        *,
        addresses: Addresses | None = None,
        patience: Patience | None = None,
    ) -> None:
        places = addresses or Addresses()
        self._gateway_url = gateway_url
        self._patience = patience or Patience()
        self._peers = {
            name: Peer(name, getattr(places, name), credential)
            for name in ("chat", "prompt", "provider")
        }
        self._owned = tuple(self._peers.values())
        self._act_for(key)

    def acting_for(self, key: str) -> Self:
        """Returns the same services in the name of another key's owner, over the same channels."""
        other = copy(self)
        other._owned = ()  # noqa: SLF001 - a copy of our own
        other._act_for(key)  # noqa: SLF001 - same
        return other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._gateway.close()
        for peer in self._owned:
            await peer.aclose()

    def _act_for(self, key: str) -> None:
        self._gateway = AsyncClient(self._gateway_url, key)
        self._contexts = Contexts(self._gateway.create_my_context)
        self.chat: ChatServiceAsyncStub = self._stub("chat", ChatServiceStub)
        self.prompt: PromptServiceAsyncStub = self._stub("prompt", PromptServiceStub)
        self.provider: ProviderServiceAsyncStub = self._stub("provider", ProviderServiceStub)

    def _stub(self, name: str, stub: Callable[[Any], Any]) -> Any:
        return stub(Line(self._peers[name], self._contexts, self._patience))
