"""Replies in PostgreSQL, for those who read them or stop them, wherever they are made."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from operator import itemgetter
from uuid import UUID

from parley_chat_service.adapters.database import Database
from parley_chat_service.adapters.store.rows import MESSAGE, Row, message_of
from parley_chat_service.core.model import Message, Position
from parley_chat_service.core.turn import Growth, Piece

HAS_CHAT = "select 1 from chats where owner_id = %s and chat_id = %s and delete_time is null"
FIND_REPLY = f"""
    select {MESSAGE} from messages m join chats c on c.chat_uid = m.chat_uid
    where m.owner_id = %s and c.chat_id = %s and m.message_id = %s and m.role = 'assistant'
        and c.delete_time is null
"""  # noqa: S608  (parts are constants)
# One snapshot: a reply either runs and has its pieces, or has ended and has them no more.
GROWTH = """
    select k.message_id, m.status = 'running', e.reasoning_to, e.text_to, e.reasoning, e.text
    from unnest(%(ids)b, %(reasoning_to)b::bigint[], %(text_to)b::bigint[])
            k (message_id, reasoning_to, text_to)
        join messages m using (message_id)
        left join reply_events e on e.message_id = k.message_id and m.status = 'running'
            and (e.reasoning_to, e.text_to) <> (k.reasoning_to, k.text_to)
            and e.reasoning_to >= k.reasoning_to and e.text_to >= k.text_to
    order by k.message_id, e.reasoning_to, e.text_to
"""
WATCH = "update messages set watched_at = now() where message_id = any(%b) and status = 'running'"
ASK_TO_STOP = """
    update messages m set stop_requested = true from chats c
    where m.owner_id = %s and c.chat_id = %s and m.message_id = %s and m.role = 'assistant'
        and m.status = 'running' and c.chat_uid = m.chat_uid and c.delete_time is null
"""
ASK_ALL_TO_STOP = """
    update messages set stop_requested = true
    where owner_id = %(owner)s and status = 'running' and role = 'assistant'
        and (%(key_id)s::text = '' or key_id = %(key_id)s::text)
    returning message_id
"""
WISHES = """
    select message_id from messages
    where message_id = any(%(running)b) and status = 'running' and worker_id = %(worker)s
        and (stop_requested or (message_id = any(%(unwatched)b) and (watched_at is null
            or watched_at < now() - %(seconds)s::float8 * interval '1 second')))
"""


class PostgresReplyStore:
    """Reads replies as they grow, and passes on what is wished of them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def has_chat(self, owner_id: UUID, chat_id: str) -> bool:
        """Say whether there is such a chat."""
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(HAS_CHAT, [owner_id, chat_id])
            return cursor.rowcount == 1

    async def find_reply(self, owner_id: UUID, chat_id: str, message_id: UUID) -> Message | None:
        """Return a reply with its text so far; None when its chat is deleted or has none such."""
        async with self.database.acting_for(owner_id) as connection:
            names = [owner_id, chat_id, message_id]
            cursor = await connection.execute(FIND_REPLY, names, binary=True)
            row = await cursor.fetchone()
        return message_of(row) if row else None

    async def growth(self, known: Mapping[UUID, Position]) -> Mapping[UUID, Growth]:
        """Return what is stored of replies behind the positions that are known of them."""
        parameters = {
            "ids": list(known),
            "reasoning_to": [position.reasoning for position in known.values()],
            "text_to": [position.text for position in known.values()],
        }
        async with self.database.jobs.connection() as connection:
            cursor = await connection.execute(GROWTH, parameters, binary=True)
            rows = await cursor.fetchall()
        return {
            message_id: growth_of(list(of_one))
            for message_id, of_one in itertools.groupby(rows, key=itemgetter(0))
        }

    async def watch(self, message_ids: Sequence[UUID]) -> None:
        """Note that somebody reads running replies, whoever works on them."""
        async with self.database.jobs.connection() as connection:
            await connection.execute(WATCH, [list(message_ids)])

    async def ask_to_stop(self, owner_id: UUID, chat_id: str, message_id: UUID) -> None:
        """Note that a reply is to stop, if it is running."""
        async with self.database.acting_for(owner_id) as connection:
            await connection.execute(ASK_TO_STOP, [owner_id, chat_id, message_id])

    async def ask_all_to_stop(self, owner_id: UUID, key_id: str) -> Sequence[UUID]:
        """Note that a user's running replies are to stop, or those of one key; return them."""
        async with self.database.acting_for(owner_id) as connection:
            parameters = {"owner": owner_id, "key_id": key_id}
            cursor = await connection.execute(ASK_ALL_TO_STOP, parameters, binary=True)
            return [row[0] for row in await cursor.fetchall()]

    async def wishes(
        self, worker_id: UUID, running: Sequence[UUID], unwatched: Sequence[UUID], seconds: float
    ) -> Sequence[UUID]:
        """Return those running replies of a worker that are to stop."""
        parameters = {
            "worker": worker_id,
            "running": list(running),
            "unwatched": list(unwatched),
            "seconds": seconds,
        }
        async with self.database.jobs.connection() as connection:
            cursor = await connection.execute(WISHES, parameters, binary=True)
            return [row[0] for row in await cursor.fetchall()]


def growth_of(rows: Sequence[Row]) -> Growth:
    """Read the rows of GROWTH of one reply."""
    pieces = [
        Piece(message_id, Position(reasoning_to, text_to), reasoning, text)
        for message_id, _, reasoning_to, text_to, reasoning, text in rows
        if reasoning_to is not None
    ]
    return Growth(rows[0][1], pieces)
