"""One test for each entry of the peers' security record that a request could repeat.

The number is that of the entry; the sentence below it says what went wrong there. What lies in the
sources and in the packages instead is in `test_cve_sources.py`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from parley_gateway.core.keys import CHECKSUM_LENGTH, checksum, new_token
from parley_tests.peers import KEY, RunningPeer, running_peer
from parley_tests.platform import SERVICES

from .canaries import WRONG_BODIES
from .document import document, operations
from .table import NAMES, TABLE, Name
from .world import MARK, Spelling, Who, World, missing

pytestmark = pytest.mark.api

OPERATIONS = operations(document())
EXPIRES_AFTER_SECONDS = 1.5
TEMPLATES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${7*7} #{7*7} {7*7} %(x)s {0} $(id) `id`",
    "{{" * 1000,
)
# Written in every way that some parser reads as another host than the next.
INNER = (
    "http://169.254.169.254/latest",
    "http://[::ffff:a9fe:a9fe]",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]",
    "http://[::ffff:169.254.169.254]",
    "http://0xa9fea9fe",
    "http://2852039166",
    "http://0251.0376.0251.0376",
    "http://0x7f.1",
    "http://169.254.169.254.",
    "http://api.example.com@169.254.169.254",
    "http://169.254.169.254\\@api.example.com",
    "http://api.example.com#@169.254.169.254",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://100.100.100.200",
    "http://api.example.com:25",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
)
HOSTILE_TOKENS = (
    "' OR '1'='1",
    "'; drop table gateway.users; --",
    "parley_key_' OR '1'='1",
    "parley_key_aaaaaaaaaaaa_" + "b" * 43 + "cccccc",
    "parley_key_aaaaaaaaaa'-_" + "b" * 43 + "cccccc",
    "%00",
    "x" * 9000,
    "\\x00",
    "null",
)


@pytest.fixture(scope="module")
def vendor(world: World) -> Iterator[RunningPeer]:
    """A vendor on the same machine, configured as `peer`; who names nobody gets the demo."""
    world.ok("PATCH", "/providers/demo", Who.ADMIN, json={"is_default": True})
    with running_peer("openai") as peer:
        body = {"name": "peer", "plugin": "openai", "base_url": peer.base_url}
        world.ok("POST", "/providers", Who.ADMIN, json=body)
        world.ok("PUT", "/providers/peer/credentials", Who.ADMIN, json={"api_key": KEY})
        yield peer


def ask_peer(world: World, **more: Any) -> httpx.Response:
    body = {"message": "Hello", "provider": "peer", "model": "gpt-peer", **more}
    return world.send("POST", "/chat", Who.OTHER, json=body)


def test_cve_2026_45349(world: World) -> None:
    """An own key with another's chat id went on with that chat."""
    chat = world.thing(Name.CHAT, Who.OWNER)[Name.CHAT]
    before = world.ok("GET", f"/chat/history/{chat}", Who.OWNER)

    told = world.ok("POST", "/chat", Who.OTHER, json={"message": "Go on", "chat_id": chat})

    assert 2 == world.ok("GET", f"/chat/history/{chat}", Who.OTHER)["message_count"]
    assert MARK not in told["response"]
    assert before == world.ok("GET", f"/chat/history/{chat}", Who.OWNER)


def test_cve_2026_54015(world: World) -> None:
    """The parent's id was checked, the child's was not: every nested name, crossed."""
    nested = [one for one in OPERATIONS if len(one.path_names) > 1]
    owned = {Name.CHAT, Name.PROMPT}
    tried = 0
    for operation in nested:
        names = tuple(NAMES["path", name] for name in operation.path_names)
        if not owned & set(names):
            continue
        own, foreign = world.things(names, Who.OTHER), world.things(names, Who.OWNER)
        if names[-1] is Name.VERSION:  # a number that counts within its parent
            continue
        crossed = own | {names[-1]: foreign[names[-1]]}
        row = TABLE[operation.label]
        assert 404 == world.perform(operation, row, Who.OTHER, Spelling.BEARER, crossed).status
        tried += 1

    assert 2 <= tried


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
def test_cve_2026_44569(world: World, verb: str) -> None:
    """Whoever could read it could change or delete it."""
    prompt = world.thing(Name.PROMPT, Who.OWNER)[Name.PROMPT]
    before = world.ok("GET", f"/system-prompts/{prompt}", Who.OWNER)

    told = world.send(verb, f"/system-prompts/{prompt}", Who.OTHER, json={"content": "Mine"})

    assert 404 == told.status_code
    assert before == world.ok("GET", f"/system-prompts/{prompt}", Who.OWNER)


def test_cve_2026_45666(world: World) -> None:
    """An id that cannot be guessed stood for a permission."""
    ids = world.thing(Name.MESSAGE, Who.OWNER)

    for verb, last in (("GET", "stream"), ("POST", "stop")):
        path = f"/chats/{ids[Name.CHAT]}/messages/{ids[Name.MESSAGE]}/{last}"
        assert 404 == world.send(verb, path, Who.OTHER).status_code


def test_cve_2026_45402(world: World) -> None:
    """Another's file was reached by what names its content: here each owner has their own."""
    picture = {"media_type": "image/png", "data": "iVBORw0KGgo=", "name": "same.png"}
    for who in (Who.OWNER, Who.OTHER):
        world.ok("POST", "/chat", who, json={"message": "Look", "attachments": [picture]})

    owners = [
        row["owner_id"]
        for row in world.dump.rows("chat", "attachments")
        if row["size"] == len(b"\x89PNG\r\n\x1a\n")
    ]

    assert sorted([world.users[Who.OWNER], world.users[Who.OTHER]]) == sorted(owners)
    assert not [one.label for one in OPERATIONS if "sha" in one.path or "file" in one.path]


def test_cve_2026_45671(world: World) -> None:
    """A check by prefix knew one kind of id and let the others pass."""
    ids = world.things((Name.CHAT, Name.MESSAGE, Name.PROMPT, Name.KEY), Who.OWNER)
    kinds = [*ids.values(), world.users[Who.OWNER], f"user-{world.users[Who.OWNER]}"]
    shapes = ("/chat/history/{}", "/system-prompts/{}", "/chats/{0}/messages/{0}/stream")

    for shape, name in product(shapes, kinds):
        assert 404 == world.send("GET", shape.format(name), Who.OTHER).status_code, (shape, name)


@pytest.mark.parametrize("who", [Who.OTHER, Who.ADMIN])
def test_cve_2026_45398(world: World, who: Who) -> None:
    """What was shared could be deleted by those it was shared with."""
    before = world.ok("GET", "/system-prompts/default", Who.OWNER)

    changed = world.send("PUT", "/system-prompts/default", who, json={"content": "Mine"})
    deleted = world.send("DELETE", "/system-prompts/default", who)

    assert (409, 409) == (changed.status_code, deleted.status_code)
    assert before == world.ok("GET", "/system-prompts/default", Who.OWNER)


def test_cve_2026_45339(world: World) -> None:
    """What a key may do was asked in one spelling of it only."""
    path, body = "/providers/demo", {"priority": 1}
    told = {
        spelling: world.send("PATCH", path, Who.OTHER, spelling, json=body).status_code
        for spelling in Spelling
    }
    both = {"Authorization": f"Bearer {world.keys[Who.ADMIN]}", "x-api-key": world.keys[Who.OTHER]}

    assert {403} == set(told.values())
    assert 401 == world.http.patch(path, headers=both, json=body).status_code


def test_cve_2026_44553(world: World) -> None:
    """What was open went on when the rights had gone."""
    made = world.new_key(Who.OTHER)
    headers = {"Authorization": f"Bearer {made['key']}"}
    body = {"message": "/hold 30", "stream": True}
    with world.http.stream("POST", "/chat", headers=headers, json=body) as stream:
        lines = stream.iter_lines()
        assert "event: start" == next(lines)
        world.ok("DELETE", f"/keys/{made['key_id']}", Who.ADMIN)
        revoked = time.monotonic()
        events = [line for line in lines if line.startswith("event: ")]

    assert time.monotonic() - revoked < 10  # 5 s are promised; the machine may be busy
    assert "event: problem" == events[-1]


@pytest.mark.parametrize("address", INNER)
def test_cve_2026_45400_and_31943(world: World, vendor: RunningPeer, address: str) -> None:
    """One parser judged the address, another one went there; hex forms were not normalized."""
    made = {"name": "inner", "plugin": "openai", "base_url": address}
    added = world.send("POST", "/providers", Who.ADMIN, json=made)
    moved = world.send("PATCH", "/providers/peer", Who.ADMIN, json={"base_url": address})

    assert (422, 422) == (added.status_code, moved.status_code)
    assert {"/base_url"} == {one["pointer"] for one in moved.json()["errors"]}


