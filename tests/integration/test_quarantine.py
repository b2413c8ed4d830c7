"""Bad plugins beside good ones: each is listed with what to do, and none is in anybody's way."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import ADMIN_KEY, Platform, running_platform

pytestmark = pytest.mark.integration

PLUGIN = """
import asyncio, time, pathlib
from dataclasses import dataclass
from parley_provider_sdk import *

@dataclass(frozen=True)
class Settings:
    pass

class Provider:
    def __init__(self, settings):
        {making}
    async def chat_completion(self, request):
        yield TextDelta("Hi ")
        {chatting}
        yield TextDelta("there.")
        yield Finished(FinishReason.STOP, Usage(1, 1))
    async def list_models(self):
        return {models}
    async def health_check(self):
        return Health(healthy=True)
    async def aclose(self):
        pass
{more}

@hookimpl
def register_providers(register):
    {hook}
    info = ProviderInfo("{name}", "{name}", "", Settings, free=True, requires_sdk="{sdk}")
    register(info, Provider)
"""
DEFAULTS = {
    "making": "pass",
    "chatting": "pass",
    "models": "[ModelInfo('one')]",
    "more": "",
    "hook": "pass",
    "sdk": "0.1",
}
BAD: dict[str, dict[str, str]] = {
    "bad-hook": {"hook": "raise ValueError('sk-' + 'secret')"},
    "bad-twice": {"hook": "register(ProviderInfo('bad-twice', '', '', Settings), Provider)"},
    "bad-future": {"sdk": "99.0"},
    "bad-stuck": {"making": "time.sleep(600)"},
    "bad-kinds": {
        "models": "'one'",
        "more": "    def chat_completion(self, request): return ['x']",
    },
}
BLOCKING = """pathlib.Path({begun!r}).touch()
        while not pathlib.Path({over!r}).exists():
            time.sleep(0.01)"""
# What must be said of each: what is wrong, and what to do where that does not say it.
SENTENCES = {
    "bad-raises": "ValueError when its plugin was loaded; the log says where.",
    "bad-hangs": "hangs when it is imported. Uninstall parley-provider-bad-hangs, or install",
    "bad-ends": "ends the process that imports it. Uninstall parley-provider-bad-ends, or install",
    "bad-hook": "ValueError when its plugin was loaded; the log says where.",
    "bad-twice": "'bad-twice' is registered twice.",
    "bad-future": "asks for parley-provider-sdk 99.0, this is",
    "bad-stuck": "hangs when the provider is made. Uninstall it, or install another version.",
}


def lay(folder: Path, name: str, source: str) -> None:
    """Lay a distribution with one plugin into a folder, as an installer would."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    info = folder / f"parley_provider_{module}-0.7.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: parley-provider-{name}\nVersion: 0.7\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[parley.providers]\n{name} = {module}\n")


def plugin(name: str, **parts: str) -> str:
    source = PLUGIN
    for part, value in {**DEFAULTS, "name": name, **parts}.items():
        source = source.replace(f"{{{part}}}", value)
    return source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder full of bad plugins."""
    folder = tmp_path_factory.mktemp("plugins")
    lay(folder, "bad-raises", "raise ValueError('sk-' + 'secret')")
    lay(folder, "bad-hangs", "import time\ntime.sleep(600)")
    lay(folder, "bad-ends", "import os\nos._exit(3)")
    for name, parts in BAD.items():
        lay(folder, name, plugin(name, **parts))
    marks = {"begun": str(folder / "begun"), "over": str(folder / "over")}
    lay(folder, "bad-blocks", plugin("bad-blocks", chatting=BLOCKING.format(**marks)))
    return folder


@pytest.fixture(scope="module")
def infested(
    database_server: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform that finds them all; that it gets well in time is part of the test."""
    logs = tmp_path_factory.mktemp("logs")
    environment = {"PYTHONPATH": str(folder)}
    with (
        fresh_database(database_server) as url,
        running_platform(url, logs, environment) as platform,
    ):
        yield platform


