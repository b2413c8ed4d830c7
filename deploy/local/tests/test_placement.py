"""Where root's PostgreSQL goes when its account cannot reach the clone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from parley_local.faults import StartError
from parley_local.home import make_home
from parley_local.placement import make_socket_folder, place, socket_folder
from parley_local.processes import identity

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account"),
]

WHERE = """
import sys
from pathlib import Path
from parley_local.placement import place
placement = place(Path(sys.argv[1]), shared=Path(sys.argv[2]))
print(placement.programs, placement.account.pw_name, sep="\\n")
"""


@pytest.fixture
def shared(root: Path) -> Path:
    return root / "shared"


@pytest.fixture
def closed(root: Path) -> Path:
    folder = root / "closed"
    folder.mkdir(mode=0o700)
    return folder


def test_a_home_that_can_be_reached_keeps_its_data(home: Path, shared: Path) -> None:
    make_home(home)
    placement = place(home, shared)
    assert (placement.data, shared.exists()) == (home / "postgres" / "data", False)


def test_data_of_a_closed_home_lie_elsewhere_and_are_found_again(
    closed: Path, shared: Path
) -> None:
    home = closed / "home"
    make_home(home)
    placement = place(home, shared)
    assert placement.data.parent.parent == shared
    assert placement.account
    assert placement.data.parent.stat().st_uid == placement.account.pw_uid
    assert (home / "postgres").readlink() == placement.data.parent
    assert place(home, shared) == placement


def test_a_link_to_data_that_are_gone_is_made_anew(closed: Path, shared: Path) -> None:
    home = closed / "home"
    make_home(home)
    (home / "postgres").symlink_to(shared / "gone")
    assert place(home, shared).data.parent.exists()


def test_programs_of_a_closed_environment_are_copied_and_run(
    home: Path, closed: Path, shared: Path
) -> None:
    make_home(home)
    shared.mkdir(mode=0o755)
    wheel = place(home, shared).programs.parents[1]
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        (closed / part.name).symlink_to(part)
    done = subprocess.run(
        [sys.executable, "-c", WHERE, home, shared],
        env={"PYTHONPATH": str(closed)},
        capture_output=True,
        text=True,
        check=True,
    )
    programs, _ = done.stdout.splitlines()
    said = subprocess.run(
        [f"{programs}/initdb", "--version"],
        capture_output=True,
        check=True,
        **identity(place(home, shared).account),
    )
    assert programs.startswith(str(shared))
    assert said.stdout.startswith(b"initdb (PostgreSQL) 18")


def test_a_socket_folder_of_somebody_else_is_refused(home: Path) -> None:
    folder = socket_folder(home)
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    try:
        with pytest.raises(StartError, match="belongs to somebody else"):
            make_socket_folder(folder, None)
    finally:
        folder.rmdir()
