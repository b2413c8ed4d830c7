"""Rows of the tables as the core knows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from parley_chat_service.adapters.store.inputs import input_of, tool_calls_of
from parley_chat_service.core.model import (
    AttachmentInfo,
    Chat,
    Cost,
    Failure,
    Message,
    Role,
    Status,
    Totals,
    Usage,
)
from parley_chat_service.core.outline import Kind, Span
from parley_chat_service.core.turn import Past

# A row, as psycopg returns it.
Row = tuple[Any, ...]

CHAT = "c.chat_id, c.title, c.provider, c.model, c.message_count, c.created_at, c.updated_at"

# Sums of all messages of a chat `c`.
TOTALS = """coalesce(t.cost, 0)::int8, t.unpriced, t.unsettled, coalesce(t.input, 0)::int8,
    coalesce(t.output, 0)::int8, coalesce(t.cached, 0)::int8, coalesce(t.reasoning, 0)::int8"""
SUMMED = """cross join lateral (
    select sum(m.cost_nano_usd) as cost,
        count(*) filter (where m.usage_source is not null and m.cost_nano_usd is null) as unpriced,
        count(*) filter (where m.status = 'running' or u.message_id is not null) as unsettled,
        sum(m.input_tokens) as input, sum(m.output_tokens) as output,
        sum(m.cached_input_tokens) as cached, sum(m.reasoning_tokens) as reasoning
    from messages m left join unsettled u using (message_id) where m.chat_uid = c.chat_uid) t"""

# The text of a running reply stands in pieces until it ends. Siblings are found by the expression
# of their index.
MESSAGE = """m.message_id, m.parent_id,
    array(select s.message_id from messages s
        where case when s.parent_id is null then s.chat_uid else s.parent_id end
            = case when m.parent_id is null then m.chat_uid else m.parent_id end
        order by s.seq),
    m.seq, m.role, m.status,
    case when m.status = 'running' then coalesce(
        (select string_agg(e.text, '' order by e.reasoning_to, e.text_to)
        from reply_events e where e.message_id = m.message_id), '') else m.content end,
    m.created_at,
    case when m.status = 'running' then coalesce(
        (select string_agg(e.reasoning, '' order by e.reasoning_to, e.text_to)
        from reply_events e where e.message_id = m.message_id), '') else m.reasoning end,
    m.attachments, m.provider, m.model, m.prompt_version, m.finish_reason, m.error_reason,
    m.input_tokens, m.output_tokens, m.cached_input_tokens, m.reasoning_tokens, m.usage_source,
    m.cost_nano_usd, m.price_version, m.error, m.tool_calls"""


# A message `h` of a path. Only a reply whose vendor wants something back, or that calls tools,
# brings more than text, and what came as several messages.
PAST = """h.message_id, h.role, h.status, h.content, nullif(h.attachments, '[]'),
    coalesce(h.provider_metadata, h.pieces),
    case when coalesce(h.provider_metadata, h.pieces) is not null then h.provider end,
    case when coalesce(h.provider_metadata, h.pieces) is not null then h.reasoning end,
    h.tool_calls, h.input"""

# The bytes of files, by their SHA-256 in hexadecimal.
LOAD_FILES = (
    "select encode(sha256, 'hex'), data from attachments where owner_id = %s and sha256 = any(%b)"
)


def chat_of(row: Row) -> Chat:
    """Read the columns of CHAT."""
    return Chat(*row[:7])


def summed_chat_of(row: Row) -> Chat:
    """Read the columns of CHAT, another, and those of TOTALS."""
    return replace(chat_of(row), totals=Totals(*row[8:]))


def message_of(row: Row) -> Message:
    """Read the columns of MESSAGE."""
    return Message(
        message_id=row[0],
        parent_id=row[1],
        sibling_ids=row[2],
        seq=row[3],
        role=Role(row[4]),
        status=Status(row[5]),
        content=row[6],
        created_at=row[7],
        reasoning=row[8],
        attachments=attachments_of(row[9]),
        provider=row[10],
        model=row[11],
        prompt_version=row[12],
        finish_reason=row[13] or "",
        error_reason=row[14],
        usage=None if row[15] is None else Usage(*row[15:20]),
        cost=None if row[20] is None else Cost(row[20], row[21]),
        failure=None if row[22] is None else Failure(**row[22]),
        tool_calls=tool_calls_of(row[23]),
    )


def past_of(row: Row) -> Past:
    """Read the columns of PAST."""
    past = Past(row[0], row[1], row[2], row[3], attachments_of(row[4]))
    spans, tool_calls, said = row[5], row[8], row[9]
    if spans is not None:
        past = past._replace(spans=spans_of(spans), provider=row[6], reasoning=row[7])
    if tool_calls is not None:
        past = past._replace(tool_calls=tool_calls_of(tool_calls))
    if said is not None:
        provider, messages = input_of(said)
        past = past._replace(provider=provider, said=messages)
    return past


def spans_of(column: bytes) -> Sequence[Span]:
    """Read the column `provider_metadata`, or `pieces`."""
    header, _, rest = column.partition(b"\n")
    spans = []
    at = 0
    for kind, length, size in json.loads(header):
        spans.append(Span(Kind(kind), length, rest[at : at + size]))
        at += size
    return tuple(spans)


def spans_column(spans: Sequence[Span]) -> bytes:
    """Write the column `provider_metadata`, or `pieces`; nothing stands for null.

    A line of JSON says of each piece its kind, its code points and the bytes of its metadata; the
    bytes follow. The text itself stands in its own columns.
    """
    if not spans:
        return b""
    header = [[span.kind, span.length, len(span.metadata)] for span in spans]
    line = json.dumps(header, separators=(",", ":")).encode()
    return b"\n".join([line, b"".join(span.metadata for span in spans)])


def attachments_of(column: Sequence[dict[str, Any]] | None) -> Sequence[AttachmentInfo]:
    """Read the column `attachments`."""
    return tuple(AttachmentInfo(**info) for info in column or ())


def attachments_column(infos: Sequence[AttachmentInfo]) -> list[dict[str, Any]]:
    """Write the column `attachments`."""
    return [
        {
            "name": info.name,
            "media_type": info.media_type,
            "size": info.size,
            "sha256": info.sha256,
        }
        for info in infos
    ]


def failure_column(failure: Failure | None) -> Jsonb | None:
    """Write the column `error`."""
    if failure is None:
        return None
    return Jsonb(
        {
            "kind": failure.kind,
            "reason": failure.reason,
            "domain": failure.domain,
            "sentence": failure.sentence.replace("\0", ""),
            "metadata": {key: value.replace("\0", "") for key, value in failure.metadata.items()},
        }
    )


# How a reply becomes what is left of it when its worker cannot end it; what it used is asked for
# later. The rows are locked by an earlier statement, so that this one sees every piece that was
# stored.
FOLD = """
    with told as (
        select message_id, string_agg(reasoning, '' order by reasoning_to, text_to) as reasoning,
            string_agg(text, '' order by reasoning_to, text_to) as text
        from reply_events where message_id = any(%(ids)s) group by message_id),
    dropped as (delete from reply_events where message_id = any(%(ids)s)),
    noted as (
        insert into unsettled (message_id, expire_time)
        select message_id, deadline + interval '15 seconds' from messages
        where message_id = any(%(ids)s) and deadline is not null
        on conflict do nothing)
    update messages m set status = %(status)s, error_reason = %(reason)s,
        content = coalesce(t.text, ''), reasoning = coalesce(t.reasoning, '')
    from unnest(%(ids)s) i (message_id) left join told t using (message_id)
    where m.message_id = i.message_id
"""


def fold(ids: Sequence[UUID], status: Status, reason: str) -> dict[str, object]:
    """Return the parameters of FOLD."""
    return {"ids": list(ids), "status": status, "reason": reason}
