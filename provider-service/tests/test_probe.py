"""What must not be imported is found out in another process, whatever it does there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from parley_provider_service.adapters.probe import CRASHES, HANGS, survey

from .distributions import found, lay, looked_into

pytestmark = pytest.mark.unit

FINE = """
    from dataclasses import dataclass
    from parley_provider_sdk import ProviderInfo, hookimpl

    @dataclass(frozen=True)
    class Settings:
        pass

    @hookimpl
    def register_providers(register):
        {hook}
        register(ProviderInfo("acme", "Acme", "", Settings), "nowhere:Nothing")
"""
Survey = Callable[..., "dict[str, str]"]
NOISE = "import sys, os, subprocess; os.write(1, b'x' * 200_000 + b'\\xff\\n'); print('loaded x');"
LOUD = f"{NOISE} sys.__stdout__.write('begun'); sys.__stdout__.flush(); subprocess.run(['ls'])"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that other processes look into too."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with looked_into(tmp_path):
        yield tmp_path


def fine(hook: str = "pass", before: str = "") -> str:
    return before + FINE.replace("{hook}", hook)


async def surveyed(folder: Path, seconds: float = 1.0) -> dict[str, str]:
    """Return the trouble by package."""
    entry_points = found(folder)
    names = {one.value: one.name for one in entry_points}
    return {names[module]: why for module, why in (await survey(entry_points, seconds)).items()}


def children() -> list[str]:
    command = "parley_provider_service.adapters.probe"
    return [
        " ".join(process.cmdline())
        for process in psutil.Process().children(recursive=True)
        if command in process.cmdline()
    ]


def hangs(name: str) -> str:
    return HANGS.format(package=f"parley-provider-{name}")


def crashes(name: str) -> str:
    return CRASHES.format(package=f"parley-provider-{name}")


@pytest.mark.parametrize(
    "source",
    [
        fine(),
        "raise ValueError('x')",
        "import not_installed_anywhere",
        "import sys; sys.exit(3)",
        "def (",
        "x = 1",
        fine(hook="raise ValueError('x')"),
        fine(hook="raise SystemExit(3)"),
        fine(before=f"    {LOUD}\n"),
        fine(hook=LOUD),
        fine(before="    import sys; sys.stdout.close()\n"),
        fine(before="    import os; os.close(1)\n"),
        fine(
            before="    import threading, time\n"
            "    threading.Thread(target=time.sleep, args=[60]).start()\n"
        ),
        fine(before="    import subprocess\n    subprocess.Popen(['sleep', '3'])\n"),
    ],
)
async def test_what_comes_to_an_end_may_be_imported(folder: Path, source: str) -> None:
    """What it raised is told where it is imported for use."""
    lay(folder, "acme", source)

    assert {} == await surveyed(folder, 10.0)
    assert [] == children()


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        fine(hook="import time; time.sleep(60)"),
        fine(before="    import signal; signal.pause()\n"),
        f"{LOUD}\nimport time; time.sleep(60)",
    ],
)
async def test_what_hangs_is_given_up_and_its_process_is_gone(folder: Path, source: str) -> None:
    lay(folder, "acme", source)
    began = time.monotonic()

    assert {"acme": hangs("acme")} == await surveyed(folder, 0.5)
    assert time.monotonic() - began < 20
    assert [] == children()


@pytest.mark.parametrize(
    "source",
    [
        "import os; os._exit(0)",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.abort()",
        "raise KeyboardInterrupt",
        fine(hook="import os; os._exit(3)"),
    ],
)
async def test_what_ends_the_process_is_told(folder: Path, source: str) -> None:
    lay(folder, "acme", source)

    assert {"acme": crashes("acme")} == await surveyed(folder, 10.0)
    assert [] == children()


async def test_each_of_several_is_judged_by_itself(folder: Path) -> None:
    lay(folder, "a-fine", fine())
    lay(folder, "b-hangs", "import time; time.sleep(60)")
    lay(folder, "c-crashes", "import os; os._exit(3)")
    lay(folder, "d-raises", "raise ValueError")
    lay(folder, "e-hangs", "while True: pass")
    lay(folder, "f-fine", fine())
    lay(folder, "g-crashes", "import os; os._exit(0)")

    assert {
        "b-hangs": hangs("b-hangs"),
        "c-crashes": crashes("c-crashes"),
        "e-hangs": hangs("e-hangs"),
        "g-crashes": crashes("g-crashes"),
    } == await surveyed(folder, 1.0)
    assert [] == children()


async def test_an_entry_point_with_an_attribute_and_extras_is_one_too(folder: Path) -> None:
    module = lay(folder, "acme", "class plugin:\n    " + "pass\n")
    points = folder / "parley_provider_acme-1.2.dist-info" / "entry_points.txt"
    points.write_text(f"[parley.providers]\nacme = {module}:plugin [extra]\n")

    assert {} == await surveyed(folder, 10.0)


async def test_nothing_installed_is_no_trouble() -> None:
    assert {} == await survey([])


async def test_a_busy_machine_is_no_plugins_fault(folder: Path) -> None:
    """The limit is a plugin's; Python's own start may take longer than that."""
    lay(folder, "acme", fine())

    assert {} == await surveyed(folder, 0.5)
    assert os.getpid() not in {child.pid for child in psutil.Process().children()}
