"""The ledger over HTTP."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import usage_pb2
from parley.provider.v1.reply_pb2 import USAGE_SOURCE_ESTIMATED, Cost, Usage

from .fakes import Script
from .turns import AT

pytestmark = pytest.mark.unit

SOMEBODY = "01990000-0000-7000-8000-000000000001"
FIGURES = {
    "requests": 2,
    "input_tokens": 24,
    "output_tokens": 68,
    "cached_input_tokens": 3,
    "reasoning_tokens": 4,
    "cost": {"amount": "0.00084", "currency": "USD"},
    "unpriced_requests": 1,
    "cache_write_tokens": 6,
    "long_cache_write_tokens": 5,
}


def summed(**groups: str) -> usage_pb2.UsageSum:
    return usage_pb2.UsageSum(
        **groups,
        requests=2,
        input_tokens=24,
        output_tokens=68,
        cached_input_tokens=3,
        reasoning_tokens=4,
        cost_nano_usd=840_000,
        unpriced_requests=1,
        cache_write_tokens=6,
        long_cache_write_tokens=5,
    )


def answers(script: Script, *rows: usage_pb2.UsageSum) -> None:
    script.answers["SummarizeUsage"] = usage_pb2.SummarizeUsageResponse(rows=rows, total=summed())


async def test_the_total_alone_is_asked_for_when_nothing_divides_it(
    client: httpx.AsyncClient, script: Script
) -> None:
    answers(script)

    answer = await client.get("/usage")

    assert {"rows": [], "total": FIGURES} == answer.json()
    assert [] == script.last.request.ListFields()


async def test_rows_say_what_was_asked_for_and_nothing_else(
    client: httpx.AsyncClient, script: Script
) -> None:
    answers(script, summed(day="2026-11-23", user_id="u", key_id="k"))

    answer = await client.get("/usage?group_by=day,user,key,day")

    assert [{"day": "2026-11-23", "user_id": "u", "key_id": "k", **FIGURES}] == answer.json()[
        "rows"
    ]
    assert [
        usage_pb2.USAGE_GROUP_DAY,
        usage_pb2.USAGE_GROUP_USER,
        usage_pb2.USAGE_GROUP_KEY,
    ] == list(script.last.request.group_by)


async def test_a_row_of_nothing_is_named_by_nothing(
    client: httpx.AsyncClient, script: Script
) -> None:
    answers(script, summed(provider="acme"))

    row = (await client.get("/usage?group_by=provider,model")).json()["rows"][0]

    assert ("acme", "") == (row["provider"], row["model"])


@pytest.mark.parametrize("path", ["/usage", "/usage/records"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"from": "2026-11-23"}, {"from": "2026-11-23T00:00:00Z"}),
        ({"to": "2026-11-23T12:00:00.5Z"}, {"to": "2026-11-23T12:00:00.500Z"}),
        ({"to": "2026-11-23t12:00:00+02:00"}, {"to": "2026-11-23T10:00:00Z"}),
        ({"user_id": SOMEBODY}, {"user_id": SOMEBODY}),
    ],
)
async def test_a_span_is_sent_on(
    client: httpx.AsyncClient, script: Script, path: str, query: Any, expected: Any
) -> None:
    answer = await client.get(path, params=query)

    sent = {field.name: value for field, value in script.last.request.ListFields()}
    sent.pop("page_size", None)
    times = {name: value.ToJsonString() for name, value in sent.items() if name != "user_id"}
    assert 200 == answer.status_code
    assert expected == {**sent, **times}


BAD_SPANS = [
    ("from=yesterday", "/from"),
    ("from=2026-02-30", "/from"),
    ("from=1700000000", "/from"),
    ("from=2026-11-23T12:00:00", "/from"),
    ("from=0001-01-01T00:00:00%2B01:00", "/from"),
    ("to=", "/to"),
    ("from=2026-11-23&to=2026-11-23", "/to"),
    ("from=2026-11-23&to=2026-11-22", "/to"),
    ("user_id=ada", "/user_id"),
]
BAD_SUMS = [
    ("group_by=hour", "/group_by"),
    ("group_by=day,", "/group_by"),
    ("group_by=day%0a", "/group_by"),
    ("group_by=Day", "/group_by"),
    ("format=xlsx", "/format"),
]
BAD_PAGES = [("page_size=0", "/page_size"), ("page_size=101", "/page_size")]
BAD = [
    *(("/usage", query, pointer) for query, pointer in BAD_SPANS + BAD_SUMS),
    *(("/usage/records", query, pointer) for query, pointer in BAD_SPANS + BAD_PAGES),
]


@pytest.mark.parametrize(("path", "query", "pointer"), BAD)
async def test_what_breaks_a_rule_is_refused_and_blamed(
    client: httpx.AsyncClient, script: Script, path: str, query: str, pointer: str
) -> None:
    answer = await client.get(f"{path}?{query}")

    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert [] == script.received


@pytest.mark.parametrize("path", ["/usage", "/usage/records"])
async def test_everybody_sees_their_own_and_administrators_others(
    client: httpx.AsyncClient, script: Script, user_key: str, path: str
) -> None:
    assert 200 == (await client.get(f"{path}?user_id={SOMEBODY}")).status_code
    mine = {"Authorization": f"Bearer {user_key}"}
    me = (await client.get("/me", headers=mine)).json()["user_id"]
    script.received.clear()

    assert 200 == (await client.get(path, headers=mine)).status_code
    assert 200 == (await client.get(f"{path}?user_id={me}", headers=mine)).status_code
    refused = await client.get(f"{path}?user_id={SOMEBODY}", headers=mine)

    assert (403, "permission_denied") == (refused.status_code, refused.json()["reason"])
    assert [(me, ""), (me, me)] == [(one.user_id, one.request.user_id) for one in script.received]


async def test_strangers_see_nothing(stranger: httpx.AsyncClient) -> None:
    assert 401 == (await stranger.get("/usage")).status_code
    assert 401 == (await stranger.get("/usage/records")).status_code


@pytest.mark.parametrize(
    ("query", "accept", "is_csv"),
    [
        ("&format=csv", "application/json", True),
        ("", "text/csv", True),
        ("", "text/csv, */*;q=0.1", True),
        ("&format=json", "text/csv", False),
        ("", "*/*", False),
    ],
)
async def test_sums_are_a_table_when_one_is_wanted(
    client: httpx.AsyncClient, script: Script, query: str, accept: str, is_csv: bool
) -> None:
    answers(script, summed(day="2026-11-23", model="large"))

    answer = await client.get(f"/usage?group_by=day,model{query}", headers={"Accept": accept})

    if not is_csv:
        assert "application/json" == answer.headers["content-type"]
        return
    assert "text/csv; charset=utf-8" == answer.headers["content-type"]
    assert 'attachment; filename="usage.csv"' == answer.headers["content-disposition"]
    assert (
        "day,model,requests,input_tokens,output_tokens,cached_input_tokens,reasoning_tokens,cost,"
        "currency,unpriced_requests,cache_write_tokens,long_cache_write_tokens\r\n"
        "2026-11-23,large,2,24,68,3,4,0.00084,USD,1,6,5\r\n"
    ) == answer.text


async def test_a_table_of_the_total_has_one_row(client: httpx.AsyncClient, script: Script) -> None:
    answers(script)

    header, row = (await client.get("/usage?format=csv")).text.split()

    assert header.startswith("requests,")
    assert "2,24,68,3,4,0.00084,USD,1,6,5" == row


@pytest.mark.parametrize("begin", ["=", "+", "@", "-", "\t", "\r", "\n"])
async def test_no_cell_begins_a_formula(
    client: httpx.AsyncClient, script: Script, begin: str
) -> None:
    name = f'{begin}HYPERLINK("http://evil.example","a")'
    answers(script, summed(model=name, provider="acme"))

    answer = await client.get("/usage?group_by=provider,model&format=csv")

    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert ["acme", f"'{name}"] == rows[1][:2]


USED = Usage(input_tokens=7, output_tokens=3, source=USAGE_SOURCE_ESTIMATED, cache_write_tokens=2)
PAID = Cost(nano_usd=420_000, price_version="prices 1")
ENDED = usage_pb2.UsageRecord(
    usage_id="u1",
    settled=True,
    usage=USED,
    cost=PAID,
    user_id="ada",
    key_id="k1",
    provider="b",
    model="n",
    outcome="stop",
    started_at=AT,
    settled_at=AT,
    attempts=[
        usage_pb2.Attempt(provider="a", model="m", outcome="overloaded", duration_ms=5),
        usage_pb2.Attempt(provider="b", model="n", outcome="stop", usage=USED, cost=PAID),
    ],
)
SPENT = {
    "usage": {
        "input_tokens": 7,
        "output_tokens": 3,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "source": "estimated",
        "cache_write_tokens": 2,
        "long_cache_write_tokens": 0,
    },
    "cost": {"amount": "0.00042", "currency": "USD", "price_version": "prices 1"},
}
NOTHING = {"usage": None, "cost": None}


async def test_calls_are_listed(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["ListUsageRecords"] = usage_pb2.ListUsageRecordsResponse(
        records=[ENDED], next_page_token="2"
    )

    query = "page_size=2&page_token=1&provider=b&model=n%2Fo"
    answer = (await client.get(f"/usage/records?{query}")).json()

    sent = script.last.request
    assert (2, "1", "b", "n/o") == (sent.page_size, sent.page_token, sent.provider, sent.model)
    at = "2026-11-23T12:00:00.250000Z"
    record = {
        "usage_id": "u1",
        "user_id": "ada",
        "key_id": "k1",
        "provider": "b",
        "model": "n",
        "settled": True,
        "outcome": "stop",
        **SPENT,
        "started_at": at,
        "settled_at": at,
        "attempts": [
            {"provider": "a", "model": "m", "outcome": "overloaded", **NOTHING, "duration_ms": 5},
            {"provider": "b", "model": "n", "outcome": "stop", **SPENT, "duration_ms": 0},
        ],
    }
    assert {"records": [record], "next_page_token": "2"} == answer


async def test_a_call_that_runs_has_no_end_yet(client: httpx.AsyncClient, script: Script) -> None:
    running = usage_pb2.UsageRecord(usage_id="u2", started_at=AT)
    script.answers["ListUsageRecords"] = usage_pb2.ListUsageRecordsResponse(records=[running])

    answer = (await client.get("/usage/records")).json()

    (record,) = answer["records"]
    assert answer["next_page_token"] is None
    assert (False, None, None, []) == (
        record["settled"],
        record["outcome"],
        record["settled_at"],
        record["attempts"],
    )
    assert NOTHING == {name: record[name] for name in NOTHING}


async def test_a_token_that_the_service_refuses_is_blamed(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["ListUsageRecords"] = InvalidArgument.of("page_token", "It is not one of ours.")

    answer = await client.get("/usage/records?page_token=x")

    assert (422, "/page_token") == (answer.status_code, answer.json()["errors"][0]["pointer"])


@pytest.mark.parametrize("name", ["provider", "model", "key_id"])
async def test_what_no_database_can_hold_is_refused_here(
    client: httpx.AsyncClient, script: Script, name: str
) -> None:
    answer = await client.get(f"/usage/records?{name}=a%00b")

    assert (422, f"/{name}") == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert [] == script.received


async def test_usage_is_asked_for_by_key(client: httpx.AsyncClient, script: Script) -> None:
    await client.get("/usage?key_id=4fK2mQ0aZ81x")
    summed = script.last.request.key_id
    await client.get("/usage/records?key_id=4fK2mQ0aZ81x")

    assert ("4fK2mQ0aZ81x", "4fK2mQ0aZ81x") == (summed, script.last.request.key_id)
