"""ChatService, as the contract has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from parley_rpc.context import ServerContext
from typing_extensions import override

from parley.chat.v1 import chat_pb2 as pb
from parley.chat.v1.chat_pb2_grpc import ChatServiceServicer
from parley_chat_service.api import convert, tokens
from parley_chat_service.core.chats import Chats
from parley_chat_service.core.replies import Replies
from parley_chat_service.core.stops import Stops
from parley_chat_service.core.streams import Streams

NAME = "parley.chat.v1.ChatService"


class ChatServicer(ChatServiceServicer):
    """Translates calls, and leaves the rest to the core."""

    def __init__(self, chats: Chats, replies: Replies, streams: Streams, stops: Stops) -> None:
        self.chats = chats
        self.replies = replies
        self.streams = streams
        self.stops = stops

    @override
    async def SendMessage(
        self, request: pb.SendMessageRequest, context: ServerContext
    ) -> AsyncIterator[pb.SendMessageResponse]:
        caller = convert.caller(context)
        async with aclosing(self.replies.send(caller, convert.send(request))) as events:
            async for event in events:
                yield pb.SendMessageResponse(**convert.event(event))

    @override
    async def StreamMessage(
        self, request: pb.StreamMessageRequest, context: ServerContext
    ) -> AsyncIterator[pb.StreamMessageResponse]:
        caller = convert.caller(context)
        async with aclosing(self.streams.stream(caller, convert.seek(request))) as events:
            async for event in events:
                yield pb.StreamMessageResponse(**convert.event(event))

    @override
    async def StopMessage(
        self, request: pb.StopMessageRequest, context: ServerContext
    ) -> pb.StopMessageResponse:
        caller, message_id = convert.caller(context), convert.message_id(request)
        message = await self.stops.stop(caller, request.chat_id, message_id)
        return pb.StopMessageResponse(message=convert.message(message))

    @override
    async def StopMessages(
        self, request: pb.StopMessagesRequest, context: ServerContext
    ) -> pb.StopMessagesResponse:
        stopped = await self.stops.stop_all(convert.caller(context), request.key_id)
        return pb.StopMessagesResponse(stopped=stopped)

    @override
    async def ListChats(
        self, request: pb.ListChatsRequest, context: ServerContext
    ) -> pb.ListChatsResponse:
        page = await self.chats.list(convert.caller(context), convert.chat_query(request))
        return pb.ListChatsResponse(
            chats=[convert.chat(chat) for chat in page.chats],
            next_page_token=tokens.chat_token(page.following) if page.following else "",
        )

    @override
    async def GetChat(
        self, request: pb.GetChatRequest, context: ServerContext
    ) -> pb.GetChatResponse:
        chat = await self.chats.get(convert.caller(context), request.chat_id)
        return pb.GetChatResponse(chat=convert.chat(chat))

    @override
    async def DeleteChat(
        self, request: pb.DeleteChatRequest, context: ServerContext
    ) -> pb.DeleteChatResponse:
        await self.chats.delete(convert.caller(context), request.chat_id)
        return pb.DeleteChatResponse()

    @override
    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: ServerContext
    ) -> pb.ListMessagesResponse:
        query = convert.message_query(request)
        page = await self.chats.messages(convert.caller(context), query)
        token = ""
        if page.following is not None:
            token = tokens.message_token(page.following, from_end=query.from_end)
        return pb.ListMessagesResponse(
            chat=convert.chat(page.chat),
            messages=[convert.message(message) for message in page.messages],
            next_page_token=token,
        )

    @override
    async def GetMessage(
        self, request: pb.GetMessageRequest, context: ServerContext
    ) -> pb.GetMessageResponse:
        caller, message_id = convert.caller(context), convert.message_id(request, "")
        return convert.found_message(await self.chats.message(caller, message_id))
