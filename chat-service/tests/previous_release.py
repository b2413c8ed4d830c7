"""The statements of the release before: they must work on the schema of this one."""

BEGIN = """
    with busy as (
        select count(*) >= %(most)s::int as yes
        from chats c join messages m on m.chat_uid = c.chat_uid and m.status = 'running'
        where c.owner_id = %(owner)s and c.chat_id = %(chat_id)s and c.delete_time is null),
    k as (
        insert into send_keys as k (owner_id, key, body_hash, message_id, expire_time)
        select %(owner)s, %(key)s::text, %(hash)s, %(reply)s, now() + interval '24 hours'
        from busy where %(key)s::text <> '' and not busy.yes
        on conflict (owner_id, key) do update set body_hash = excluded.body_hash,
            message_id = excluded.message_id, expire_time = excluded.expire_time
        where k.expire_time < now() returning 1),
    go as (
        select from busy
        where not busy.yes and (%(key)s::text = '' or exists (select from k))),
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
            content, attachments, provider, model, prompt_version, worker_id, deadline)
        select %(user)s, chat_uid, %(owner)s, prev_leaf_id, last_seq - 1, 'user', 'complete',
            %(content)s::text, %(attachments)s::jsonb, '', '', 0, null, null from c
        union all
        select %(reply)s, chat_uid, %(owner)s, %(user)s, last_seq, 'assistant', 'running',
            '', '[]', %(provider)s::text, %(model)s::text, %(prompt_version)s::int,
            %(worker)s, now() + %(seconds)s::float8 * interval '1 second' from c)
    select c.chat_uid, c.last_seq, c.prev_leaf_id, c.updated_at,
        h.message_id, h.role, h.status, h.content, nullif(h.attachments, '[]'),
    h.provider_metadata, case when h.provider_metadata is not null then h.provider end,
    case when h.provider_metadata is not null then h.reasoning end
    from c left join messages h on h.chat_uid = c.chat_uid and h.on_path order by h.seq
"""
PATH = """
    select h.message_id, h.role, h.status, h.content, nullif(h.attachments, '[]'),
    h.provider_metadata, case when h.provider_metadata is not null then h.provider end,
    case when h.provider_metadata is not null then h.reasoning end
    from messages h where h.chat_uid = %s and h.on_path and h.seq < %s::bigint order by h.seq
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
            provider_metadata = nullif(%(provider_metadata)s::bytea, '')
        where message_id = %(message_id)s and status = 'running' and worker_id = %(worker_id)s
        returning message_id),
    dropped as (
        delete from reply_events e using ended where e.message_id = ended.message_id)
    select 1 from ended
"""
