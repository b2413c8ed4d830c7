"""A world for each module: a platform of its own, with people in it."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator

import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform

from .world import World


@pytest.fixture(scope="module")
def parley(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("logs")
    master = {"MASTER_KEY": urlsafe_b64encode(os.urandom(32)).decode()}
    with fresh_database(database_server) as url, running_platform(url, logs, master) as platform:
        yield platform


@pytest.fixture(scope="module")
def world(parley: Platform) -> Iterator[World]:
    world = World(parley)
    yield world
    world.close()
