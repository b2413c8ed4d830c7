"""The turns of somebody's keys, as the chat service ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from parley_rpc.context import new_caller
from typing_extensions import override

from parley.chat.v1.chat_pb2 import StopMessagesRequest
from parley_gateway.adapters.clients import Client
from parley_gateway.core.ports import Turns

if TYPE_CHECKING:  # only the stubs' types know these
    from parley.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub

STOP_SECONDS = 2.0


class ChatTurns(Turns):
    """Asks the chat service, in the name of the user, for nothing but the end of their turns."""

    def __init__(self, chat: Client[ChatServiceAsyncStub]) -> None:
        self.chat = chat

    @override
    async def stop(self, user_id: UUID, key_id: str) -> None:
        caller = new_caller(str(user_id), key_id, "", valid_for=STOP_SECONDS)
        request = StopMessagesRequest(key_id=key_id)
        await self.chat.unary(self.chat.stub.StopMessages, request, caller, STOP_SECONDS)
