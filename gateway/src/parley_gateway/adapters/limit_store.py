"""The hour's windows in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from parley_gateway.adapters.database import Database
from parley_gateway.core.model import Window
from parley_gateway.core.ports import LimitStore

# Subjects in order, so that the statements of several gateways never wait for each other in
# a circle.
SPEND = """
insert into rate_limits as r (subject, window_start, asked, lim, used, granted)
select s, now(), n, l, least(n, l), least(n, l)
  from (select unnest(%(subjects)s::text[]) s, unnest(%(requests)s::int[]) n,
               %(limit)s::int l) t
 order by s
on conflict (subject) do update set lim = excluded.lim, asked = excluded.asked,
  window_start = case when r.window_start <= now() - interval '1 h' then now()
                 else r.window_start end,
  granted = case when r.window_start <= now() - interval '1 h' then excluded.granted
            else greatest(0, least(excluded.asked, excluded.lim - r.used)) end,
  used = case when r.window_start <= now() - interval '1 h' then excluded.used
         else r.used + greatest(0, least(excluded.asked, excluded.lim - r.used)) end
returning subject, granted, used,
          extract(epoch from window_start + interval '1 h' - now())::float8"""


class PostgresLimitStore(LimitStore):
    """Counts in `gateway.rate_limits`."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    @override
    async def spend(self, requests: Mapping[str, int], limit: int) -> Mapping[str, Window]:
        values = {
            "subjects": list(requests),
            "requests": list(requests.values()),
            "limit": limit,
        }
        rows = await self.database.fetch(SPEND, values)
        return {subject: Window(*window) for subject, *window in rows}
