"""Reading and deleting chats."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from parley_chat_service.core.faults import ChatNotFound, MessageNotFound
from parley_chat_service.core.model import (
    Caller,
    Chat,
    ChatPage,
    ChatQuery,
    MessagePage,
    MessageQuery,
)
from parley_chat_service.core.ports import ChatStore
from parley_chat_service.core.rules import check_chat_id, check_name, check_text
from parley_chat_service.core.turn import FoundMessage


class Chats:
    """What can be done with chats besides talking in them.

    `interrupt` ends a turn of this process, which a deletion has just stopped in the store.
    """

    def __init__(self, store: ChatStore, interrupt: Callable[[UUID], None]) -> None:
        self.store = store
        self.interrupt = interrupt

    async def list(self, caller: Caller, query: ChatQuery) -> ChatPage:
        """Return a page of the caller's chats, most recently changed first."""
        check_text("title_contains", query.folded_title)
        check_name("provider", query.provider)
        return await self.store.list_chats(caller.owner_id, query)

    async def get(self, caller: Caller, chat_id: str) -> Chat:
        """Return one chat of the caller's."""
        check_chat_id(chat_id)
        chat = await self.store.get_chat(caller.owner_id, chat_id)
        if chat is None:
            raise ChatNotFound(chat_id)
        return chat

    async def messages(self, caller: Caller, query: MessageQuery) -> MessagePage:
        """Return a page of the messages on a chat's active path."""
        check_chat_id(query.chat_id)
        page = await self.store.list_messages(caller.owner_id, query)
        if page is None:
            raise ChatNotFound(query.chat_id)
        return page

    async def message(self, caller: Caller, message_id: UUID) -> FoundMessage:
        """Return one message of the caller's, and its chat."""
        found = await self.store.find_message(caller.owner_id, message_id)
        if found is None:
            raise MessageNotFound(message_id, "")
        return found

    async def delete(self, caller: Caller, chat_id: str) -> None:
        """Delete a chat of the caller's; its running turns end."""
        check_chat_id(chat_id)
        stopped = await self.store.delete_chat(caller.owner_id, chat_id)
        if stopped is None:
            raise ChatNotFound(chat_id)
        for message_id in stopped:
            self.interrupt(message_id)
