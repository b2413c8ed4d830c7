"""A stranger's provider is installed beside a running Parley, and works like the built-in ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform
from parley_tests.settings import inherited_environment
from parley_tests.sse import send, text_of
from parley_tests.third_party import ROOT, Installed, build, install

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(wheel, tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def acme(
    installed: Installed, database_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform in whose environment the plugin is, and its vendor beside it."""
    with (
        installed.vendor() as settings,
        fresh_database(database_server) as url,
        running_platform(url, tmp_path_factory.mktemp("logs"), settings) as platform,
    ):
        yield platform


async def provider(platform: Platform, name: str) -> dict[str, Any] | None:
    async with platform.client() as client:
        listed = (await client.get("/providers")).raise_for_status().json()["providers"]
    return next((one for one in listed if one["name"] == name), None)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert folders == {"parley_provider_acme", "parley_provider_acme-0.1.0.dist-info"}


async def test_it_is_listed_beside_the_built_in_ones(acme: Platform) -> None:
    listed = await provider(acme, "acme")
    assert listed is not None
    assert (listed["display_name"], listed["error"]) == ("Acme", None)
    assert listed["plugin"]["package"] == "parley-provider-acme"
    assert listed["models"] == ["acme-1", "acme-2"]
    assert await provider(acme, "demo")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_user_chats_through_it(acme: Platform, stream: bool) -> None:
    text = "#peer " + json.dumps({"texts": ["Grüße ", "von ", "Acme."]})
    body = {"message": text, "provider": "acme", "model": "acme-1"}
    async with acme.client(await acme.new_user(f"a stranger ({stream})")) as client:
        if stream:
            said = text_of(await send(client, **body))
        else:
            said = (await client.post("/chat", json=body)).raise_for_status().json()["response"]
    assert said == "Grüße von Acme."


def test_its_contract_runs_where_it_is_installed(installed: Installed) -> None:
    command = [sys.executable, "-m", "parley_local", "providers", "check", "parley-provider-acme"]
    environment = inherited_environment() | {"PYTHONPATH": str(installed.folder)}
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("parley-provider-acme 0.1.0: 40 passed, 6 exempt\n")


async def test_elsewhere_there_is_no_trace_of_it(acme: Platform, platform: Platform) -> None:
    """It was installed for one platform: the other has never heard of it, and neither has git."""
    assert await provider(acme, "acme")
    assert await provider(platform, "acme") is None
    assert "parley-provider-acme" not in {one.name for one in distributions()}
    sources = [*ROOT.glob("*-service/src/**/*.py"), *ROOT.glob("gateway/src/**/*.py")]
    assert len(sources) > 50
    package = re.compile("parley.provider.acme")
    assert [] == [path for path in sources if package.search(path.read_text())]
