"""The services behind the gateway, called directly: the extra `parley-client[grpc]`.

async with Services("http://127.0.0.1:8000", key, Credential.of_file("reports.key")) as services:
    async for event in services.chat.SendMessage(SendMessageRequest(content="Hello")):
        ...
"""

from parley_rpc.tls import Tls
from parley_rpc.tokens import Credential

from parley_client.grpc.patience import Patience
from parley_client.grpc.services import Addresses, Services

__all__ = ["Addresses", "Credential", "Patience", "Services", "Tls"]
