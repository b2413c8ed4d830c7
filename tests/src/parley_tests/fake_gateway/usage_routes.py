"""What the fake gateway says of usage: sums of its few records, and the records."""

from collections.abc import Iterable
from decimal import Decimal

from aiohttp import web

from parley_tests.fake_gateway.routes import GATEWAY, page
from parley_tests.fake_gateway.state import JSON

FIELDS = ("day", "provider", "model", "user_id", "key_id")
TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
WRITES = ("cache_write_tokens", "long_cache_write_tokens")
usage_routes = web.RouteTableDef()


def kept(request: web.Request) -> list[JSON]:
    """Returns the records that are asked for, newest first."""
    since, until = request.query.get("from", ""), request.query.get("to", "~")
    rows = [
        {**row, "day": row["started_at"][:10]}
        for row in request.app[GATEWAY].usage
        if since[:10] <= row["started_at"][:10] < until
    ]
    return sorted(rows, key=lambda row: str(row["started_at"]), reverse=True)


def summed(rows: Iterable[JSON]) -> JSON:
    rows = list(rows)
    amounts = [Decimal(row["cost"]["amount"]) for row in rows if row["cost"]]
    return {
        "requests": len(rows),
        **{name: sum(row["usage"][name] for row in rows) for name in (*TOKENS, *WRITES)},
        "cost": {"amount": f"{sum(amounts, Decimal(0)):f}", "currency": "USD"},
        "unpriced_requests": sum(row["cost"] is None for row in rows),
    }


@usage_routes.get("/usage")
async def summarize_usage(request: web.Request) -> web.Response:
    asked = [word for word in request.query.get("group_by", "").split(",") if word]
    names = [field for word in asked for field in FIELDS if field.startswith(word)]
    rows = kept(request)
    groups = sorted({tuple(row[name] for name in names) for row in rows}) if names else []
    sums = [
        {
            **dict(zip(names, group, strict=True)),
            **summed(row for row in rows if tuple(row[name] for name in names) == group),
        }
        for group in groups
    ]
    if request.query.get("format") == "csv":
        lines = [",".join([*names, "requests"])]
        lines += [",".join(str(one[name]) for name in [*names, "requests"]) for one in sums]
        return web.Response(text="\r\n".join([*lines, ""]), content_type="text/csv")
    return web.json_response({"rows": sums, "total": summed(rows)})


@usage_routes.get("/usage/records")
async def list_usage_records(request: web.Request) -> web.Response:
    rows = [
        row
        for row in kept(request)
        if all(request.query.get(name, row[name]) == row[name] for name in ("provider", "model"))
    ]
    return page(rows, request, "records")
