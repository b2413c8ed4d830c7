"""No key, prompt or answer where it does not belong: P4, P10.

Canaries go through every route and every failure. Afterwards all logs, all refusals, the command
lines of all processes, the OpenAPI document and every row of the database are searched for them.
"""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from cryptography.fernet import Fernet
from parley_tests.database import fresh_database
from parley_tests.openai_peer import ERRORS
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import Platform, running_platform
from psycopg import sql

from . import canaries
from .canaries import ANSWER, FILE, PROMPT, STORED_KEY, SYSTEM, Canaries, Client, written
from .document import document, operations
from .dumps import Dump
from .table import TABLE, Access

pytestmark = pytest.mark.api

MODEL = {"provider": "openai", "model": "gpt-peer"}
# Reasons whose `detail` quotes the vendor: how else would anybody learn what it did not like?
VENDORS_WORDS = frozenset(
    {
        "bad_request",
        "model_not_found",
        "overloaded",
        "provider_error",
        "provider_quota",
        "rate_limited",
        "too_large",
    }
)
PLACES = {
    "prompt": {"chat.messages", "chat.chats", "chat.reply_events"},
    "answer": {"chat.messages", "chat.reply_events"},
    "system": {"prompt.system_prompts", "prompt.system_prompt_versions"},
}


@dataclass(frozen=True)
class Aftermath:
    """What there is to be searched when everything has been done wrong."""

    secrets: Canaries
    client: Client
    platform: Platform
    master: str
    commands: bytes
    rows: list[tuple[str, str, bytes]]

    @property
    def logs(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.platform.logs.iterdir()}


@pytest.fixture(scope="module")
def aftermath(
    database_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Aftermath]:
    master, logs = urlsafe_b64encode(os.urandom(32)).decode(), tmp_path_factory.mktemp("logs")
    with (
        fresh_database(database_server) as url,
        running_peer("openai", "--key", canaries.VENDOR_KEY) as vendor,
        running_platform(url, logs, settings(vendor, master)) as platform,
        httpx.Client(base_url=platform.url, timeout=60) as http,
    ):
        secrets, client = Canaries(), Client(http)
        secrets.found_nowhere["master key"] = master.encode()
        drive(platform, vendor, secrets, client)
        dump = Dump(url)
        rows = list(dump.texts())
        dump.close()
        commands = command_lines(platform)
        without_database(url, client)
        yield Aftermath(secrets, client, platform, master, commands, rows)


def settings(vendor: RunningPeer, master: str) -> dict[str, str]:
    return {
        "API_KEY": canaries.FIRST_KEY,
        "KEY_PEPPER": canaries.PEPPER,
        "MASTER_KEY": master,
        "OPENAI_BASE_URL": vendor.base_url,
        "OPENAI_API_KEY": canaries.VENDOR_KEY,
    }


def drive(platform: Platform, vendor: RunningPeer, secrets: Canaries, client: Client) -> None:
    """Do everything, most of it wrong."""
    client.http.headers["Authorization"] = f"Bearer {canaries.FIRST_KEY}"
    user = client.send("POST", "/users", json={"name": "canary"}).json()["user_id"]
    for name in ("first", "second", "revoked"):
        made = client.send("POST", "/keys", json={"name": name, "user_id": user}).json()
        key = secrets.issue(f"{name} key of a user", made["key"])
    client.send("DELETE", f"/keys/{made['key_id']}")
    client.send("GET", "/me", headers={"Authorization": f"Bearer {key}"})
    client.send("POST", "/system-prompt", json={"prompt": SYSTEM})
    client.send("POST", "/system-prompts", json={"name": "Canary", "content": SYSTEM})
    client.send("POST", "/system-prompts", json={"name": "Canary", "content": SYSTEM})
    every_route(client)
    wrong_requests(client)
    stored_key(client, vendor)
    vendors_failures(client, vendor)


def every_route(client: Client) -> None:
    """Each operation, as the document has it, with texts in its body that are nobody's business."""
    rows = TABLE
    for operation in operations(document()):
        row = rows[operation.label]
        path = operation.path.format(**dict.fromkeys(operation.path_names, "canary"))
        body = {name: secret_of(name, value) for name, value in (row.body or {}).items()}
        more: dict[str, Any] = {} if row.body is None else {"json": body}
        client.send(operation.method, path, **more)
        if row.access is not Access.PUBLIC:
            wrong = {"Authorization": f"Bearer {canaries.WRONG_KEY}"}
            assert 401 == client.send(operation.method, path, headers=wrong, **more).status_code


