"""What is found of a plugin without its vendor, in this process."""

from dataclasses import dataclass

import pytest
from parley_provider_sdk import (
    ProviderInfo,
    Registration,
    ReplyRequest,
    ReplyStream,
    TextDelta,
    setting,
)
from parley_provider_sdk.testing.checks.offline import CHECKS, CheckOfTrial
from parley_provider_sdk.testing.examination import _judged, examine
from parley_provider_sdk.testing.installed import NoSuchPlugin, find
from parley_provider_sdk.testing.report import Verdict
from parley_provider_sdk.testing.trial import FILLER, SECRET, Trial
from typing_extensions import override

from .toy import Toy

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class ToySettings:
    api_key: str = setting(env="TOY_KEY", help="The key.", secret=True)
    base_url: str = setting(env="TOY_URL", help="Where.", default="https://toy.example/v1")
    region: str = setting(env="TOY_REGION", help="Which.", required=True)
    pace: float = setting(env="TOY_PACE", help="How fast.", default=1.0)


INFO = ProviderInfo("toy", "Toy", "https://toy.example", ToySettings)


def made(settings: ToySettings) -> Toy:
    return Toy(settings.base_url)


def test_a_trial_keeps_the_path_of_the_address_and_fills_what_is_needed() -> None:
    settings = Trial(Registration(INFO, made)).settings(7)
    assert settings == ToySettings(SECRET, "http://127.0.0.1:7/v1", FILLER, 1.0)


@pytest.mark.parametrize("check", CHECKS)
async def test_an_honest_provider_passes(check: CheckOfTrial) -> None:
    found = await _judged(check, Trial(Registration(INFO, made)))
    assert (found.verdict, found.detail) == (Verdict.PASSED, "")
    assert found.check.startswith("toy: ")


class ShowsItsKey(Toy):
    @override
    def __repr__(self) -> str:
        return f"Toy({SECRET})"


class Leaks(Toy):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        raise LookupError(SECRET)
        yield TextDelta("")


@pytest.mark.parametrize(
    ("wrong", "check", "detail"),
    [
        (ShowsItsKey, "nothing shows the key", "The key shows in ShowsItsKey."),
        (Leaks, "who is away is unreachable", "LookupError"),
        (Leaks, "cancelling hangs up", "It failed without having connected."),
        (dict, "it can be closed twice", "dict lacks methods of a provider."),
    ],
)
async def test_a_wrong_one_does_not(wrong: type, check: str, detail: str) -> None:
    (test,) = [one for one in CHECKS if _named(one) == check]
    trial = Trial(Registration(INFO, lambda settings: wrong([]) if wrong is dict else wrong("")))
    found = await _judged(test, trial)
    assert found.verdict is Verdict.FAILED
    assert detail in found.detail
    assert found.means
    assert found.advice


async def test_an_installed_plugin_is_examined_provider_by_provider() -> None:
    findings = [finding async for finding in examine("parley-provider-demo")]
    assert findings[0].check == "the entry point 'demo' registers providers"
    assert [one.verdict for one in findings].count(Verdict.EXEMPT) == 3
    assert Verdict.FAILED not in [one.verdict for one in findings]


def test_a_plugin_is_found_with_its_contract() -> None:
    plugin = find("parley-provider-demo")
    assert plugin.contracts == ["parley_provider_demo.contract"]
    assert [one.name for one in plugin.providers] == ["demo"]


@pytest.mark.parametrize("package", ["no-such-package", "pluggy", ""])
def test_what_is_no_plugin_is_not_found(package: str) -> None:
    with pytest.raises(NoSuchPlugin):
        find(package)


def _named(check: CheckOfTrial) -> str:
    return getattr(check, "__name__", "").removeprefix("test_").replace("_", " ")
