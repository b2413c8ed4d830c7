"""What is said to PostgreSQL of allowances. Their rows are locked in one order everywhere."""

# One statement: lock the rows in order, judge all, write all or nothing. A call that is there
# already waits for nobody's allowances: it may be taken over, and holds what it holds.
HOLD = """
with known as (select from provider_usage where usage_id = %(usage_id)s),
want as (
    select * from unnest(%(scopes)s::text[], %(meters)s::text[], %(limits)s::bigint[],
                         %(amounts)s::bigint[]) as w(scope, meter, lim, amount)
     where not exists (select from known)),
locked as (
    select b.scope, b.meter, w.lim, w.amount, b.window_start as kept, b.used, b.held
      from budgets b join want w using (scope, meter) order by b.scope, b.meter for update of b),
present as materialized (
    select scope, meter, lim, amount, p.window_start,
           case when kept = p.window_start then used else 0 end as used,
           case when kept = p.window_start then held else 0 end as held
      from locked cross join lateral (select present_window(meter, kept)) as p(window_start)),
verdict as (
    select count(*) = cardinality(%(scopes)s::text[]) as complete,
           bool_and(used + held + amount <= lim) as enough,
           array_agg(scope order by scope, meter) as scopes,
           array_agg(meter order by scope, meter) as meters,
           array_agg(amount order by scope, meter) as amounts,
           array_agg(window_start order by scope, meter) as windows
      from present),
ins as (
    insert into provider_usage
           (usage_id, owner_id, key_id, provider, model, worker_id, input_chars, input_price,
            output_price, cached_input_price, price_version,
            hold_scopes, hold_meters, hold_amounts, hold_windows)
    select %(usage_id)s, %(owner_id)s, %(key_id)s, %(provider)s, %(model)s, %(worker)s,
           %(input_chars)s::bigint, %(input_price)s::bigint, %(output_price)s::bigint,
           %(cached_input_price)s::bigint, %(price_version)s::text,
           scopes, meters, amounts, windows
      from verdict where complete and enough
    on conflict do nothing returning usage_id),
upd as (
    update budgets b set window_start = p.window_start, used = p.used, held = p.held + p.amount
      from present p
     where exists (select from ins) and b.scope = p.scope and b.meter = p.meter)
select exists (select from known), v.complete, exists (select from ins),
       p.scope, p.meter, p.used, p.held, end_of_window(p.meter, p.window_start),
       extract(epoch from end_of_window(p.meter, p.window_start) - clock_timestamp())::float8,
       p.used + p.held + p.amount <= p.lim
  from verdict v left join present p on true"""

# Whose allowances are held for the first time.
ADD = """
insert into budgets (scope, meter, window_start)
select scope, meter, window_of(meter, now())
  from unnest(%(scopes)s::text[], %(meters)s::text[]) as w(scope, meter) order by 1, 2
on conflict do nothing returning 1"""

# A call's own row comes before those of allowances, as where calls are settled. What was held in a
# window that has ended counts for nobody any more.
EXTEND = """
with mine as (
    select hold_scopes, hold_meters, hold_amounts, hold_windows from provider_usage
     where usage_id = %(usage_id)s and status = 'held' and worker_id = %(worker)s for update),
want as (
    select h.scope, h.meter, h.window_start, w.lim, greatest(w.amount - h.amount, 0) as more
      from mine cross join lateral
           unnest(hold_scopes, hold_meters, hold_amounts, hold_windows)
           as h(scope, meter, amount, window_start)
      join unnest(%(scopes)s::text[], %(meters)s::text[], %(limits)s::bigint[],
                  %(amounts)s::bigint[]) as w(scope, meter, lim, amount) using (scope, meter)),
locked as (
    select b.scope, b.meter, w.lim, b.window_start, b.used, b.held,
           case when b.window_start = w.window_start then w.more else 0 end as more
      from budgets b join want w using (scope, meter) order by b.scope, b.meter for update of b),
verdict as (select bool_and(more = 0 or used + held + more <= lim) as enough from locked),
extended as (
    update provider_usage u
       set hold_amounts = array(
           select h.amount + coalesce(w.more, 0)
             from unnest(u.hold_scopes, u.hold_meters, u.hold_amounts)
                  with ordinality as h(scope, meter, amount, place)
             left join want w using (scope, meter) order by h.place)
     where u.usage_id = %(usage_id)s and (select enough from verdict)),
upd as (
    update budgets b set held = b.held + l.more from locked l
     where (select enough from verdict) and l.more > 0
       and b.scope = l.scope and b.meter = l.meter)
select scope, meter, used, held, end_of_window(meter, window_start),
       extract(epoch from end_of_window(meter, window_start) - clock_timestamp())::float8,
       more = 0 or used + held + more <= lim
  from locked"""

# Goes on from `done`, the rows that were settled, and `lines`, what goes into the roll-ups: what
# they held is let go, and what was used counts, where the window is still that of the hold.
CHARGE = """
sums as (
    select usage_id, coalesce(sum(cost), 0) as cost, sum(input_tokens + output_tokens) as tokens
      from lines group by usage_id),
shares as (
    select h.scope, h.meter, h.window_start, sum(h.amount) as held,
           sum(case h.meter when 'daily_cost' then s.cost when 'monthly_cost' then s.cost
                            when 'tokens_per_minute' then s.tokens else 0 end) as used
      from done d join sums s using (usage_id) cross join lateral
           unnest(d.hold_scopes, d.hold_meters, d.hold_amounts, d.hold_windows)
           as h(scope, meter, amount, window_start)
     group by 1, 2, 3),
charged as (
    select b.scope, b.meter, b.window_start from budgets b
     where (b.scope, b.meter) in (select scope, meter from shares)
     order by b.scope, b.meter for update of b),
upd as (
    update budgets b set used = b.used + s.used, held = b.held - s.held
      from charged c join shares s using (scope, meter, window_start)
     where b.scope = c.scope and b.meter = c.meter),"""

BALANCES = """
select w.scope, w.meter,
       case when b.window_start = p.window_start then b.used else 0 end,
       case when b.window_start = p.window_start then b.held else 0 end,
       end_of_window(w.meter, p.window_start),
       extract(epoch from end_of_window(w.meter, p.window_start) - clock_timestamp())::float8
  from unnest(%(scopes)s::text[], %(meters)s::text[]) as w(scope, meter)
  left join budgets b using (scope, meter)
 cross join lateral (
       select present_window(w.meter, coalesce(b.window_start, to_timestamp(0))))
    as p(window_start)"""
