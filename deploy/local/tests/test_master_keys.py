"""The file of master keys: what is put first, what is dropped, and what nobody ever sees."""

import base64
import stat
import threading
from pathlib import Path

import pytest
from parley_local.master_keys import MasterKeys, new_master_key

pytestmark = pytest.mark.unit


@pytest.fixture
def keys(tmp_path: Path) -> MasterKeys:
    (tmp_path / "master.keys").write_text("old\n")
    return MasterKeys(tmp_path / "master.keys")


def lines(keys: MasterKeys) -> list[str]:
    return keys.path.read_text().splitlines()


def test_a_master_key_is_32_bytes_with_its_padding() -> None:
    assert len(new_master_key()) == 44
    assert len(base64.urlsafe_b64decode(new_master_key())) == 32
    assert new_master_key() != new_master_key()


def test_a_new_key_stands_first_and_the_old_ones_can_be_dropped(keys: MasterKeys) -> None:
    old = keys.add()
    newest, *rest = lines(keys)
    assert (old, rest) == (("old",), ["old"])
    keys.drop(old)
    assert lines(keys) == [newest]
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_what_somebody_else_put_there_meanwhile_stays(keys: MasterKeys) -> None:
    old = keys.add()
    keys.add()
    before = lines(keys)
    keys.drop(old)
    assert lines(keys) == before[:-1]


def test_what_an_earlier_write_left_unfinished_is_no_obstacle(keys: MasterKeys) -> None:
    keys.path.with_name("master.keys.new").write_text("half of a ke")
    keys.add()
    assert lines(keys)[1:] == ["old"]


def test_many_at_once_lose_none(keys: MasterKeys) -> None:
    threads = [threading.Thread(target=keys.add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(lines(keys))) == 9
