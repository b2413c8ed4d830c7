"""`parley providers` checks what is installed, and tells by its exit code."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def parley(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "parley_local", "providers", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=110)


def test_a_plugin_that_is_well_is_reported_for_programs() -> None:
    done = parley("check", "parley-provider-demo", "--output", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (0, True), done.stdout + done.stderr
    assert document["subject"].startswith("parley-provider-demo ")


def test_what_is_no_plugin_is_2() -> None:
    done = parley("check", "no-such-package")
    assert done.returncode == 2
    assert done.stderr == "No package 'no-such-package' is installed here.\n"


def test_the_help_names_the_command() -> None:
    done = parley("--help")
    assert "providers" in done.stdout
    assert "check" in parley("--help", "check").stdout
