"""Keys in files: which are taken, what is said of others, and what follows a change."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from parley_rpc import identities
from parley_rpc.context import USER_CONTEXT
from parley_rpc.keys import (
    CONTEXT,
    SERVICE,
    IdentityError,
    Source,
    Watched,
    new_key,
    private_key,
    public,
    trusted_keys,
    written,
)
from parley_rpc.tokens import Credential
from parley_rpc.vouching import Voucher
from parley_tests.installation import Installation, jwks, text

from parley.context.v1.context_pb2 import UserContext

from .doors import Door, Shown, door

pytestmark = pytest.mark.unit

ADA = "0198c0de-0000-7000-8000-000000000001"
KEY = new_key("chat", SERVICE)


def without(name: str) -> str:
    return orjson.dumps({k: v for k, v in written(KEY).items() if k != name}).decode()


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ("", "SERVICE_KEY_FILE is not set, nor SERVICE_KEY."),
        ("nonsense", "SERVICE_KEY is no key"),
        ("[]", "SERVICE_KEY is no key"),
        (without("kid"), "SERVICE_KEY is no key"),
        (without("purpose"), "SERVICE_KEY is no key"),
        (without("x"), "SERVICE_KEY is no key"),
        (orjson.dumps(public(KEY)).decode(), "holds a public key"),
        (text(new_key("gateway", CONTEXT)), "purpose 'context', not 'service'"),
        (orjson.dumps({**written(KEY), "purpose": "all"}).decode(), "unknown purpose 'all'"),
        (orjson.dumps({**written(KEY), "crv": "X25519"}).decode(), "not of Ed25519"),
    ],
)
def test_another_key_is_refused_by_the_name_of_its_setting(held: str, says: str) -> None:
    with pytest.raises(IdentityError, match=says) as caught:
        Watched(Source("SERVICE_KEY", held), private_key(SERVICE))

    assert written(KEY)["d"] not in str(caught.value)


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ("{}", "TRUSTED_KEYS is no key"),
        (orjson.dumps({"keys": [written(KEY)]}).decode(), "holds a private key"),
        (jwks(KEY, KEY), "two keys with one kid"),
    ],
)
def test_trust_is_refused_that_cannot_be_meant(held: str, says: str) -> None:
    with pytest.raises(IdentityError, match=says):
        Watched(Source("TRUSTED_KEYS", held), trusted_keys)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"SERVICE_KEY_FILE cannot be read.*nowhere"):
        Watched(Source("SERVICE_KEY", path=tmp_path / "nowhere"), private_key(SERVICE))


def test_a_file_that_becomes_unusable_is_reported_and_the_old_one_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, now = tmp_path / "trusted.json", [0.0]
    file.write_text(jwks(KEY))
    watched = Watched(Source("TRUSTED_KEYS", path=file), trusted_keys, clock=lambda: now[0])
    before = watched.current()

    file.write_text("half of i")
    now[0] += 2
    assert before is watched.current()
    assert ["unusable"] == [record.message for record in caplog.records]

    other = new_key("chat", SERVICE)
    file.write_text(jwks(other))
    now[0] += 0.5
    assert before is watched.current()
    now[0] += 2
    assert {(SERVICE, other.kid)} == set(watched.current())


def run(folder: Path, *words: str) -> int:
    return identities.main(["--folder", str(folder), *words])


def test_a_complete_installation_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    assert 0 == run(tmp_path, "complete")
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert 0 == run(tmp_path, "complete")

    assert made == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    keys = [made[f"{name}.key"] for name in ("gateway", "chat", "context")]
    assert all(stat.S_IMODE((tmp_path / f"{n}.key").stat().st_mode) == 0o600 for n in ("chat",))
    assert 3 == len(orjson.loads(made["trusted.json"])["keys"])
    for key in keys:
        assert orjson.loads(key)["d"].encode() not in made["trusted.json"]


def test_private_keys_may_lie_where_their_service_alone_sees_them(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("shared", "gateway", "chat")}
    for place in places.values():
        place.mkdir()
    words = [f"gateway={places['gateway']}", f"context={places['gateway']}"]

    assert 0 == run(places["shared"], "complete", *words, f"chat={places['chat']}")

    found = {name: {p.name for p in place.iterdir()} for name, place in places.items()}
    assert {"gateway.key", "context.key"} == found["gateway"]
    assert {"chat.key"} == found["chat"]
    assert not any(name.endswith(".key") for name in found["shared"])


def test_another_service_gets_a_key_that_is_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(tmp_path, "add", "reports")
    file = Path(capsys.readouterr().out.strip())
    credential = Credential.of_file(file)

    trusted = Watched(Source("T", path=tmp_path / "trusted.json"), trusted_keys).current()
    assert (SERVICE, credential.key.current().kid) in trusted
    assert 0 == run(tmp_path, "add", "other", "--to", "-")
    assert "other" == private_key(SERVICE)(capsys.readouterr().out).name
    for taken in ("reports", "gateway", "chat", "../x", "", "A"):
        assert 1 == run(tmp_path, "add", taken)


async def knocking(opened: Door, knock: Callable[[], Any], stop: asyncio.Event) -> int:
    count = 0
    while not stop.is_set():
        assert ADA == await opened.knock(knock())
        count += 1
    return count


async def test_keys_are_rotated_under_load_and_nobody_is_refused(tmp_path: Path) -> None:
    run(tmp_path, "complete")
    chat = Credential.of_file(tmp_path / "chat.key")
    signs = Source("CONTEXT_KEY", path=tmp_path / "context.key")
    voucher = Voucher(Watched(signs, private_key(CONTEXT)))
    kids = [chat.key.current().kid, voucher.key.current().kid]

    def knock() -> Any:
        user = voucher.vouch(UserContext(user_id=ADA, key_id="k"), "", valid_for=60)
        return [chat.entry("prompt"), (USER_CONTEXT, user.signed)]

    source = Source("TRUSTED_KEYS", path=tmp_path / "trusted.json")
    async with door(Installation(), source=source) as opened:
        stop = asyncio.Event()
        knocking_now = [asyncio.create_task(knocking(opened, knock, stop)) for _ in range(8)]
        for name in ("chat", "context"):
            await asyncio.to_thread(run, tmp_path, "rotate", str(tmp_path / f"{name}.key"))
        old = knock()
        async with asyncio.timeout(20):
            while {chat.key.current().kid, voucher.key.current().kid} & set(kids):  # noqa: ASYNC110  (asked)
                await asyncio.sleep(0.05)
        for kid in kids:
            await asyncio.to_thread(run, tmp_path, "drop", kid)
        await asyncio.sleep(1.5)
        stop.set()

        assert min(await asyncio.gather(*knocking_now)) > 0
        assert old != knock()


async def test_a_new_key_is_used_when_everybody_has_had_the_time_to_see_it(tmp_path: Path) -> None:
    run(tmp_path, "complete")
    source = Source("TRUSTED_KEYS", path=tmp_path / "trusted.json")
    signs = Watched(Source("CONTEXT_KEY", path=tmp_path / "context.key"), private_key(CONTEXT))
    user = Voucher(signs).vouch(UserContext(user_id=ADA, key_id="k"), "", valid_for=60)

    def knock() -> Shown:
        chat = Credential.of_file(tmp_path / "chat.key")
        return [chat.entry("prompt"), (USER_CONTEXT, user.signed)]

    async with door(Installation(), source=source) as opened:
        await opened.knock(knock())  # it has just looked at the file
        await asyncio.to_thread(run, tmp_path, "rotate", str(tmp_path / "chat.key"))

        assert ADA == await opened.knock(knock())


async def test_what_a_dropped_key_has_signed_counts_no_longer(tmp_path: Path) -> None:
    run(tmp_path, "complete")
    run(tmp_path, "add", "reports")
    reports = Credential.of_file(tmp_path / "reports.key")
    signs = Source("CONTEXT_KEY", path=tmp_path / "context.key")
    user = Voucher(Watched(signs, private_key(CONTEXT)), fresh_seconds=60)
    caller = user.vouch(UserContext(user_id=ADA, key_id="k"), "", valid_for=60)
    shown: Shown = [reports.entry("prompt"), (USER_CONTEXT, caller.signed)]

    source = Source("TRUSTED_KEYS", path=tmp_path / "trusted.json")
    async with door(Installation(), source=source) as opened:
        assert ADA == await opened.knock(shown)
        run(tmp_path, "drop", reports.key.current().kid)
        await asyncio.sleep(1.1)

        assert "not signed by a trusted key" in (await opened.refusal(shown)).sentence


async def test_a_key_counts_as_soon_as_it_has_been_added(tmp_path: Path) -> None:
    run(tmp_path, "complete")
    signs = Source("CONTEXT_KEY", path=tmp_path / "context.key")
    user = Voucher(Watched(signs, private_key(CONTEXT)), fresh_seconds=60)
    caller = user.vouch(UserContext(user_id=ADA, key_id="k"), "", valid_for=60)
    of_chat = Credential.of_file(tmp_path / "chat.key")

    source = Source("TRUSTED_KEYS", path=tmp_path / "trusted.json")
    async with door(Installation(), source=source) as opened:
        user_context = (USER_CONTEXT, caller.signed)
        assert ADA == await opened.knock([of_chat.entry("prompt"), user_context])
        run(tmp_path, "add", "reports")
        reports = Credential.of_file(tmp_path / "reports.key")

        assert ADA == await opened.knock([reports.entry("prompt"), user_context])


def test_a_key_that_is_not_there_cannot_be_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "complete")

    assert 1 == run(tmp_path, "drop", "chat-none")
    assert "chat-none" in capsys.readouterr().err
    with contextlib.suppress(FileNotFoundError):
        os.unlink(tmp_path / "chat.key")  # noqa: PTH108
    assert 0 == run(tmp_path, "list")
    assert 3 == len(capsys.readouterr().out.splitlines())
