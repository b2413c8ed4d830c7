"""The hours in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from parley_gateway.adapters.database import Database
from parley_gateway.core.model import Grant, Payer, Window
from parley_gateway.core.ports import LimitStore

# Subjects are locked in order, so that the statements of several gateways never wait for each
# other in a circle. Of a user's keys the first to ask comes first; a key lets through what it may
# and the user what is left by then. Nothing is counted while a row is missing. An hour that has
# not begun yet is that of a clock that was set back.
SPEND = """
with asked as (
    select * from unnest(%(users)s::text[], %(user_limits)s::int[], %(keys)s::text[],
                         %(key_limits)s::int[], %(counts)s::int[])
             with ordinality as a(user_name, user_limit, key_name, key_limit, n, place)),
subjects as (
    select name as subject, min(lim) as lim
      from (select user_name, user_limit from asked union all
            select key_name, key_limit from asked where key_name is not null) as s(name, lim)
     group by 1),
locked as (
    select r.subject, s.lim, r.window_start, r.used
      from rate_limits r join subjects s using (subject) order by r.subject for update of r),
present as materialized (
    select subject, lim, case when h.over then 0 else used end as used,
           case when h.over then clock_timestamp() else window_start end as window_start
      from locked cross join lateral (
           select window_start <= clock_timestamp() - interval '1 h'
               or window_start > clock_timestamp()) as h(over)),
let as (
    select a.place, a.n, a.user_name, a.key_name, u.used as user_used, k.used as key_used,
           u.window_start as user_window, k.window_start as key_window,
           greatest(u.lim - u.used, 0) as user_left,
           least(a.n, greatest(k.lim - k.used, case when k.lim is not null then 0 end)) as most
      from asked a join present u on u.subject = a.user_name
      left join present k on k.subject = a.key_name
     where (select count(*) from present) = (select count(*) from subjects)),
before as (
    select *, least(user_left, coalesce(sum(most) over (
               partition by user_name order by place
               rows between unbounded preceding and 1 preceding), 0))::int as taken
      from let),
granted as (select *, least(most, user_left - taken) as granted from before),
spent as (
    select name as subject, sum(granted)::int as granted, sum(n)::int as asked
      from (select user_name, granted, n from granted union all
            select key_name, granted, n from granted where key_name is not null)
           as s(name, granted, n) group by 1),
upd as (
    update rate_limits r
       set lim = p.lim, asked = s.asked, granted = s.granted, window_start = p.window_start,
           used = p.used + s.granted
      from present p join spent s using (subject)
     where r.subject = p.subject and s.granted > 0)
select place, granted, user_used + taken,
       extract(epoch from user_window - clock_timestamp())::float8 + 3600,
       key_used, extract(epoch from key_window - clock_timestamp())::float8 + 3600
  from granted"""

# Who asks for the first time: an hour that is over, so that the first request begins another.
ADD = """
insert into rate_limits (subject, window_start, lim, used, asked, granted)
select s, now() - interval '1 h', 0, 0, 0, 0 from unnest(%(subjects)s::text[]) s order by s
on conflict do nothing returning 1"""


class PostgresLimitStore(LimitStore):
    """Counts in `gateway.rate_limits`."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    @override
    async def spend(self, requests: Mapping[Payer, int]) -> Mapping[Payer, Grant]:
        payers = list(requests)
        values = {
            "users": [payer.user.name for payer in payers],
            "user_limits": [payer.user.limit for payer in payers],
            "keys": [payer.key and payer.key.name for payer in payers],
            "key_limits": [payer.key and payer.key.limit for payer in payers],
            "counts": list(requests.values()),
        }
        rows = await self.database.fetch(SPEND, values)
        if not rows:
            subjects = {one.name for payer in payers for one in payer if one is not None}
            await self.database.fetch(ADD, {"subjects": list(subjects)})
            rows = await self.database.fetch(SPEND, values)
        return {payers[row[0] - 1]: grant(row[1:]) for row in rows}


def grant(row: Sequence[Any]) -> Grant:
    """Read what a payer was granted."""
    granted, user_used, user_left, key_used, key_left = row
    key = None if key_used is None else Window(key_used, key_left)
    return Grant(granted, Window(user_used, user_left), key)
