"""What is said to PostgreSQL to keep the ledger."""

from parley_provider_service.adapters.ledger.allowances import CHARGE

HOLD = """
insert into provider_usage
    (usage_id, owner_id, key_id, provider, model, worker_id, input_chars,
     input_price, output_price, cached_input_price, price_version)
select usage_id, owner_id, key_id, provider, model, %(worker)s, input_chars,
       input_price, output_price, cached_input_price, price_version
  from unnest(%(usage_id)s::uuid[], %(owner_id)s::uuid[], %(key_id)s::text[],
              %(provider)s::text[], %(model)s::text[], %(input_chars)s::bigint[],
              %(input_price)s::bigint[], %(output_price)s::bigint[],
              %(cached_input_price)s::bigint[], %(price_version)s::text[])
    as h(usage_id, owner_id, key_id, provider, model, input_chars,
         input_price, output_price, cached_input_price, price_version)
 order by usage_id
on conflict do nothing returning usage_id"""

# The row becomes what a new one would be: a sweeper settles it by these figures, and leaves a call
# alone that has just begun. What it holds of allowances it holds for the same reply. One row in a
# statement: what holds no lock while it waits for one is never in a deadlock with those who settle
# and record many.
TAKE_OVER = """
update provider_usage
   set worker_id = %(worker)s, key_id = %(key_id)s, provider = %(provider)s, model = %(model)s,
       input_chars = %(input_chars)s, input_price = %(input_price)s,
       output_price = %(output_price)s, cached_input_price = %(cached_input_price)s,
       price_version = %(price_version)s, started_at = now()
 where usage_id = %(usage_id)s and status = 'held' and owner_id = %(owner_id)s
   and output_chars = 0
returning usage_id"""

# The sums of a day, a line for each attempt; in one order everywhere, so that no two processes
# wait for each other's rows.
ROLL_UP = """
rolled as (
    insert into usage_days as d
           (day, owner_id, key_id, provider, model, requests, input_tokens, output_tokens,
            cached_input_tokens, reasoning_tokens, cost_nano_usd, unpriced_requests,
            cache_write_tokens, long_cache_write_tokens)
    select day, owner_id, key_id, provider, model, sum(requests), sum(input_tokens),
           sum(output_tokens), sum(cached), sum(reasoning), coalesce(sum(cost), 0),
           count(*) filter (where used and cost is null), sum(written), sum(lasting)
      from lines where requests > 0 or used group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
    on conflict (day, owner_id, key_id, provider, model) do update
       set requests = d.requests + excluded.requests,
           input_tokens = d.input_tokens + excluded.input_tokens,
           output_tokens = d.output_tokens + excluded.output_tokens,
           cached_input_tokens = d.cached_input_tokens + excluded.cached_input_tokens,
           reasoning_tokens = d.reasoning_tokens + excluded.reasoning_tokens,
           cost_nano_usd = d.cost_nano_usd + excluded.cost_nano_usd,
           unpriced_requests = d.unpriced_requests + excluded.unpriced_requests,
           cache_write_tokens = d.cache_write_tokens + excluded.cache_write_tokens,
           long_cache_write_tokens
               = d.long_cache_write_tokens + excluded.long_cache_write_tokens)
select usage_id from done"""

# The status makes it exactly once, whoever else settles; the worker leaves a call alone that
# another process has taken over.
_SETTLED = """
with done as (
    update provider_usage u
       set status = 'settled', settled_at = now(), outcome = s.outcome,
           provider = coalesce(s.provider, u.provider), model = coalesce(s.model, u.model),
           output_chars = s.output_chars, source = s.source, input_tokens = s.input_tokens,
           output_tokens = s.output_tokens, cached_input_tokens = s.cached,
           reasoning_tokens = s.reasoning, cache_write_tokens = s.written,
           long_cache_write_tokens = s.lasting, cost_nano_usd = s.cost,
           price_version = coalesce(s.price_version, u.price_version), attempts = s.attempts
      from unnest(%(usage_id)s::uuid[], %(outcome)s::text[], %(provider)s::text[],
                  %(model)s::text[], %(output_chars)s::bigint[], %(source)s::text[],
                  %(input_tokens)s::bigint[], %(output_tokens)s::bigint[],
                  %(cached)s::bigint[], %(reasoning)s::bigint[], %(written)s::bigint[],
                  %(lasting)s::bigint[], %(cost)s::bigint[], %(price_version)s::text[],
                  %(attempts)s::jsonb[])
        as s(usage_id, outcome, provider, model, output_chars, source, input_tokens,
             output_tokens, cached, reasoning, written, lasting, cost, price_version, attempts)
     where u.usage_id = s.usage_id and u.status = 'held' and u.worker_id = %(worker)s
    returning u.*),
lines as (
    select usage_id, (done.started_at at time zone 'UTC')::date as day, done.owner_id, done.key_id,
           coalesce(l.provider, done.provider) as provider, coalesce(l.model, done.model) as model,
           requests, l.input_tokens, l.output_tokens, cached, reasoning, written, lasting, cost,
           used
      from done join unnest(%(line_usage_id)s::uuid[], %(line_provider)s::text[],
                  %(line_model)s::text[], %(line_requests)s::bigint[],
                  %(line_input_tokens)s::bigint[], %(line_output_tokens)s::bigint[],
                  %(line_cached)s::bigint[], %(line_reasoning)s::bigint[],
                  %(line_written)s::bigint[], %(line_lasting)s::bigint[],
                  %(line_cost)s::bigint[], %(line_used)s::boolean[])
        as l(usage_id, provider, model, requests, input_tokens, output_tokens, cached, reasoning,
             written, lasting, cost, used) using (usage_id)),"""
