"""Single processes: how they are ended, and what happens to their logs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parley_local.child import Process
from parley_local.processes import LOG_LIMIT, end, launch

pytestmark = pytest.mark.unit

DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(60)"
)
PARENT = """
import os, sys, time
from pathlib import Path
from parley_local.child import Process
from parley_local.processes import launch
child = launch([sys.executable, "-c", "import time; time.sleep(60)"], log=Path(sys.argv[1]), env={})
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "it.log"


def run(log: Path, code: str) -> Process:
    return launch([sys.executable, "-u", "-c", code], log=log, env={})


def test_output_of_both_kinds_goes_to_the_log_behind_what_is_there(log: Path) -> None:
    for word in ("first", "second"):
        run(log, f"import sys; print('{word}'); sys.exit('{word} error')").wait()
    assert log.read_text() == "first\nfirst error\nsecond\nsecond error\n"


def test_a_large_log_is_put_aside(log: Path) -> None:
    log.parent.mkdir()
    log.write_bytes(b"x" * (LOG_LIMIT + 1))
    run(log, "print('new')").wait()
    assert log.read_text() == "new\n"
    assert log.with_name("it.log.1").stat().st_size == LOG_LIMIT + 1


def test_ends_what_obeys_with_the_first_signal(log: Path) -> None:
    process = run(log, "import time; time.sleep(60)")
    end(process, signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM


def test_ends_what_does_not_obey_after_its_grace(log: Path) -> None:
    process = run(log, DEAF)
    while not log.read_text():
        time.sleep(0.01)
    end(process, signal.SIGTERM, grace=0.2)
    assert process.returncode == -signal.SIGKILL


def test_a_process_that_is_gone_already_can_be_ended(log: Path) -> None:
    process = run(log, "")
    process.wait()
    end(process, signal.SIGTERM)
    assert process.returncode == 0


def test_a_child_does_not_hear_the_signals_of_our_terminal(log: Path) -> None:
    process = run(log, "import time; time.sleep(60)")
    assert os.getpgid(process.pid) == process.pid
    end(process, signal.SIGTERM)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's parent-death signal")
def test_a_child_ends_with_a_starter_that_is_killed(log: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", PARENT, log], stdout=subprocess.PIPE)
    assert starter.stdout
    child = int(starter.stdout.readline())
    starter.kill()
    starter.communicate()
    give_up = time.monotonic() + 10
    while _is_alive(child) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not _is_alive(child)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
