"""Odd input through the whole platform (F16, F23-F36): kept as it is, or refused with its rule."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest
from parley_tests.platform import Platform

pytestmark = pytest.mark.api

MEBIBYTE = 1024 * 1024
MOST_BYTES = 8 * MEBIBYTE
MOST_CHARS = 200_000
FAMILY = "👨‍👩‍👧‍👦"
RTL = "\u202egnp.tnemucod\u202c"
TEMPLATES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in range(9) %}{{ x }}{% endfor %}",
    "{{ 7 * 7 }} ${7*7} #{7*7} <%= 7*7 %>",
    "{message} {0.__class__} %(message)s %s",
    "{{" * 20_000 + "}}" * 20_000,
]
NOT_CONFIGURABLE = [
    "http://169.254.169.254",
    "http://[::ffff:a9fe:a9fe]",
    "http://[::ffff:169.254.169.254]/latest",
    "http://[fd00:ec2::254]",
    "http://100.100.100.200",
    "http://0x7f.1",
    "http://2852039166",
    "http://0251.0376.0251.0376",
    "http://localhost.",
    "http://user@host.example",
    "http://api.example.com:25",
    "http://api.example.com:6379",
    "file:///etc/passwd",
    "gopher://example.com/_x",
    "http://0.0.0.0",
    "http://example.com#@169.254.169.254",
    "http://example.com\\@169.254.169.254",
    "http://①⑥⑨.254.169.254",
    "//example.com",
    "http://example.com/?x=1",
]


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (status, reason) == (answer.status_code, problem["reason"]), answer.text[:300]
    assert "application/problem+json" == answer.headers["content-type"]
    return problem


def sized(size: int) -> bytes:
    """Make a body of so many bytes whose message is short: an attachment fills it."""
    empty = body_with("")
    return body_with("A" * ((size - len(empty)) // 4 * 4)).ljust(size)


def body_with(data: str) -> bytes:
    file = {"media_type": "image/png", "data": data, "name": "picture.png"}
    return json.dumps({"message": "Hi", "attachments": [file]}).encode()


@pytest.mark.parametrize("base_url", NOT_CONFIGURABLE)
async def test_a_provider_cannot_be_pointed_inside(platform: Platform, base_url: str) -> None:
    async with platform.client() as client:
        name = f"ssrf-{time.time_ns()}"
        made = {"name": name, "plugin": "openai", "base_url": base_url}
        problems = [
            refused(await client.post("/providers", json=made), 422, "invalid_argument"),
            refused(
                await client.patch("/providers/openai", json={"base_url": base_url}),
                422,
                "invalid_argument",
            ),
        ]
        listed = (await client.get("/providers")).text

    assert [["/base_url"]] * 2 == [[e["pointer"] for e in p["errors"]] for p in problems]
    assert name not in listed


@pytest.mark.parametrize("template", TEMPLATES, ids=range(len(TEMPLATES)))
async def test_a_template_is_plain_text(platform: Platform, template: str) -> None:
    name = f"template-{time.time_ns()}"
    async with platform.client() as client:
        made = await client.post("/system-prompts", json={"name": name, "content": template})
        prompt_id = made.raise_for_status().json()["prompt_id"]
        kept = (await client.get(f"/system-prompts/{prompt_id}")).json()["content"]
        body = {"message": template, "system_prompt_id": prompt_id, "chat_id": name}
        answer = (await client.post("/chat", json=body)).raise_for_status()
        said = (await client.get(f"/chat/history/{name}")).json()["messages"]

    assert template == kept == said[0]["content"]
    assert answer.json()["response"]


@pytest.mark.parametrize("character", ["x", "é", "語", "😀"])
async def test_the_longest_message_is_taken_and_one_more_is_not(
    platform: Platform, character: str
) -> None:
    chat_id = f"long-{time.time_ns()}"
    body = {"message": character * MOST_CHARS, "chat_id": chat_id}
    async with platform.client() as client:
        taken = await client.post("/chat", json=body)
        kept = await client.get(f"/chat/history/{chat_id}")
        more = await client.post("/chat", json={"message": character * (MOST_CHARS + 1)})

    assert 200 == taken.status_code, taken.text[:300]
    assert body["message"] == kept.json()["messages"][0]["content"]
    assert "/message" == refused(more, 422, "invalid_argument")["errors"][0]["pointer"]


@pytest.mark.parametrize("size", [4 * MEBIBYTE, MOST_BYTES - 1, MOST_BYTES])
async def test_a_large_body_is_no_broken_call(platform: Platform, size: int) -> None:
    body = sized(size)
    assert size == len(body)
    async with platform.client() as client:
        answer = await client.post("/chat", content=body)

    assert answer.status_code == 200, answer.text[:300]


async def test_one_byte_more_is_refused(platform: Platform) -> None:
    async with platform.client() as client:
        answer = await client.post("/chat", content=sized(MOST_BYTES + 1))

    refused(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "path", ["/chat/history", "/system-prompts", "/users", "/keys", "/usage/records"]
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", "0"),
        ("page_size", "-1"),
        ("page_size", "1000000000"),
        ("page_size", "ten"),
        ("page_token", "!"),
        ("page_token", "AAAA"),
        ("page_token", "x" * 1001),
        ("page_token", base64.urlsafe_b64encode(b'["now", 1]').decode()),
        ("page_token", "\0"),
    ],
)
async def test_a_page_that_is_none_is_refused(
    platform: Platform, path: str, name: str, value: str
) -> None:
    async with platform.client() as client:
        answer = await client.get(path, params={name: value})

    assert f"/{name}" == refused(answer, 422, "invalid_argument")["errors"][0]["pointer"]


@pytest.mark.parametrize(
    "title",
    [
        FAMILY * 43,
        RTL,
        "zero\u200bwidth\u2060joined\ufeff",
        "e\u0301" * 100,
        "\ufdfa" * 50,
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
        "\u0085\u2028\u2029 lines",
        "<script>alert(1)</script>",
    ],
    ids=range(8),
)
async def test_an_odd_title_is_kept_and_found(platform: Platform, title: str) -> None:
    chat_id = f"title-{time.time_ns()}"
    async with platform.client() as client:
        answer = await client.post("/chat", json={"message": title, "chat_id": chat_id})
        assert 200 == answer.status_code, answer.text
        kept = (await client.get(f"/chat/history/{chat_id}")).json()
        words = kept["title"].removesuffix("…")
        found = await client.get("/chat/history", params={"q": words, "page_size": 100})

    assert title == kept["messages"][0]["content"]
    assert words
    assert chat_id in [one["chat_id"] for one in found.raise_for_status().json()["chats"]]


@pytest.mark.parametrize(
    "q", ["%", "_", "'", "\\", "a%b", "(a+)+$", "' or '1'='1", "*", "& | !", ":*", "x" * 1000]
)
async def test_a_search_is_literal(platform: Platform, q: str) -> None:
    chat_id = f"search-{time.time_ns()}"
    async with platform.client() as client:
        await client.post("/chat", json={"message": f"before {q[:40]} after", "chat_id": chat_id})
        await client.post("/chat", json={"message": "plain words", "chat_id": f"{chat_id}-other"})
        answer = await client.get("/chat/history", params={"q": q, "page_size": 100})

    found = [one["chat_id"] for one in answer.raise_for_status().json()["chats"]]
    assert f"{chat_id}-other" not in found
    assert (len(q) <= 40) == (chat_id in found)


async def test_a_search_that_holds_nothing_postgres_can_hold_is_refused(
    platform: Platform,
) -> None:
    async with platform.client() as client:
        answer = await client.get("/chat/history", params={"q": "a\0b"})

    refused(answer, 422, "invalid_argument")


@pytest.mark.parametrize(
    ("asked", "reason", "near"),
    [
        ({"provider": "dmo"}, "provider_not_found", "demo"),
        ({"provider": "antropic"}, "provider_not_found", "anthropic"),
        ({"model": "dem"}, "model_not_found", "demo"),
    ],
)
async def test_what_is_unknown_has_near_ones(
    platform: Platform, asked: dict[str, str], reason: str, near: str
) -> None:
    async with platform.client() as client:
        answer = await client.post("/chat", json={"message": "Hi", **asked})

    assert near in refused(answer, 404, reason)["metadata"]["near"]