def secret_of(name: str, value: Any) -> Any:
    texts = {"message": PROMPT, "input": PROMPT, "prompt": SYSTEM, "content": SYSTEM}
    texts["api_key"] = STORED_KEY
    return texts.get(name, value)


def wrong_requests(client: Client) -> None:
    for path, content in canaries.WRONG_BODIES.values():
        answer = client.send("POST", path, content=content)
        assert answer.status_code in {400, 413, 422}, answer.text
    key = client.http.headers.pop("Authorization")
    for headers in canaries.WRONG_KEYS:
        assert 401 == client.send("GET", "/me", headers=headers).status_code
    client.http.headers["Authorization"] = key
    # In a URL, where a hurried client may put them; the answer repeats the path, the log does not.
    client.http.get(f"/nothing/{canaries.VENDOR_KEY}", params={"api_key": canaries.VENDOR_KEY})
    client.http.get("/chat/history", params={"q": PROMPT, "page_token": canaries.VENDOR_KEY})
    client.http.get(f"/providers/{canaries.VENDOR_KEY}/models")


def stored_key(client: Client, vendor: RunningPeer) -> None:
    """A key that an administrator stores, for a vendor that refuses it."""
    body = {"name": "house", "plugin": "openai", "base_url": vendor.base_url}
    client.send("POST", "/providers", json=body)
    unreachable = {"base_url": "http://127.0.0.1:9/v1"}
    client.send("PUT", "/providers/house/credentials", json={"api_key": STORED_KEY})
    client.send("PATCH", "/providers/house", json=unreachable)
    client.send("POST", "/chat", json=canaries.turn(provider="house", model="gpt-peer"))
    client.send("PATCH", "/providers/house", json={"base_url": vendor.base_url})
    kept = client.send("PUT", "/providers/house/credentials", json={"api_key": STORED_KEY})
    assert STORED_KEY[-4:] == kept.json()["configuration"]["credential"]["last4"]
    client.send("POST", "/providers/house/models/refresh")
    client.send("GET", "/providers/house/health")
    client.send("GET", "/providers/house/models")
    client.send("POST", "/chat", json=canaries.turn(provider="house", model="gpt-peer"))
    assert "house" in client.send("GET", "/providers").text
    client.send("POST", "/providers/credentials/rotate")


def vendors_failures(client: Client, vendor: RunningPeer) -> None:
    said = [f"{ANSWER} ", "and more"]

    def ask(**script: Any) -> httpx.Response:
        """Ask once when all is well, for a vendor that only ever fails is left alone."""
        vendor.script(texts=said)
        assert ANSWER in client.send("POST", "/chat", json=canaries.turn(**MODEL)).text
        vendor.script(texts=said, **script)
        return client.send("POST", "/chat", json=canaries.turn(**MODEL))

    for name in ERRORS:
        assert ask(error=name).is_error, name
    for broken in (
        {"error": "server_error", "error_after": 1},
        {"cut_after": 1},
        {"unknown": True},
    ):
        ask(**broken)
        client.send("POST", "/chat", json=canaries.turn(stream=True, **MODEL))
    # Its own words, which repeat what it was sent.
    echo = f'{{"error": {{"message": "{PROMPT} {ANSWER} {canaries.VENDOR_KEY}"}}}}'
    for status in (200, 302, 400, 401, 402, 403, 404, 413, 422, 429, 500, 503):
        assert ask(raw=echo, raw_type="application/json", status=status).is_error
        client.send("POST", "/providers/openai/models/refresh")
        client.send("GET", "/providers/openai/health")
    assert ask(raw=f"<html>{ANSWER}{canaries.VENDOR_KEY}", raw_type="text/html").is_error