def test_cve_2026_45401(world: World, vendor: RunningPeer) -> None:
    """A redirect led where the address itself must not."""
    with running_peer("openai") as other:
        headers = {"Location": f"{other.base_url}/chat/completions"}
        for status in (301, 302, 303, 307, 308):
            vendor.script(raw="", raw_type="text/plain", status=status, headers=headers)
            assert 502 == ask_peer(world).status_code
            vendor.script()
            assert ask_peer(world).is_success

        assert [] == other.log()["requests"]


def test_cve_2026_31950(world: World) -> None:
    """The id of a stream alone opened another's answer while it came."""
    name = world.fresh(Who.OWNER)
    body = {"message": "/hold 3", "chat_id": name, "stream": True}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(world.send, "POST", "/chat", Who.OWNER, json=body)
        message = waited(world, name)
        foreign = f"/chats/{name}/messages/{message}"
        gone = f"/chats/{name}/messages/{missing(Name.MESSAGE, '')}"
        for verb, last in (("GET", "stream"), ("POST", "stop")):
            told, like = (world.send(verb, f"{at}/{last}", Who.OTHER) for at in (foreign, gone))
            assert (404, 404) == (told.status_code, like.status_code)
            assert MARK not in told.text.replace(name, "")
        assert "event: end" in running.result().text


def waited(world: World, chat: str) -> str:
    """The reply that runs in a chat, once it does."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        answer = world.send("GET", f"/chat/history/{chat}", Who.OWNER)
        if answer.is_success:
            return str(answer.json()["messages"][-1]["message_id"])
        time.sleep(0.02)
    raise AssertionError("no reply began")


def test_cve_2026_31949(world: World) -> None:
    """A body that was not what was expected ended the process."""
    processes = {name: world.platform.processes[name] for name in SERVICES}
    headers = {"Authorization": f"Bearer {world.keys[Who.ADMIN]}"}

    for operation in OPERATIONS:
        path = operation.path.format(**dict.fromkeys(operation.path_names, "any"))
        for _, content in WRONG_BODIES.values():
            if len(content) < 100_000:
                told = world.http.request(operation.method, path, headers=headers, content=content)
                assert told.status_code < 500, (operation.label, content, told.text)

    assert [None] * 4 == [process.poll() for process in processes.values()]


def test_cve_2026_22252(world: World) -> None:
    """What somebody sent became a process."""

    def running() -> set[int]:
        parents = [psutil.Process(one.pid) for one in world.platform.processes.values()]
        return {child.pid for one in parents for child in one.children(recursive=True)}

    before = running()
    for operation in OPERATIONS:
        row = TABLE[operation.label]
        names = tuple(NAMES["path", name] for name in operation.path_names)
        world.perform(operation, row, Who.ADMIN, Spelling.BEARER, world.things(names, Who.ADMIN))
        assert before == running(), operation.label


def test_cve_2026_42208(world: World) -> None:
    """A token was pasted into SQL, before anybody had logged in."""
    with psycopg.connect(world.platform.environment["DATABASE_URL"]) as connection:
        # Whoever asks the table now has to wait.
        connection.execute("lock table gateway.api_keys in access exclusive mode")
        for token, spelling in product(HOSTILE_TOKENS, Spelling):
            value = f"Bearer {token}" if spelling is Spelling.BEARER else token
            answer = world.http.get("/me", headers={spelling.value: value})
            assert 401 == answer.status_code, token
        unknown = {"x-api-key": new_token()[1]}
        assert answered(world, unknown) in {503, None}  # what could be ours is looked for
        connection.rollback()

    assert 401 == answered(world, unknown)
    assert 200 == world.send("GET", "/me", Who.OTHER).status_code


def answered(world: World, headers: dict[str, str]) -> int | None:
    """The status that a request gets within a second."""
    try:
        return world.http.get("/me", headers=headers, timeout=1).status_code
    except httpx.ReadTimeout:
        return None


@pytest.mark.parametrize("template", TEMPLATES)
def test_cve_2026_42203(world: World, vendor: RunningPeer, template: str) -> None:
    """A prompt was rendered as a template, which runs code."""
    kept = world.ok("POST", "/system-prompt", Who.OTHER, json={"prompt": template})

    vendor.script(texts=["Fine."])
    assert ask_peer(world).is_success

    assert template == kept["prompt"]
    last = vendor.asked()[-1]
    assert template in str(last["body"]["messages"]).replace("\\'", "'").replace("\\\\", "\\")


@pytest.mark.parametrize(
    "host", ["x/livez?", "x/health#", "localhost/livez", "x\\livez", "a b", "", "x:y", "x@y/livez"]
)
def test_cve_2026_42271_and_48710(world: World, host: str) -> None:
    """A `Host` with a path in it passed for a path that needs no key ("BadHost")."""
    for path in (
        "/chat/history",
        "/keys",
        "/users",
        "//livez/../keys",
        "/livez/../keys",
        "/livez/",
    ):
        status = raw(world, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        assert status in {400, 401, 404, 421}, (host, path, status)


def test_an_absolute_target_is_no_way_round_either(world: World) -> None:
    request = "GET http://x/livez/../keys HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    assert raw(world, request) in {400, 401, 404, 421}


def raw(world: World, request: str) -> int:
    """Send bytes that no HTTP client would; return the status."""
    with socket.create_connection(("127.0.0.1", world.platform.port), timeout=20) as connection:
        connection.sendall(request.encode("latin-1"))
        return int(connection.recv(4096).split(b" ", 2)[1])


def test_cve_2026_35030(world: World) -> None:
    """The cache knew tokens by their first characters."""
    key = world.keys[Who.OTHER]
    assert 200 == world.send("GET", "/me", Who.OTHER).status_code
    begin = key[:-CHECKSUM_LENGTH]
    other = begin[:-1] + ("a" if begin[-1] != "a" else "b")
    twin = other + checksum(other.encode())

    assert 60 < len(begin[:-1])
    answer = world.http.get("/me", headers={"x-api-key": twin})
    assert 401 == answer.status_code


@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key", "api_type", "headers"])
def test_cve_2024_6587(world: World, vendor: RunningPeer, field: str) -> None:
    """A request said where the vendor is, and the vendor's key was sent there."""
    before = len(vendor.asked())

    told = ask_peer(world, **{field: "http://evil.example"})

    assert 422 == told.status_code
    assert before == len(vendor.asked())


