"""A peer as a process of its own."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

COMMAND = [sys.executable, "-m", "parley_provider_sdk.testing.serve"]
PATH = {"PYTHONPATH": str(Path(__file__).parent)}


def test_it_says_where_it_listens_answers_and_ends_when_it_is_told() -> None:
    command = [*COMMAND, "toy:ToyDialect", "--tokens", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=PATH, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["base_url"]
        with urllib.request.urlopen(f"{url}/models", timeout=10) as answer:  # noqa: S310  (its own)
            assert json.load(answer) == ["toy-1"]
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("toy", "is no module:Class"),
        ("no_such:Thing", "No module named"),
        ("toy:Nothing", "has no attribute"),
        ("toy:Toy", "is no module:Class"),
        ("collections:OrderedDict", "is no Dialect"),
    ],
)
def test_what_is_no_dialect_is_refused(target: str, sentence: str) -> None:
    done = subprocess.run([*COMMAND, target], capture_output=True, check=False, env=PATH, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr
