"""A home for the embedded PostgreSQL, and a `parley up` of stand-ins."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from parley_local.placement import socket_folder
from parley_local.postgres import EmbeddedPostgres
from parley_tests.up import Up

MODULES = {
    "gateway": "parley_gateway",
    "chat": "parley_chat_service",
    "prompt": "parley_prompt_service",
    "provider": "parley_provider_service",
    "ui": "parley_ui",
}


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter, unlike pytest's own; its name holds a space."""
    with tempfile.TemporaryDirectory(prefix="parley test ") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def home(root: Path) -> Iterator[Path]:
    yield root / "a home"
    shutil.rmtree(socket_folder(root / "a home"), ignore_errors=True)


@pytest.fixture
def stand_ins(root: Path) -> Path:
    """A folder with packages that carry the services' names and run the stand-in."""
    folder = root / "stand ins"
    for name, module in MODULES.items():
        (folder / module).mkdir(parents=True)
        (folder / module / "__init__.py").touch()
        (folder / module / "__main__.py").write_text(f"import stand_in\nstand_in.main({name!r})\n")
    shutil.copy(Path(__file__).with_name("stand_in.py"), folder)
    return folder


@pytest.fixture
def up(root: Path, stand_ins: Path, database_url: str) -> Iterator[Up]:
    """A `parley up` of the stand-ins, not started yet; nothing of it is left running afterwards."""
    running = Up(root, {"PYTHONPATH": str(stand_ins), "DATABASE_URL": database_url})
    yield running
    running.end()
    shutil.rmtree(socket_folder(running.home), ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL, for the tests that only look at one."""
    with tempfile.TemporaryDirectory(prefix="parley test ") as folder:
        Path(folder).chmod(0o711)
        postgres = EmbeddedPostgres(Path(folder), durable=False)
        with postgres.running():
            yield postgres