def test_cve_2024_6587_moving_a_provider_forgets_its_key(world: World) -> None:
    made = {"name": "moved", "plugin": "openai", "base_url": "https://one.example/v1"}
    world.ok("POST", "/providers", Who.ADMIN, json=made)
    world.ok("PUT", "/providers/moved/credentials", Who.ADMIN, json={"api_key": "sk-moved-key"})

    moved = {"base_url": "https://evil.example/v1"}
    told = world.ok("PATCH", "/providers/moved", Who.ADMIN, json=moved)

    assert told["configuration"]["credential"] is None


def test_cve_2026_12796(world: World) -> None:
    """A session outlived its end, because it had been seen to be valid before."""
    ends = datetime.now(UTC) + timedelta(seconds=EXPIRES_AFTER_SECONDS)
    headers = {"x-api-key": world.new_key(Who.OTHER, expires_at=ends.isoformat())["key"]}
    statuses = []
    while datetime.now(UTC) < ends:
        statuses.append(world.http.get("/me", headers=headers).status_code)

    assert 200 in statuses
    assert 401 == world.http.get("/me", headers=headers).status_code


@pytest.mark.parametrize(
    "more",
    [
        {"path": "/etc/passwd"},
        {"url": "http://127.0.0.1:9/"},
        {"data": "/etc/passwd"},
        {"data": "file:///etc/passwd"},
        {"data": "http://127.0.0.1:9/"},
    ],
)
def test_cve_2026_22218_and_22219(world: World, more: dict[str, str]) -> None:
    """A field named a file, or an address, which the server then read."""
    picture = {"media_type": "image/png", "data": "iVBORw0KGgo=", **more}
    body = {"message": "Look", "attachments": [picture]}

    told = world.send("POST", "/chat", Who.OTHER, json=body)

    # A path of base64's own letters is what it says: bytes.
    allowed = {200, 422} if more.get("data") == "/etc/passwd" else {422}
    assert told.status_code in allowed


def test_cve_2025_64496(world: World, vendor: RunningPeer) -> None:
    """An event of a model's server ran as a script in the page."""
    vendor.script(texts=["Hi ", "there"], unknown=True)
    told = ask_peer(world, stream=True)

    names = {line for line in told.text.splitlines() if line.startswith("event: ")}

    assert {"event: start", "event: delta", "event: end"} == names
    vendor.script()
