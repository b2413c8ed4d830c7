"""Turns in PostgreSQL: the statements on the path of every message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import Rollback
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int8

from parley_chat_service.adapters.database import Database
from parley_chat_service.adapters.store.inputs import input_column, tool_calls_column
from parley_chat_service.adapters.store.rows import (
    LOAD_FILES,
    MESSAGE,
    PAST,
    Row,
    attachments_column,
    failure_column,
    message_of,
    past_of,
    spans_column,
)
from parley_chat_service.core.faults import MessageNotFound
from parley_chat_service.core.model import OPEN, Attachment, Choice
from parley_chat_service.core.titles import folded
from parley_chat_service.core.turn import (
    Begun,
    Ending,
    Fate,
    NewTurn,
    Past,
    PastSend,
    Piece,
)

LAST_CHOICE = """
    select provider, model from chats
    where owner_id = %s and chat_id = %s and delete_time is null
"""

# Idempotency, owner, seq and both messages, and the path as it was before: one statement.
# The path is that of the statement's snapshot; a turn that began at the same time may be
# missing from it, which shows in `prev_leaf_id`. Who is to follow a reply locks the chat first.
BEGIN = f"""
    with busy as (
        select count(*) >= %(most)s::int as yes
        from chats c join messages m on m.chat_uid = c.chat_uid and m.status = 'running'
        where c.owner_id = %(owner)s and c.chat_id = %(chat_id)s and c.delete_time is null),
    followed as (
        select leaf_id from chats
        where owner_id = %(owner)s and chat_id = %(chat_id)s and delete_time is null
            and %(parent)s::uuid is not null for update),
    refused as (
        select busy.yes or (%(parent)s::uuid is not null and not exists (
            select from followed where leaf_id = %(parent)s::uuid))
            or (%(assumed)s::boolean and not exists (
            select from chats c where c.owner_id = %(owner)s and c.chat_id = %(chat_id)s
                and c.delete_time is null and c.provider = %(assumed_provider)s::text
                and c.model = %(assumed_model)s::text)) as yes
        from busy),
    k as (
        insert into send_keys as k (owner_id, key, body_hash, message_id, expire_time)
        select %(owner)s, %(key)s::text, %(hash)s, %(reply)s, now() + interval '24 hours'
        from refused where %(key)s::text <> '' and not refused.yes
        on conflict (owner_id, key) do update set body_hash = excluded.body_hash,
            message_id = excluded.message_id, expire_time = excluded.expire_time
        where k.expire_time < now() returning 1),
    go as (
        select from refused
        where not refused.yes and (%(key)s::text = '' or exists (select from k))),
    c as (
        insert into chats as c (chat_uid, owner_id, chat_id, title, title_folded, provider, model,
            message_count, last_seq, leaf_id)
        select %(chat_uid)s, %(owner)s, %(chat_id)s::text, %(title)s::text,
            %(title_folded)s::text, %(provider)s::text, %(model)s::text, 2, 2, %(reply)s from go
        on conflict (owner_id, chat_id) where delete_time is null do update set
            provider = excluded.provider, model = excluded.model,
            message_count = c.message_count + 2, last_seq = c.last_seq + 2,
            prev_leaf_id = c.leaf_id, leaf_id = excluded.leaf_id, updated_at = now()
        returning chat_uid, last_seq, prev_leaf_id, updated_at),
    m as (
        insert into messages (message_id, chat_uid, owner_id, parent_id, seq, role, status,
            content, attachments, provider, model, prompt_version, worker_id, deadline, key_id,
            input)
        select %(user)s, chat_uid, %(owner)s, prev_leaf_id, last_seq - 1, 'user', 'complete',
            %(content)s::text, %(attachments)s::jsonb, '', '', 0, null, null, null,
            nullif(%(input)s::bytea, '') from c
        union all
        select %(reply)s, chat_uid, %(owner)s, %(user)s, last_seq, 'assistant', 'running',
            '', '[]', %(provider)s::text, %(model)s::text, %(prompt_version)s::int,
            %(worker)s, now() + %(seconds)s::float8 * interval '1 second', %(key_id)s::text,
            null from c)
    select c.chat_uid, c.last_seq, c.prev_leaf_id, c.updated_at, {PAST}
    from c left join messages h on h.chat_uid = c.chat_uid and h.on_path order by h.seq
