"""What is there when all is quiet again: by the routes, and in the tables."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from parley_tests.checker.cluster import Exit
from parley_tests.checker.history import ChatLog, History, Read
from parley_tests.checker.reading import Reader
from parley_tests.checker.wire import Api

Row = Mapping[str, Any]

AT_ONCE = 8
RUNNING = "select count(*) from chat.messages where status = 'running'"
HELD = "select count(*) from provider.provider_usage where status = 'held'"
# The usage of a reply whose service died is fetched once it is settled.
UNTOLD = """
    select count(*) from chat.messages m join chat.chats c using (chat_uid)
        join provider.provider_usage u on u.usage_id = m.message_id
    where m.status <> 'running' and m.input_tokens is null and u.source is not null
        and c.delete_time is null
"""
MESSAGES = """
    select m.message_id, m.chat_uid, m.owner_id, m.parent_id, m.seq, m.role, m.status, m.content,
        m.reasoning, m.input_tokens, m.output_tokens, m.cached_input_tokens, m.reasoning_tokens,
        m.usage_source, m.cost_nano_usd, m.price_version, m.error_reason, c.chat_id,
        c.delete_time is not null as deleted, c.message_count, c.last_seq
    from chat.messages m join chat.chats c using (chat_uid) order by m.chat_uid, m.seq
"""
LEDGER = """
    select usage_id, owner_id, status, outcome, source, input_tokens, output_tokens,
        cached_input_tokens, reasoning_tokens, cost_nano_usd, price_version, output_chars,
        worker_id, started_at, settled_at
    from provider.provider_usage
"""
DAYS = """
    select owner_id, sum(requests)::bigint as requests, sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cached_input_tokens)::bigint as cached_input_tokens,
        sum(reasoning_tokens)::bigint as reasoning_tokens,
        sum(cost_nano_usd)::bigint as cost_nano_usd
    from provider.usage_days group by owner_id
"""
KEYS = """
    select k.owner_id, k.key, k.message_id, m.message_id is not null as found
    from chat.send_keys k left join chat.messages m using (message_id)
"""
EVENTS = "select message_id, count(*) as pieces from chat.reply_events group by message_id"
# The server's word for streams that a stop has cut.
KNOWN = re.compile("timeout graceful shutdown exceeded")
TROUBLE = re.compile(r"Traceback|\"traceback\"|\"level\":\"(error|critical)\"")


@dataclass(slots=True)
class Quiet:
    """How long it took until nothing was left to do, in seconds; None when it never was."""

    # From the last blow until no client waited any more; the others from there.
    clients_done: float | None = None
    nothing_runs: float | None = None
    nothing_held: float | None = None
    all_told: float | None = None
    healthy: float | None = None


@dataclass(slots=True)
class Found:
    """All that is left of a run."""

    quiet: Quiet
    owners: Sequence[UUID]
    # Chats as their owners read them, by user and name.
    chats: dict[tuple[int, str], Read]
    messages: Sequence[Row]
    ledger: Mapping[UUID, Row]
    days: Mapping[UUID, Row]
    keys: Sequence[Row]
    events: Sequence[Row]
    # Rows of the ledger as `GET /usage/records` tells them.
    records: Sequence[Row]
    # What logs tell of bugs.
    trouble: Sequence[str] = ()
    exits: Sequence[Exit] = ()
    resident_mb: Mapping[str, int] = field(default_factory=dict)


async def quieten(quiet: Quiet, database_url: str, healthy: Any, within: float) -> None:
    """Wait until nothing runs, nothing is held and all is well; at most so many seconds."""
    began = time.monotonic()
    waiting: dict[str, LiteralString] = {
        "nothing_runs": RUNNING,
        "nothing_held": HELD,
        "all_told": UNTOLD,
    }
    names = [*waiting, "healthy"]
    while any(getattr(quiet, name) is None for name in names):
        if time.monotonic() - began > within:
            break
        if quiet.healthy is None and await healthy():
            quiet.healthy = time.monotonic() - began
        try:
            counts = await _counts(database_url, waiting)
        except psycopg.OperationalError:
            counts = {}
        for name, count in counts.items():
            # Later ones may make new work for earlier ones: what counts is the last time.
            if count:
                setattr(quiet, name, None)
            elif getattr(quiet, name) is None:
                setattr(quiet, name, time.monotonic() - began)
        await asyncio.sleep(0.2)


async def _counts(url: str, questions: Mapping[str, LiteralString]) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        counts = {}
        for name, statement in questions.items():
            row = await (await connection.execute(statement)).fetchone()
            counts[name] = row[0] if row else 0
    return counts


async def survey(
    history: History, api: Api, quiet: Quiet, database_url: str, owners: Sequence[UUID]
) -> Found:
    """Read everything."""
    reader = Reader(api, history)
    chats: dict[tuple[int, str], Read] = {}
    left = iter(history.chats)

    async def read(logs: Any) -> None:
        for log in logs:
            chats[log.name] = await _read_chat(reader, log)

    await asyncio.gather(*(read(left) for _ in range(AT_ONCE)))
    records = [row for user in range(len(owners)) for row in await _records(api, user)]
    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, row_factory=dict_row
    ) as connection:

        async def rows(statement: LiteralString) -> Sequence[Row]:
            return await (await connection.execute(statement)).fetchall()

        return Found(
            quiet=quiet,
            owners=owners,
            chats=chats,
            messages=await rows(MESSAGES),
            ledger={row["usage_id"]: row for row in await rows(LEDGER)},
            days={row["owner_id"]: row for row in await rows(DAYS)},
            keys=await rows(KEYS),
            events=await rows(EVENTS),
            records=records,
        )


async def _read_chat(reader: Reader, log: ChatLog) -> Read:
    """Read a chat, at one gateway and, when that does not answer, at the other."""
    user, chat_id = log.name
    read = await reader.history_of(user, chat_id, 0)
    if read.status not in {200, 404}:
        read = await reader.history_of(user, chat_id, 1)
    return read


async def _records(api: Api, user: int) -> list[Row]:
    records: list[Row] = []
    token = ""
    while True:
        path = "/usage/records?page_size=100" + (token and f"&page_token={token}")
        status, page = await api.ask("GET", path, user=user, gateway=user)
        if status != 200:
            raise RuntimeError(f"GET /usage/records: {status} {page}")
        records += page["records"]
        token = page["next_page_token"] or ""
        if not token:
            return records


def trouble(logs: Sequence[Path]) -> list[str]:
    """Return the lines of logs that tell of a bug, each once, with how often it came."""
    counts: dict[str, int] = {}
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if TROUBLE.search(line) and not KNOWN.search(line):
                said = f"{log.stem.rstrip('01')}: {_without_numbers(line)}"
                counts[said] = counts.get(said, 0) + 1
    return [f"{count} x {line}" for line, count in sorted(counts.items())]


def _without_numbers(line: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d[\d.:TZ+-]*", "#", line)[:400]
