"""Chats in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley_chat_service.adapters.database import Database
from parley_chat_service.adapters.store.inputs import input_of
from parley_chat_service.adapters.store.rows import (
    CHAT,
    FOLD,
    LOAD_FILES,
    MESSAGE,
    SUMMED,
    TOTALS,
    chat_of,
    fold,
    message_of,
    summed_chat_of,
)
from parley_chat_service.core.model import (
    Chat,
    ChatCursor,
    ChatPage,
    ChatQuery,
    MessagePage,
    MessageQuery,
    Status,
)
from parley_chat_service.core.turn import FoundMessage

FIND = f"""
    select {CHAT}, c.chat_uid, {TOTALS} from chats c {SUMMED}
    where c.owner_id = %s and c.chat_id = %s and c.delete_time is null
"""  # noqa: S608  (parts are constants)
LIST = f"""
    select {CHAT}, c.chat_uid from chats c
    where c.owner_id = %(owner)s and c.delete_time is null
        and (c.updated_at, c.chat_uid) < (%(updated_at)s::timestamptz, %(chat_uid)s::uuid)
        and (%(title)s::text = '' or strpos(c.title_folded, %(title)s::text) > 0)
        and (%(provider)s::text = '' or c.provider = %(provider)s::text)
    order by c.updated_at desc, c.chat_uid desc limit %(limit)s::int
"""  # noqa: S608  (parts are constants)
NEWEST = ("infinity", UUID(int=0))
FORWARD = f"""
    select {MESSAGE} from messages m where m.chat_uid = %s and m.on_path and m.seq > %s::bigint
    order by m.seq limit %s::int
"""  # noqa: S608  (parts are constants)
BACKWARD = f"""
    select {MESSAGE} from messages m where m.chat_uid = %s and m.on_path and m.seq < %s::bigint
    order by m.seq desc limit %s::int
"""  # noqa: S608  (parts are constants)
LAST = 2**63 - 1
FIND_MESSAGE = f"""
    select {CHAT}, m.input, {MESSAGE} from messages m join chats c on c.chat_uid = m.chat_uid
    where m.owner_id = %s and m.message_id = %s and c.delete_time is null
"""  # noqa: S608  (parts are constants)
DELETE = """
    update chats set delete_time = now()
    where owner_id = %s and chat_id = %s and delete_time is null returning chat_uid
"""
RUNNING = """
    select message_id from messages where chat_uid = %s and status = 'running'
    order by message_id for update
"""


class PostgresChatStore:
    """Reads and deletes chats."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def list_chats(self, owner_id: UUID, query: ChatQuery) -> ChatPage:
        """Return a page of chats, most recently changed first."""
        updated_at, chat_uid = query.after or NEWEST
        parameters = {
            "owner": owner_id,
            "updated_at": updated_at,
            "chat_uid": chat_uid,
            "title": query.folded_title,
            "provider": query.provider,
            "limit": query.page_size + 1,
        }
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(LIST, parameters, binary=True)
            rows = await cursor.fetchall()
        page = rows[: query.page_size]
        more = len(rows) > query.page_size
        following = ChatCursor(page[-1][6], page[-1][7]) if more else None
        return ChatPage([chat_of(row) for row in page], following)

    async def get_chat(self, owner_id: UUID, chat_id: str) -> Chat | None:
        """Return a chat."""
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(FIND, [owner_id, chat_id], binary=True)
            row = await cursor.fetchone()
        return summed_chat_of(row) if row else None

    async def list_messages(self, owner_id: UUID, query: MessageQuery) -> MessagePage | None:
        """Return a page of the messages on the active path; None when there is no such chat."""
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(FIND, [owner_id, query.chat_id], binary=True)
            found = await cursor.fetchone()
            if found is None:
                return None
            statement, start = (BACKWARD, LAST) if query.from_end else (FORWARD, 0)
            after = start if query.after is None else query.after
            parameters = [found[7], after, query.page_size + 1]
            cursor = await connection.execute(statement, parameters, binary=True)
            rows = await cursor.fetchall()
        page = [message_of(row) for row in rows[: query.page_size]]
        following = page[-1].seq if len(rows) > query.page_size else None
        return MessagePage(summed_chat_of(found), page[::-1] if query.from_end else page, following)

    async def find_message(self, owner_id: UUID, message_id: UUID) -> FoundMessage | None:
        """Return a message, with the files that it was sent with as messages."""
        async with self.database.acting_for(owner_id) as connection:
            names = [owner_id, message_id]
            cursor = await connection.execute(FIND_MESSAGE, names, binary=True)
            row = await cursor.fetchone()
            if row is None:
                return None
            message = message_of(row[8:])
            _, said = input_of(row[7])
            files: dict[str, bytes] = {}
            if said and message.attachments:
                hashes = [bytes.fromhex(info.sha256) for info in message.attachments]
                cursor = await connection.execute(LOAD_FILES, [owner_id, hashes], binary=True)
                files = dict(await cursor.fetchall())
        return FoundMessage(message, chat_of(row), said, files)

    async def delete_chat(self, owner_id: UUID, chat_id: str) -> Sequence[UUID] | None:
        """Delete a chat and stop its replies, which are returned; None when there is none.

        The lock of the chat keeps new turns out, the locks of the replies keep text out.
        """
        async with self.database.acting_for(owner_id) as connection, connection.transaction():
            cursor = await connection.execute(DELETE, [owner_id, chat_id], binary=True)
            deleted = await cursor.fetchone()
            if deleted is None:
                return None
            cursor = await connection.execute(RUNNING, deleted, binary=True)
            running = [row[0] for row in await cursor.fetchall()]
            if running:
                await connection.execute(FOLD, fold(running, Status.STOPPED, ""))
        return running