"""  # noqa: S608  (parts are constants)
FIND_SEND = f"""
    select k.body_hash, c.chat_id, c.delete_time is not null, {MESSAGE}
    from send_keys k join messages m on m.message_id = k.message_id
        join chats c on c.chat_uid = m.chat_uid
    where k.owner_id = %s and k.key = %s and k.expire_time >= now()
"""  # noqa: S608  (parts are constants)
# From leaf to root, for the active path may lead elsewhere by now.
PATH = f"""
    with recursive chain as (
        select message_id, parent_id from messages
        where owner_id = %(owner)s and chat_uid = %(chat_uid)s and message_id = %(leaf)s
        union all
        select m.message_id, m.parent_id
        from chain join messages m on m.message_id = chain.parent_id)
    select {PAST} from chain join messages h using (message_id) order by h.seq
"""  # noqa: S608  (parts are constants)
LOCK_CHAT = """
    select chat_uid from chats where owner_id = %s and chat_id = %s and delete_time is null
    for update
"""
# Makes a reply the leaf: what the active path has behind it, or behind the last message that both
# have, leaves it, and those that lead to the reply come onto it. The chat was locked by an earlier
# statement, so that this one sees every message.
SWITCH = """
    with recursive chain as (
        select message_id, parent_id, seq, on_path from messages
        where chat_uid = %(chat_uid)s and message_id = %(parent)s and role = 'assistant'
        union all
        select m.message_id, m.parent_id, m.seq, m.on_path
        from chain join messages m on m.message_id = chain.parent_id where not chain.on_path),
    fork as (select coalesce(max(seq) filter (where on_path), 0) as seq from chain),
    kept as (
        select count(*) as messages from messages
        where chat_uid = %(chat_uid)s and on_path and seq <= (select seq from fork)),
    left_path as (
        update messages set on_path = false
        where chat_uid = %(chat_uid)s and on_path and seq > (select seq from fork)
            and exists (select from chain)),
    joined_path as (
        update messages m set on_path = true from chain
        where m.message_id = chain.message_id and not chain.on_path)
    update chats set leaf_id = %(parent)s, message_count = kept.messages
        + (select count(*) from chain where not on_path)
    from kept where chat_uid = %(chat_uid)s and exists (select from chain)
"""
# The locks keep a sweeper, or a deletion, from closing a reply between its check and its text.
APPEND = """
    with ours as (
        select message_id from messages
        where message_id = any(%(ids)b) and status = 'running' and worker_id = %(worker)s
        order by message_id for share),
    stored as (
        insert into reply_events (message_id, reasoning_to, text_to, reasoning, text)
        select p.message_id, p.reasoning_to, p.text_to, p.reasoning, p.text
        from unnest(%(ids)b, %(reasoning_to)b::bigint[], %(text_to)b::bigint[],
            %(reasonings)b, %(texts)b) p (message_id, reasoning_to, text_to, reasoning, text)
            join ours using (message_id)
        on conflict do nothing)
    select message_id from ours
"""
ANSWERED = """
    update messages m set provider = a.provider, model = a.model
    from unnest(%(ids)b, %(providers)b, %(models)b) a (message_id, provider, model)
    where m.message_id = a.message_id and m.status = 'running' and m.worker_id = %(worker)s
"""
END = """
    with ended as (
        update messages set status = %(status)s, content = %(content)s, reasoning = %(reasoning)s,
            finish_reason = %(finish_reason)s, error_reason = %(error_reason)s,
            input_tokens = %(input_tokens)s, output_tokens = %(output_tokens)s,
            cached_input_tokens = %(cached_input_tokens)s,
            reasoning_tokens = %(reasoning_tokens)s, usage_source = %(usage_source)s,
            cost_nano_usd = %(nano_usd)s, price_version = %(price_version)s,
            provider = %(provider)s, model = %(model)s,
            provider_metadata = nullif(%(provider_metadata)s::bytea, ''), error = %(error)s,
            tool_calls = %(tool_calls)s::jsonb, pieces = nullif(%(pieces)s::bytea, '')
        where message_id = %(message_id)s and status = 'running' and worker_id = %(worker_id)s
        returning message_id, deadline),
    noted as (
        insert into unsettled (message_id, expire_time)
        select message_id, deadline + interval '15 seconds' from ended where %(unsettled)s
        on conflict do nothing),
    dropped as (
        delete from reply_events e using ended where e.message_id = ended.message_id)
    select 1 from ended