# In one line: the driver remembers how statements of at most 4,096 characters are read.
SETTLE = " ".join((_SETTLED + CHARGE + ROLL_UP).split())

# Whoever settles a row, a sweeper included, leaves its name in it.
SETTLED_BY = """
select usage_id from provider_usage
 where usage_id = any(%(usage_id)s) and status = 'settled' and worker_id = %(worker)s"""

RECORD = """
with lease as (
    insert into workers (worker_id, lease_until)
    values (%(worker)s, now() + make_interval(secs => %(lease)s))
    on conflict (worker_id) do update set lease_until = excluded.lease_until)
update provider_usage u
   set output_chars = r.output_chars, provider = r.provider, model = r.model,
       input_price = r.input_price, output_price = r.output_price,
       cached_input_price = r.cached_input_price, price_version = r.price_version
  from unnest(%(usage_id)s::uuid[], %(output_chars)s::bigint[], %(provider)s::text[],
              %(model)s::text[], %(input_price)s::bigint[], %(output_price)s::bigint[],
              %(cached_input_price)s::bigint[], %(price_version)s::text[])
    as r(usage_id, output_chars, provider, model, input_price, output_price, cached_input_price,
         price_version)
 where u.usage_id = r.usage_id and u.status = 'held' and u.worker_id = %(worker)s
returning u.usage_id"""

# Estimates and rounds as core/pricing.py does. A call younger than a lease is left alone: its
# process may not have had the time to write one. One of our own that we know nothing of was held
# while the answer was lost. The dead are named first: when a row is locked that somebody has just
# taken over, its own columns are looked at again (another worker, a new beginning), and no lease.
_SWEPT = """
with gone as materialized (
    select distinct u.worker_id from provider_usage u
     where u.status = 'held' and u.started_at < now() - make_interval(secs => %(lease)s)
       and not exists (select from workers w
                        where w.worker_id = u.worker_id and w.lease_until > now())),
dead as (
    select u.usage_id from provider_usage u
     where u.status = 'held' and u.started_at < now() - make_interval(secs => %(lease)s)
       and u.usage_id <> all(%(mine)s::uuid[])
       and (u.worker_id = %(worker)s or u.worker_id in (select worker_id from gone))
     order by u.usage_id limit 500 for update of u skip locked),
done as (
    update provider_usage u
       set status = 'settled', settled_at = now(), outcome = 'interrupted', source = 'estimated',
           worker_id = %(worker)s,
           input_tokens = t.input, output_tokens = t.output, cached_input_tokens = 0,
           reasoning_tokens = 0,
           cost_nano_usd
               = ceil((t.input * u.input_price + t.output * u.output_price) / %(million)s)
      from dead join provider_usage d using (usage_id) cross join lateral (
           select case when d.output_chars > 0 then ceil(d.input_chars / %(chars)s) else 0 end,
                  ceil(d.output_chars / %(chars)s)) as t(input, output)
     where u.usage_id = dead.usage_id and u.status = 'held'
    returning u.*),
lines as (
    select usage_id, (started_at at time zone 'UTC')::date as day, owner_id, key_id, provider,
           model, 1 as requests, input_tokens, output_tokens, 0 as cached, 0 as reasoning,
           0 as written, 0 as lasting, cost_nano_usd as cost, output_tokens > 0 as used
      from done),"""
SWEEP = _SWEPT + CHARGE + ROLL_UP

# Workers that are gone for so long have nothing left to sweep.
FORGET = "delete from workers where lease_until < now() - interval '1 hour' returning 1"

RELEASE = "delete from workers where worker_id = %(worker)s returning 1"
