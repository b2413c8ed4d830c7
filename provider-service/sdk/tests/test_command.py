"""The command that checks an installed plugin, against plugins of every kind."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

PLUGIN = """
import asyncio, socket, sys, time
from dataclasses import dataclass
import parley_provider_sdk as sdk
from parley_provider_sdk.failures import Refusal
from parley_provider_sdk.http import Call, Vendor
from parley_provider_sdk.reading import LineCutter, Reading

@dataclass(frozen=True)
class Settings:
    api_key: str = sdk.setting(env="ODD_API_KEY", help="The key.", secret=True, required=True)
    base_url: str = sdk.setting(env="ODD_BASE_URL", help="Where.", default="https://x.example/v1")

class Provider:
    def __init__(self, settings):
        headers = {"X-Key": settings.api_key}
        self.vendor = Vendor(settings.base_url, headers=headers, failure=Refusal.failure)
    async def chat_completion(self, request):
        reading = Reading(request, LineCutter())
        async for one in self.vendor.reply(Call("/x", b""), reading, request):
            yield one
    async def list_models(self):
        return [sdk.ModelInfo(await self.vendor.ask(Call("/models"), seconds=1))]
    async def health_check(self):
        try:
            await self.list_models()
        except sdk.ProviderError as error:
            return sdk.Health(healthy=False, detail=error.message)
        return sdk.Health(healthy=True)
    async def aclose(self):
        await self.vendor.aclose()

INFO = sdk.ProviderInfo("odd", "Odd", "https://example.com", Settings)
@sdk.hookimpl
def register_providers(register):
    register(INFO, Provider)
"""
WRONG = {
    "registers providers": "def register_providers(register): ...\n",
    "settings are described": (
        '@dataclass(frozen=True)\nclass Settings:\n    x: str = sdk.setting(env="ODD_X", help="")\n'
        'INFO = sdk.ProviderInfo("odd", "Odd", "", Settings)\nProvider.__init__ = lambda *_: None\n'
    ),
    "making one neither blocks nor talks": (
        "begin = Provider.__init__\ndef init(self, settings):\n    begin(self, settings)\n"
        "    time.sleep(0.4)\nProvider.__init__ = init\n"
    ),
    "nothing shows the key": "Provider.__repr__ = lambda self: repr(self.vendor._headers)\n",
    "it can be closed twice": (
        "async def aclose(self):\n    await self.vendor.aclose()\n    del self.vendor\n"
        "Provider.aclose = aclose\n"
    ),
    "who is away is unreachable": (
        "async def reply(self, request):\n    raise sdk.BackendError('Oh.')\n    yield\n"
        "Provider.chat_completion = reply\n"
    ),
    "silence is a timeout": (
        "good = Provider.chat_completion\nasync def reply(self, request):\n"
        "    request = sdk.ReplyRequest(request.model, request.messages, stream=request.stream)\n"
        "    async for one in good(self, request):\n        yield one\n"
        "Provider.chat_completion = reply\n"
    ),
    "cancelling hangs up": (
        "good = Provider.chat_completion\nasync def reply(self, request):\n"
        "    task = asyncio.ensure_future(anext(good(self, request)))\n"
        "    try:\n        yield await asyncio.shield(task)\n"
        "    finally:\n        self.task = task\n"
        "Provider.chat_completion = reply\n"
    ),
    "all checks without a vendor came to their end": "sys.stdout.write('Bye.')\nsys.exit(3)\n",
}
Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in an environment to which a plugin with this source was added."""

    def run(source: str = PLUGIN, *, contract: str = "") -> tuple[int, dict[str, Any]]:
        (tmp_path / "odd_plugin.py").write_text(source)
        info = tmp_path / "odd_plugin-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugin\nVersion: 1.0\n")
        entry_points = "[parley.providers]\nodd = odd_plugin\n"
        if contract:
            (tmp_path / "odd_contract.py").write_text(contract)
            entry_points += "[parley.provider_contracts]\nodd = odd_contract\n"
        (info / "entry_points.txt").write_text(entry_points)
        done = command("odd-plugin", "--json", path=tmp_path)
        return done.returncode, json.loads(done.stdout)

    return run


def command(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "parley_provider_sdk.testing", *arguments]
    environment = {"PYTHONPATH": str(path)} if path else {}
    return subprocess.run(words, capture_output=True, check=False, text=True, env=environment)


def failed(document: dict[str, Any]) -> list[str]:
    return [one["check"] for one in document["findings"] if one["verdict"] == "failed"]


def test_an_honest_plugin_passes(run: Run) -> None:
    code, document = run()
    assert (code, document["subject"], failed(document)) == (0, "odd-plugin 1.0", [])
    verdicts = {one["check"]: one["verdict"] for one in document["findings"]}
    assert verdicts.pop("the contract") == "exempt"
    assert len(verdicts) == 8
    assert set(verdicts.values()) == {"passed"}


@pytest.mark.parametrize("check", WRONG)
def test_a_wrong_plugin_is_caught_by_the_check_meant_for_it(run: Run, check: str) -> None:
    code, document = run(PLUGIN + WRONG[check])
    assert code == 1
    assert any(name.endswith(check) for name in failed(document)), document


def test_the_contract_that_a_package_ships_is_run() -> None:
    done = command("parley-provider-demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "parley-provider-demo 0.1.0: " in done.stdout
    assert "passed  memory stays flat" in done.stdout
    assert "exempt  dribble is a timeout: the demo speaks to no vendor" in done.stdout


def test_a_contract_that_fails_is_told_with_what_to_do(run: Run) -> None:
    source = (
        "import pytest\nfrom parley_provider_sdk.testing.checks.catalog import Catalog\n"
        "from parley_provider_sdk import *\nclass TestOdd(Catalog):\n    model = 'odd-1'\n"
        "    @pytest.fixture\n    def peer(self):\n        return self\n"
        "    def says(self, deltas): ...\n"
        "    async def list_models(self):\n        return []\n"
        "    async def health_check(self):\n        return Health(healthy=True)\n"
        "    @pytest.fixture\n    def provider(self):\n        return self\n"
    )
    code, document = run(contract=source)
    assert (code, failed(document)) == (1, ["models include ours"])


def test_a_contract_that_cannot_be_run_is_told(run: Run) -> None:
    code, document = run(contract="import nothing_of_that_name\n")
    (told,) = [one for one in document["findings"] if one["verdict"] == "failed"]
    assert (code, told["check"]) == (1, "the contract")
    assert "nothing_of_that_name" in told["detail"]


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ("no-such-package", "No package 'no-such-package' is installed here."),
        ("pluggy", "The package 'pluggy' names no provider in the entry-point group"),
    ],
)
def test_what_is_no_plugin_is_said_to_be_none(package: str, sentence: str) -> None:
    done = command(package)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)


def test_a_wrong_option_is_2_as_well() -> None:
    assert command("parley-provider-demo", "--loud").returncode == 2