"""
FATE = """
    select m.status, c.delete_time is not null
    from messages m join chats c on c.chat_uid = m.chat_uid where m.message_id = %s
"""
SAVE_FILES = """
    insert into attachments (owner_id, sha256, media_type, size, data)
    select %s, * from unnest(%b, %b, %b::bigint[], %b) on conflict do nothing
"""


class PostgresTurnStore:
    """Stores turns as they begin, grow and end.

    What keeps begun turns alive goes through connections of its own, `running`: whoever waits for
    a lock to begin one keeps nobody else from theirs.
    """

    def __init__(self, database: Database, running: Database) -> None:
        self.database = database
        self.running = running.jobs

    async def last_choice(self, owner_id: UUID, chat_id: str) -> Choice | None:
        """Return who was asked last in a chat; None when there is no such chat."""
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(LAST_CHOICE, [owner_id, chat_id])
            row = await cursor.fetchone()
        return Choice(*row) if row else None

    async def begin(self, turn: NewTurn, most_running: int) -> Begun | None:
        """Store both messages, and the chat when it is new; None when that may not be."""
        async with self.database.acting_for(turn.owner_id) as connection:
            cursor = await connection.execute(
                BEGIN, begin_parameters(turn, most_running), binary=True
            )
            return begun_of(await cursor.fetchall())

    async def begin_branch(self, turn: NewTurn, most_running: int) -> Begun | None:
        """Do so after any reply of the chat; MessageNotFound."""
        names = [turn.owner_id, turn.chat_id]
        async with self.database.acting_for(turn.owner_id) as connection, connection.transaction():
            cursor = await connection.execute(LOCK_CHAT, names, binary=True)
            found = await cursor.fetchone()
            if found is not None:
                parameters = {"chat_uid": found[0], "parent": turn.send.parent_id}
                cursor = await connection.execute(SWITCH, parameters)
            if found is None or not cursor.rowcount:
                raise MessageNotFound(turn.send.parent_id)
            parameters = begin_parameters(turn, most_running)
            cursor = await connection.execute(BEGIN, parameters, binary=True)
            begun = begun_of(await cursor.fetchall())
            if begun is None:
                raise Rollback
        return begun

    async def find_send(self, owner_id: UUID, key: str) -> PastSend | None:
        """Return the turn that an idempotency key stands for."""
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(FIND_SEND, [owner_id, key], binary=True)
            row = await cursor.fetchone()
        return PastSend(row[0], row[1], row[2], message_of(row[3:])) if row else None

    async def path(self, owner_id: UUID, chat_uid: UUID, leaf_id: UUID) -> Sequence[Past]:
        """Return the messages that lead to one and that one, oldest first, active or not."""
        parameters = {"owner": owner_id, "chat_uid": chat_uid, "leaf": leaf_id}
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(PATH, parameters, binary=True)
            return [past_of(row) for row in await cursor.fetchall()]

    async def append(self, worker_id: UUID, pieces: Sequence[Piece]) -> frozenset[UUID]:
        """Store what running replies grew by; return those that still belong to the worker."""
        parameters = {
            "worker": worker_id,
            "ids": [piece.message_id for piece in pieces],
            "reasoning_to": [piece.end.reasoning for piece in pieces],
            "text_to": [piece.end.text for piece in pieces],
            "reasonings": [piece.reasoning for piece in pieces],
            "texts": [piece.text for piece in pieces],
        }
        async with self.running.connection() as connection:
            cursor = await connection.execute(APPEND, parameters, binary=True)
            return frozenset(row[0] for row in await cursor.fetchall())

    async def answered(self, worker_id: UUID, answerers: Mapping[UUID, Choice]) -> None:
        """Store who makes running replies of the worker instead of whom they asked."""
        parameters = {
            "worker": worker_id,
            "ids": list(answerers),
            "providers": [choice.provider for choice in answerers.values()],
            "models": [choice.model for choice in answerers.values()],
        }
        async with self.running.connection() as connection:
            await connection.execute(ANSWERED, parameters)

    async def end(self, ending: Ending) -> bool:
        """Write how a reply ended; False when it does not belong to the worker any more."""
        async with self.running.connection() as connection:
            cursor = await connection.execute(END, end_parameters(ending))
            return cursor.rowcount == 1

    async def fate(self, message_id: UUID) -> Fate | None:
        """Return how a reply stands."""
        async with self.running.connection() as connection:
            cursor = await connection.execute(FATE, [message_id])
            row = await cursor.fetchone()
        return Fate(*row) if row else None

    async def save_files(self, owner_id: UUID, files: Sequence[Attachment]) -> None:
        """Keep the bytes of files, in one order for everybody, so that nobody waits in a ring."""
        ordered = sorted(files, key=lambda file: file.info.sha256)
        parameters = [
            owner_id,
            [bytes.fromhex(file.info.sha256) for file in ordered],
            [file.info.media_type for file in ordered],
            [file.info.size for file in ordered],
            [file.data for file in ordered],
        ]
        async with self.database.acting_for(owner_id) as connection:
            await connection.execute(SAVE_FILES, parameters)

    async def load_files(self, owner_id: UUID, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes that some SHA-256 (hexadecimal) name."""
        hashes = [bytes.fromhex(name) for name in names]
        async with self.database.acting_for(owner_id) as connection:
            cursor = await connection.execute(LOAD_FILES, [owner_id, hashes], binary=True)
            return dict(await cursor.fetchall())