async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = (await client.get("/providers")).raise_for_status().json()
    return {provider["name"]: provider for provider in answer["providers"]}


async def chat(client: httpx.AsyncClient, provider: str, **more: str) -> httpx.Response:
    body = {"message": "/echo Hi", "provider": provider, **more}
    return await client.post("/chat", json=body, timeout=60)


async def test_each_is_listed_with_its_package_and_what_to_do(infested: Platform) -> None:
    async with infested.client() as client:
        health = await client.get("/health")
        providers = await listed(client)

    assert 200 == health.status_code
    assert "ready" == providers["demo"]["status"]
    assert SENTENCES.keys() | {"bad-kinds", "bad-blocks"} == {
        name for name in providers if name.startswith("bad-")
    }
    for name, sentence in SENTENCES.items():
        assert "broken" == providers[name]["status"]
        assert {"package": f"parley-provider-{name}", "version": "0.7"} == providers[name]["plugin"]
        assert sentence in providers[name]["error"]
    assert "sk-secret" not in str(providers) + infested.log("provider_service")


async def test_who_asks_one_of_them_is_told(infested: Platform) -> None:
    async with infested.client() as client:
        answers = {name: await chat(client, name, model="one") for name in SENTENCES}

    for name, answer in answers.items():
        assert answer.is_error, name
        assert SENTENCES[name] in answer.json()["detail"]


async def test_one_that_answers_something_else_is_named_and_disturbs_nobody(
    infested: Platform,
) -> None:
    async with infested.client() as client:
        models = await client.get("/providers/bad-kinds/models")
        reply = await chat(client, "bad-kinds", model="one")
        providers = await listed(client)
        good = await chat(client, "demo")

    assert (502, 502, 200) == (models.status_code, reply.status_code, good.status_code)
    assert "gave an answer of the wrong kind" in models.json()["detail"]
    assert "gave a list instead of a stream" in reply.json()["detail"]
    assert "unhealthy" == providers["bad-kinds"]["status"]


async def test_one_that_blocks_blocks_nobody_else(infested: Platform, folder: Path) -> None:
    async def demo(client: httpx.AsyncClient, turns: int = 10) -> float:
        began = time.monotonic()
        for _ in range(turns):
            (await chat(client, "demo")).raise_for_status()
        return time.monotonic() - began

    async with infested.client() as client:
        await demo(client)
        before = await demo(client)
        blocked = asyncio.create_task(chat(client, "bad-blocks", model="one"))
        async with asyncio.timeout(20):
            while not (folder / "begun").exists():  # noqa: ASYNC110  (another process makes it)
                await asyncio.sleep(0.01)
        during = await demo(client)
        health = await client.get("/health")
        other = await chat(client, "bad-blocks", model="one")
        was_done = blocked.done()
        (folder / "over").touch()
        reply = await blocked

    # It is a thread that sleeps: anything like its hold on a loop would cost many times as much.
    assert during < 3 * before + 2
    assert (200, False) == (health.status_code, was_done)
    assert 502 == other.status_code
    assert "blocks its own event loop" in other.json()["detail"]
    assert "Hi there." == reply.json()["response"]


def test_the_doctor_names_them(infested: Platform, tmp_path: Path) -> None:
    settings = {"API_URL": infested.url, "API_KEY": ADMIN_KEY, "UI_PORT": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "parley_local", "doctor", "--output", "json"],
        cwd=tmp_path,
        env={**infested.environment, **settings, "PARLEY_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    findings = {one["check"]: one for one in json.loads(done.stdout)["findings"]}

    for name, sentence in SENTENCES.items():
        found = findings[f"provider {name}"]
        assert "warning" == found["verdict"]
        assert sentence in found["detail"]
        assert found["advice"]
    assert "ok" == findings["provider demo"]["verdict"]