def without_database(url: str, client: Client) -> None:
    """Everything once more while nobody gets a connection."""
    name = url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(url.replace(name, "postgres"), autocommit=True) as server:
        allow = sql.SQL("alter database {} allow_connections {}")
        server.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
        server.execute(ended, [name])
        time.sleep(0.1)
        for path, body in (
            ("/chat", canaries.turn()),
            ("/system-prompt", {"prompt": SYSTEM}),
            ("/keys", {"name": "late"}),
        ):
            assert 503 == client.send("POST", path, json=body).status_code
        server.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


def command_lines(platform: Platform) -> bytes:
    """How all processes were started, which everybody on a machine can read."""
    started = [psutil.Process(process.pid) for process in platform.processes.values()]
    children = [child for process in started for child in process.children(recursive=True)]
    return "\n".join(" ".join(process.cmdline()) for process in started + children).encode()


def test_logs_tell_no_secret(aftermath: Aftermath) -> None:
    logs = aftermath.logs

    assert 4 == sum(len(log) > 0 for log in logs.values())
    assert {name: [] for name in logs} == {
        name: aftermath.secrets.in_output(log) for name, log in logs.items()
    }


def test_refusals_tell_no_secret(aftermath: Aftermath) -> None:
    refusals = aftermath.client.refusals

    assert {400, 401, 402, 404, 409, 413, 422, 429, 502, 503} <= {
        one.status_code for one in refusals
    }
    found = [
        (one.request.method, one.request.url.path, one.status_code, told)
        for one in refusals
        if (told := set(aftermath.secrets.in_output(written(one))) - quoted(one))
    ]
    assert [] == found, found


def quoted(answer: httpx.Response) -> set[str]:
    """What a vendor's own words may repeat to the one who said it, and to nobody else."""
    return {"prompt", "answer"} if answer.json().get("reason") in VENDORS_WORDS else set()


def test_no_answer_tells_a_key(aftermath: Aftermath) -> None:
    once = {
        one.json().get("key")
        for one in aftermath.client.answers
        if one.request.url.path == "/keys" and one.status_code == 201
    }
    assert {3, 4} & {len(once)}
    found = [
        (one.request.method, one.request.url.path, name)
        for one in aftermath.client.answers
        for name, form in aftermath.secrets.forms()
        if form in written(one) and not (one.request.url.path == "/keys" and one.status_code == 201)
    ]
    assert [] == found, found


def test_what_is_public_tells_no_secret(aftermath: Aftermath) -> None:
    for path in ("/openapi.json", "/health", "/", "/docs", "/docs/problems/internal"):
        answer = httpx.get(f"{aftermath.platform.url}{path}")
        assert [] == aftermath.secrets.in_output(written(answer))


def test_command_lines_tell_no_secret(aftermath: Aftermath) -> None:
    assert b"parley_gateway" in aftermath.commands
    assert [] == aftermath.secrets.in_output(aftermath.commands)


def test_a_dump_of_the_database_lets_nobody_in(aftermath: Aftermath) -> None:
    forms = list(aftermath.secrets.forms())
    found = [
        (table, column, name)
        for table, column, value in aftermath.rows
        for name, form in forms
        if form in value
    ]

    assert len(aftermath.rows) > 500
    assert [] == found, found


def test_a_vendors_key_is_stored_encrypted(aftermath: Aftermath) -> None:
    kept = [
        value
        for table, column, value in aftermath.rows
        if (table, column) == ("provider.provider_configs", "credential") and value != b"None"
    ]

    assert [] != kept
    assert any(STORED_KEY.encode() in Fernet(aftermath.master).decrypt(one) for one in kept)


def test_texts_lie_in_their_own_tables_only(aftermath: Aftermath) -> None:
    places = {
        name: {table for table, _, value in aftermath.rows if text in value}
        for name, text in canaries.TEXTS.items()
    }
    files = {table for table, _, value in aftermath.rows if FILE in value}

    assert {name: set() for name in places} == {
        name: found - PLACES[name] for name, found in places.items()
    }
    assert all(places.values())
    assert {"chat.attachments"} == files


def test_the_search_finds_what_is_there(aftermath: Aftermath, tmp_path: Path) -> None:
    """Else the rest would prove nothing."""
    for name, form in aftermath.secrets.forms():
        assert name in aftermath.secrets.in_output(b"before " + form + b" after")
    assert {"prompt", "file in base64"} <= set(
        aftermath.secrets.in_output(repr(canaries.turn()).encode())
    )
