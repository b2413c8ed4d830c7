"""One plugin, configured in several ways, and again while the service runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from parley_provider_sdk import Provider
from parley_provider_service.adapters.plugins import load
from parley_provider_service.adapters.secrets import Secrets
from parley_provider_service.core.model import Credential, CredentialSource, Installed, Wish

from .distributions import found, lay, looked_into

pytestmark = pytest.mark.unit

# Each of them shares our loop, so that what is made can be looked at.
SOURCE = """
    from dataclasses import dataclass
    from parley_provider_sdk import Health, ProviderInfo, hookimpl, setting

    @dataclass(frozen=True)
    class Settings:
        api_key: str = setting(env="ACME_KEY", help="The key.", secret=True, required=True)
        base_url: str = setting(env="ACME_URL", help="Where.", default="https://acme.example")
        {settings}

    class Provider:
        def __init__(self, settings):
            self.settings = settings
            {making}
        async def chat_completion(self, request):
            yield
        async def list_models(self):
            return []
        async def health_check(self):
            return Health(healthy=True)
        async def aclose(self):
            pass

    @hookimpl
    def register_providers(register):
        register(ProviderInfo("acme", "Acme", "", Settings, shares_loop=True{extra}), Provider)
"""
KEY = "sk-0123456789abcdef"
Load = Callable[..., dict[str, Installed]]


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Load]:
    """Lay the plugin, filled in, and load it and what else lies there."""

    def loading(
        environment: Mapping[str, str] = MappingProxyType({}),
        package: str = "acme",
        trouble: Mapping[str, str] = MappingProxyType({}),
        **parts: str,
    ) -> dict[str, Installed]:
        parts = {"settings": "", "making": "pass", "extra": "", **parts}
        source = SOURCE
        for name, part in parts.items():
            source = source.replace(f"{{{name}}}", part)
        lay(tmp_path, package, source)
        entry_points = found(tmp_path)
        known = {one.value: trouble[one.name] for one in entry_points if one.name in trouble}
        return {one.name: one for one in load(entry_points, Secrets(environment), trouble=known)}

    with looked_into(tmp_path):
        yield loading


def again(installed: Installed, wish: Wish) -> Installed:
    assert installed.configure is not None
    return installed.configure(wish)


def settings_of(installed: Installed) -> Any:
    provider: Any = installed.provider
    return provider.settings


def test_an_extra_configuration_is_another_provider_of_the_same_kind(loading: Load) -> None:
    acme = loading({"ACME_KEY": KEY})["acme"]
    wish = Wish("acme-2", base_url="https://two.example", api_key="other-0123456789")

    two = again(acme, wish)

    assert ("acme-2", "acme", "acme-2", "https://two.example", "") == (
        two.name,
        two.kind,
        two.display_name,
        two.base_url,
        two.error,
    )
    assert Credential(CredentialSource.STORED, "6789") == two.credential
    assert "other-0123456789" == settings_of(two).api_key
    assert ("parley-provider-acme", "1.2") == (two.package, two.version)
    assert two.provider is not acme.provider
    assert "Acme Two" == again(two, Wish("acme-2", display_name="Acme Two")).display_name


def test_an_extra_configuration_without_a_key_says_how_to_store_one(loading: Load) -> None:
    two = again(loading({"ACME_KEY": KEY})["acme"], Wish("acme-2"))

    assert (None, False) == (two.provider, two.broken)
    assert "It needs a key: store one with `parley providers key acme-2`." == two.error


def test_the_plugins_own_without_a_key_names_the_setting(loading: Load) -> None:
    acme = loading()["acme"]
    assert ("Set ACME_KEY.", None) == (acme.error, acme.provider)

    keyed = again(acme, Wish("acme", api_key=KEY))
    assert ("", KEY) == (keyed.error, settings_of(keyed).api_key)


def test_a_changed_address_lets_the_environments_key_go(loading: Load) -> None:
    moved = again(loading({"ACME_KEY": KEY})["acme"], Wish("acme", base_url="https://evil.example"))

    assert ("https://evil.example", None, Credential()) == (
        moved.base_url,
        moved.provider,
        moved.credential,
    )


def test_taking_it_all_back_gives_what_came_with_the_plugin(loading: Load) -> None:
    acme = loading({"ACME_KEY": KEY})["acme"]
    back = again(again(acme, Wish("acme", api_key="other-0123456789")), Wish("acme"))

    assert (acme.display_name, acme.base_url, acme.credential, KEY) == (
        back.display_name,
        back.base_url,
        back.credential,
        settings_of(back).api_key,
    )


@pytest.mark.parametrize("name", ["acme", "acme-2"])
def test_a_stored_key_that_does_not_open_is_not_replaced_by_another(
    loading: Load, name: str
) -> None:
    shut = again(loading({"ACME_KEY": KEY})["acme"], Wish(name, unreadable=True))

    assert (None, False, Credential(CredentialSource.UNREADABLE)) == (
        shut.provider,
        shut.broken,
        shut.credential,
    )
    assert "MASTER_KEY" in shut.error
    assert again(shut, Wish(name, api_key=KEY)).provider is not None


def test_what_is_explicit_is_not_only_detected(loading: Load) -> None:
    parts = {"extra": ", detected=True", "settings": "def missing(self): return ()"}
    assert loading(**parts)["acme"].detected
    assert loading({"ACME_URL": "  "}, package="blank", **parts)["acme"].detected


@pytest.mark.parametrize(
    ("environment", "wish"),
    [
        ({"ACME_URL": "http://127.0.0.1:1"}, Wish("acme")),
        ({}, Wish("acme", base_url="http://127.0.0.1:1")),
        ({}, Wish("acme", api_key="x")),
    ],
)
def test_a_setting_from_wherever_makes_it_explicit(
    loading: Load, environment: dict[str, str], wish: Wish
) -> None:
    parts = {"extra": ", detected=True", "settings": "def missing(self): return ()"}

    assert not again(loading(environment, **parts)["acme"], wish).detected


@pytest.mark.parametrize(
    "settings",
    [
        "def __post_init__(self): raise ValueError(self.api_key)",
        "def __post_init__(self): raise SystemExit(3)",
        "def missing(self): raise KeyError(self.api_key)",
        "def missing(self): return None",
    ],
)
def test_a_class_of_settings_that_fails_is_an_exhibit_and_disturbs_nobody(
    loading: Load, settings: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        acme = loading({"ACME_KEY": KEY}, settings=settings)["acme"]
        two = again(acme, Wish("acme-2", api_key="other-0123456789"))

    for one in (acme, two):
        assert (True, None) == (one.broken, one.provider)
        assert "when its plugin was loaded" in one.error
        shown = one.error + str([vars(record) for record in caplog.records])
        assert not [key for key in (KEY, "other-0123456789") if key in shown]


def test_a_provider_that_cannot_be_made_can_be_configured_better(loading: Load) -> None:
    making = "assert 'two' in settings.base_url"
    acme = loading({"ACME_KEY": KEY}, making=making)["acme"]
    assert (True, "https://acme.example") == (acme.broken, acme.base_url)

    mended = again(acme, Wish("acme", base_url="https://two.example", api_key=KEY))
    assert (False, "", True) == (mended.broken, mended.error, isinstance(mended.provider, Provider))


def test_what_a_probe_found_out_is_told_and_nothing_is_imported(
    loading: Load, tmp_path: Path
) -> None:
    mark = tmp_path / "imported"
    settings = f"open({str(mark)!r}, 'w').close()"
    broken = loading(trouble={"acme": "It hangs."}, settings=settings)["acme"]

    assert (True, "It hangs.", None, "parley-provider-acme", "1.2") == (
        broken.broken,
        broken.error,
        broken.configure,
        broken.package,
        broken.version,
    )
    assert not mark.exists()


def test_one_that_cannot_be_used_takes_no_name_from_one_that_can(loading: Load) -> None:
    """Its package comes first, and its entry point claims the other one's name."""
    loading({"ACME_KEY": KEY})
    every = loading({"ACME_KEY": KEY}, package="aaa", trouble={"aaa": "It hangs."})
    assert ["acme", "aaa"] == list(every)

    names = {"acme": "It hangs."}
    every = loading({"ACME_KEY": KEY}, package="zebra", trouble=names)
    assert ("parley-provider-aaa", False) == (every["acme"].package, every["acme"].broken)
    assert ("parley-provider-acme", "It hangs.") == (
        every["acme-parley-provider-acme"].package,
        every["acme-parley-provider-acme"].error,
    )
    # Two want the name of a third: each is listed.
    assert "is taken by parley-provider-aaa" in every["acme-parley-provider-zebra"].error


def test_a_provider_whose_name_is_taken_is_not_even_made(loading: Load, tmp_path: Path) -> None:
    mark = tmp_path / "made"
    loading({"ACME_KEY": KEY})
    loading({"ACME_KEY": KEY}, package="zebra", making=f"open({str(mark)!r}, 'w').close()")

    assert not mark.exists()


def test_one_that_shares_our_loop_is_made_in_our_thread(loading: Load) -> None:
    making = "import threading; self.thread = threading.current_thread()"
    acme = loading({"ACME_KEY": KEY}, making=making)["acme"]

    assert threading.current_thread() is vars(acme.provider)["thread"]
