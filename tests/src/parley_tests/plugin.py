"""The fixtures that every part's tests may ask for.

What a fixture needs is imported when it is first asked for: this module is loaded at the start of
every run, before coverage measures, and most runs want only a part of it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from parley_tests.platform import Platform

# The folders whose files take longest, by their tests' ids.
LONG = ("tests/e2e/", "tests/faults/", "tests/integration/", "tests/security/", "deploy/local/")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the shared fixtures."""
    parser.getgroup("parley").addoption(
        "--durable",
        action="store_true",
        help="run the embedded PostgreSQL with fsync, as in production",
    )


def pytest_configure() -> None:
    """Lets the processes that tests start hear Ctrl-C, as those in a terminal do.

    A shell that runs the tests in the background has it ignored, and that is inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Returns one worker more than there are cores: the long files mostly wait for processes."""
    return 1 + (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what starts processes and waits for them.

    Workers take file after file: begun last, one long file would leave the others idle.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Runs tests on the loop that the services run on: not in everything is it like asyncio's."""
    return {"uvloop": importlib.import_module("uvloop").new_event_loop}


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a real PostgreSQL, whose owner may make databases and roles."""
    database = importlib.import_module("parley_tests.database")
    with database.server(durable=request.config.getoption("--durable")) as url:
        yield url


@pytest.fixture
def database_url(database_server: str) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    database = importlib.import_module("parley_tests.database")
    with database.fresh_database(database_server) as url:
        yield url


@pytest.fixture(scope="session")
def platform(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The four services as processes with the demo provider, shared by the tests of a worker.

    A test that kills or reconfigures something starts a platform of its own.
    """
    database = importlib.import_module("parley_tests.database")
    module = importlib.import_module("parley_tests.platform")
    with (
        database.fresh_database(database_server) as url,
        module.running_platform(url, tmp_path_factory.mktemp("logs")) as running,
    ):
        yield running
