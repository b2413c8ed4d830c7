"""Secrets at rest: for one owner, by the newest of several master keys, and never shown."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from parley_provider_service.adapters.vault import FernetVault
from parley_provider_service.core.faults import MasterKeyMissing

pytestmark = pytest.mark.unit

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "sk-hush-hush-0123"
BROKEN = ["short", OLD[:-4], "A" * 64, "кл\u044eч" * 11, "=" * 44, OLD.replace(OLD[3], "!")]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["fields"]["reason"] for record in caplog.records]


@pytest.mark.parametrize("secret", [SECRET, "", "ü\0\n😀", "x" * 10_000, "a,b"])
def test_what_is_sealed_for_an_owner_opens_for_them_alone(secret: str) -> None:
    vault = FernetVault(NEW)
    sealed = vault.seal("acme", secret)

    assert secret == vault.unseal("acme", sealed)
    assert [None, None, None] == [vault.unseal(name, sealed) for name in ("acme-2", "", "ACME")]
    assert secret.encode() not in sealed or not secret


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    vault = FernetVault(NEW)

    assert vault.seal("acme", SECRET) != vault.seal("acme", SECRET)


def test_a_new_first_key_seals_and_old_ones_still_open() -> None:
    before = FernetVault(OLD).seal("acme", SECRET)
    vault = FernetVault(f"{NEW},{OLD}")
    after = vault.seal("acme", SECRET)

    assert [SECRET, SECRET] == [vault.unseal("acme", one) for one in (before, after)]
    assert [True, False] == [vault.is_stale(one) for one in (before, after)]
    assert SECRET == FernetVault(NEW).unseal("acme", after)
    assert FernetVault(NEW).unseal("acme", before) is None
    assert FernetVault(OLD).unseal("acme", after) is None


@pytest.mark.parametrize("between", [",", "\n", " , ", ",\n\n,", "\r\n"])
def test_keys_may_be_separated_by_commas_and_lines(between: str) -> None:
    vault = FernetVault(f"{NEW}{between}{OLD}\n")

    assert SECRET == vault.unseal("acme", FernetVault(OLD).seal("acme", SECRET))


UNUSABLE = ["", " ", ",\n,", *BROKEN]


@pytest.mark.parametrize("keys", UNUSABLE, ids=range(len(UNUSABLE)))
def test_without_a_usable_key_nothing_is_sealed_or_opened(
    keys: str, caplog: pytest.LogCaptureFixture
) -> None:
    vault, sealed = FernetVault(keys), FernetVault(NEW).seal("acme", SECRET)
    with caplog.at_level(logging.WARNING):
        assert (False, None) == (vault.is_open, vault.unseal("acme", sealed))
        with pytest.raises(MasterKeyMissing, match="MASTER_KEY") as caught:
            vault.seal("acme", SECRET)

    why = "not urlsafe base64 of 32 bytes" if keys.strip(" ,\n") else "there is no master key"
    assert [True] == [why in reason for reason in told(caplog)]
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(vault)
    assert SECRET not in shown
    assert not keys.strip(" ,\n") or keys not in shown + str([vars(r) for r in caplog.records])


def test_a_broken_key_among_good_ones_is_told_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vault = FernetVault(f"broken,{NEW}")
    with caplog.at_level(logging.WARNING):
        assert SECRET == vault.unseal("acme", vault.seal("acme", SECRET))

    assert ["a master key is not urlsafe base64 of 32 bytes"] == told(caplog)


@pytest.mark.parametrize("sealed", [b"", b"x", b"gAAAAA", b"\xff\x00", b"=" * 100])
def test_what_is_no_sealed_secret_does_not_open(sealed: bytes) -> None:
    vault = FernetVault(NEW)

    assert (None, True) == (vault.unseal("acme", sealed), vault.is_stale(sealed))


@pytest.mark.parametrize(
    "content",
    [
        "sk-plain",
        "[1]",
        "null",
        "7",
        "{}",
        b"\xff",
        json.dumps({"owner": "acme", "secret": SECRET}),
        json.dumps({"purpose": "session", "owner": "acme", "secret": SECRET}),
        json.dumps({"purpose": "provider credential", "owner": "acme"}),
        json.dumps({"purpose": "provider credential", "owner": "acme", "secret": None}),
    ],
)
def test_what_a_master_key_sealed_for_something_else_does_not_open(content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content

    assert FernetVault(NEW).unseal("acme", Fernet(NEW).encrypt(data)) is None


def test_a_changed_byte_keeps_it_shut() -> None:
    vault = FernetVault(NEW)
    sealed = bytearray(vault.seal("acme", SECRET))
    sealed[len(sealed) // 2] ^= 1

    assert vault.unseal("acme", bytes(sealed)) is None


def test_a_file_is_read_again_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "keys"
    vault = FernetVault("", file)
    with caplog.at_level(logging.WARNING):
        assert not vault.is_open
        assert not vault.is_open
        file.write_text(f"{OLD}\n")
        sealed = vault.seal("acme", SECRET)
        file.write_text(f"{NEW}\n{OLD}\n")
        assert (SECRET, True) == (vault.unseal("acme", sealed), vault.is_stale(sealed))
        file.write_text(NEW)
        assert vault.unseal("acme", sealed) is None
        file.unlink()
        assert not vault.is_open

    missing = "MASTER_KEY_FILE cannot be read: No such file or directory"
    assert [missing] * 2 == told(caplog)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80" * 44, None])
def test_a_file_that_is_none_is_told_and_breaks_nothing(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    vault = FernetVault(NEW, file)
    with caplog.at_level(logging.WARNING):
        assert SECRET == vault.unseal("acme", vault.seal("acme", SECRET))

    assert [True] == ["MASTER_KEY_FILE" in reason for reason in told(caplog)]


def test_the_setting_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(OLD)
    vault = FernetVault(NEW, file)

    assert SECRET == FernetVault(NEW).unseal("acme", vault.seal("acme", SECRET))
    assert SECRET == vault.unseal("acme", FernetVault(OLD).seal("acme", SECRET))


def test_no_key_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    vault = FernetVault(f"{NEW},{OLD[:-5]}")
    with caplog.at_level(logging.DEBUG):
        vault.unseal("other", vault.seal("acme", SECRET))

    shown = repr(vault) + str(vault) + str([vars(record) for record in caplog.records])
    assert not [key for key in (NEW, OLD[:-5], SECRET) if key in shown]