def begun_of(rows: Sequence[Row]) -> Begun | None:
    """Read the rows of BEGIN."""
    if not rows:
        return None
    path = [past_of(row[4:]) for row in rows if row[4] is not None]
    chat_uid, seq, parent_id, created_at = rows[0][:4]
    return Begun(chat_uid, seq, parent_id, created_at, path)


def begin_parameters(turn: NewTurn, most_running: int) -> dict[str, object]:
    """Return the parameters of BEGIN."""
    assumed = turn.assumed or OPEN
    return {
        "most": most_running,
        "assumed": turn.assumed is not None,
        "assumed_provider": assumed.provider,
        "assumed_model": assumed.model,
        "parent": turn.send.parent_id,
        "owner": turn.owner_id,
        "key": turn.send.idempotency_key,
        "hash": turn.body_hash,
        "chat_uid": turn.chat_uid,
        "chat_id": turn.chat_id,
        "title": turn.title,
        "title_folded": folded(turn.title),
        "provider": turn.choice.provider,
        "model": turn.choice.model,
        "user": turn.user_message_id,
        "reply": turn.message_id,
        "content": turn.send.content,
        "attachments": Jsonb(attachments_column([file.info for file in turn.send.attachments])),
        "input": input_column(turn.choice.provider, turn.send.said),
        "prompt_version": turn.prompt_version,
        "worker": turn.worker_id,
        "seconds": turn.seconds,
        "key_id": turn.key_id,
    }


def end_parameters(ending: Ending) -> dict[str, object]:
    """Return the parameters of END; numbers of one size, whatever their value, for one plan."""
    usage, cost = ending.usage, ending.cost
    pieces, calls = spans_column(ending.spans), tool_calls_column(ending.tool_calls)
    return {
        "message_id": ending.message_id,
        "worker_id": ending.worker_id,
        "status": ending.status,
        "content": ending.content,
        "reasoning": ending.reasoning,
        "finish_reason": ending.finish_reason or None,
        "error_reason": ending.error_reason,
        "input_tokens": usage and Int8(usage.input_tokens),
        "output_tokens": usage and Int8(usage.output_tokens),
        "cached_input_tokens": usage and Int8(usage.cached_input_tokens),
        "reasoning_tokens": usage and Int8(usage.reasoning_tokens),
        "usage_source": usage and usage.source,
        "nano_usd": cost and Int8(cost.nano_usd),
        "price_version": cost and cost.price_version,
        "provider": ending.choice.provider,
        "model": ending.choice.model,
        "provider_metadata": b"" if calls else pieces,
        "pieces": pieces if calls else b"",
        "tool_calls": calls,
        "error": failure_column(ending.failure),
        "unsettled": ending.unsettled,
    }
