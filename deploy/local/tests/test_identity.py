"""`parley identity`, run as a person runs it, beside the contracts' own runtime."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from parley_local.identity import Identity
from parley_rpc.keys import Source, Watched, trusted_keys
from parley_rpc.trust import Trust
from parley_tests.settings import inherited_environment

pytestmark = pytest.mark.integration


def parley(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parley_local", "identity", *words],
        env=inherited_environment() | {"PARLEY_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def ids(home: Path) -> dict[str, str]:
    """Ids of the trusted keys, and whose they are."""
    lines = parley(home, "list").stdout.splitlines()
    return {line.split()[0]: line.split()[2] for line in lines}


def test_a_key_is_added_rotated_and_dropped(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    Identity.of(home).complete()
    before = ids(home)

    file = Path(parley(home, "add", "reports").stdout.strip())
    first = json.loads(file.read_text())["kid"]
    assert file == home / "identity" / "reports.key"
    assert ids(home) == {**before, first: "reports"}
    token = parley(home, "token", "reports", "chat").stdout.strip()
    trusted = Source("TRUSTED_KEYS", path=home / "identity" / "trusted.json")
    trust = Trust("chat", Watched(trusted, trusted_keys))
    assert trust.service({"authorization": f"Bearer {token}"}) == "reports"

    assert parley(home, "rotate", "reports").stdout.strip() == first
    second = json.loads(file.read_text())["kid"]
    assert ids(home) == {**before, first: "reports", second: "reports"}

    assert parley(home, "drop", first).returncode == 0
    assert ids(home) == {**before, second: "reports"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "chat"), "'chat' is taken"),
        (("add", "../x"), "is taken, or not a word"),
        (("rotate", "nobody"), "There is no"),
        (("token", "nobody", "chat"), "There is no"),
        (("token", "context", "chat"), "for the purpose 'context'"),
        (("drop", "nobody"), "No trusted key has the id nobody"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    Identity.of(tmp_path).complete()

    done = parley(tmp_path, *words)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
