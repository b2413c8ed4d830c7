"""Plugins as they come: little distributions that are found by their entry points."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent
from types import MappingProxyType

import pytest
from parley_provider_sdk import ENTRY_POINT_GROUP, Provider
from parley_provider_service.adapters.plugins import load
from parley_provider_service.adapters.secrets import Secrets
from parley_provider_service.core.model import Installed

pytestmark = pytest.mark.unit

GOOD = """
    from dataclasses import dataclass
    from parley_provider_sdk import Health, ProviderInfo, hookimpl, setting

    @dataclass(frozen=True)
    class Settings:
        api_key: str = setting(env="{KEY}", help="The key.", secret=True, required=True)
        base_url: str = setting(env="{KEY}_URL", help="Where.", default="https://example.org")
        pace: float = setting(env="{KEY}_PACE", help="Speed.", default=1.0)

    class Provider:
        def __init__(self, settings):
            self.settings = settings
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
        info = ProviderInfo("{name}", "{Name}", "", Settings{extra})
        register(info, {target})
"""

Install = Callable[..., Sequence[EntryPoint]]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Lay a distribution with one plugin into a folder that Python looks into."""
    sys.path.append(str(tmp_path))

    def install(package: str, source: str = GOOD, **parts: str) -> Sequence[EntryPoint]:
        module = f"parley_test_plugin_{package}_{tmp_path.name}".replace("-", "_")
        source = dedent(source).replace("{KEY}", f"{package.upper()}_KEY")
        values = {
            "name": package,
            "Name": package.title(),
            "extra": "",
            "target": "Provider",
            **parts,
        }
        for part, value in values.items():
            source = source.replace(f"{{{part}}}", value)
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"parley_provider_{package}-1.2.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: parley-provider-{package}\nVersion: 1.2\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{package} = {module}\n")
        return found(tmp_path)

    yield install
    sys.path.remove(str(tmp_path))


def found(folder: Path) -> Sequence[EntryPoint]:
    return [
        entry_point
        for distribution in distributions(path=[str(folder)])
        for entry_point in distribution.entry_points.select(group=ENTRY_POINT_GROUP)
    ]


def loaded(
    plugins: Sequence[EntryPoint], environment: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Installed]:
    return {one.name: one for one in load(plugins, Secrets(environment))}


def test_a_configured_provider_is_made_from_what_it_declared(install: Install) -> None:
    environment = {"ACME_KEY": "key", "ACME_KEY_PACE": "2.5", "OTHER_KEY": "not yours"}

    acme = loaded(install("acme"), environment)["acme"]

    assert isinstance(acme.provider, Provider)
    # A plugin that does not share the loop lives in a thread of its own, behind one for it here.
    settings = vars(vars(acme.provider)["provider"])["settings"]
    assert ("key", "https://example.org", 2.5) == (
        settings.api_key,
        settings.base_url,
        settings.pace,
    )
    assert "not yours" not in repr(vars(settings))
    assert ("Acme", "parley-provider-acme", "1.2", "", False, False) == (
        acme.display_name,
        acme.package,
        acme.version,
        acme.error,
        acme.broken,
        acme.free,
    )
    assert "https://example.org" == acme.base_url


@pytest.mark.parametrize("environment", [{}, {"ACME_KEY": ""}, {"ACME_KEY": "  "}])
def test_a_missing_setting_is_named(install: Install, environment: dict[str, str]) -> None:
    acme = loaded(install("acme"), environment)["acme"]

    assert ("Set ACME_KEY.", False, None) == (acme.error, acme.broken, acme.provider)


def test_a_setting_that_does_not_fit_is_named_and_not_shown(install: Install) -> None:
    acme = loaded(install("acme"), {"ACME_KEY": "k", "ACME_KEY_PACE": "fast"})["acme"]

    assert "ACME_KEY_PACE" in acme.error
    assert "fast" not in acme.error
    assert acme.provider is None


BROKEN = {
    "raises": (
        "key = 'sec' + 'ret'\nraise ValueError(key)",
        "ValueError when its plugin was loaded",
    ),
    "exits": ("import sys\nsys.exit(3)", "SystemExit when its plugin was loaded"),
    "imports": ("import not_installed_anywhere", "ModuleNotFoundError when its plugin"),
    "syntax": ("def (", "SyntaxError when its plugin was loaded"),
    "hookless": ("x = 1", "registers no provider"),
    "misspelt": (
        "from parley_provider_sdk import hookimpl\n@hookimpl\ndef register_provider(register): ...",
        "register_provider",
    ),
    "wrong": (
        """
        from parley_provider_sdk import hookimpl
        @hookimpl
        def register_providers(register):
            register("acme", "x:y")
        """,
        "needs a ProviderInfo",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_an_exhibit_and_disturbs_nobody(
    install: Install, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    source, sentence = BROKEN[name]
    install(name, source)

    with caplog.at_level(logging.WARNING):
        every = loaded(install("acme"), {"ACME_KEY": "key"})

    assert (True, None, f"parley-provider-{name}", "1.2") == (
        every[name].broken,
        every[name].provider,
        every[name].package,
        every[name].version,
    )
    assert sentence in every[name].error
    assert every["acme"].provider is not None
    assert 1 == sum(record.getMessage() == "plugin quarantined" for record in caplog.records)
    assert "secret" not in every[name].error + repr([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"extra": ", requires_sdk='99.0'"}, "asks for parley-provider-sdk 99.0"),
        ({"name": "Not A Name"}, "is no provider name"),
        ({"target": "'nowhere'"}, "neither 'module:Class' nor callable"),
        ({"target": "'not_installed:Provider'"}, "ModuleNotFoundError when its plugin"),
        ({"target": "lambda settings: 1 / 0"}, "ZeroDivisionError when its plugin"),
        ({"target": "lambda settings: object()"}, "object lacks methods of a provider"),
        ({"target": "Provider)\n    register(info, Provider"}, "is registered twice"),
    ],
)
def test_a_plugin_that_breaks_the_rules_says_which(
    install: Install, parts: dict[str, str], sentence: str
) -> None:
    [broken] = loaded(install("acme", **parts), {"ACME_KEY": "key"}).values()

    assert broken.broken
    assert sentence in broken.error


def test_a_name_that_is_taken_is_listed_beside_the_one_that_has_it(install: Install) -> None:
    install("acme")
    every = loaded(install("zebra", name="acme"), {"ACME_KEY": "key", "ZEBRA_KEY": "key"})

    assert ["acme", "acme-parley-provider-zebra"] == list(every)
    assert ("parley-provider-acme", False) == (every["acme"].package, every["acme"].broken)
    assert "is taken by parley-provider-acme" in every["acme-parley-provider-zebra"].error


def test_the_order_of_loading_is_the_order_of_packages(install: Install) -> None:
    for name in ("zebra", "acme"):
        install(name)

    assert ["acme", "middle", "zebra"] == list(loaded(list(reversed(install("middle")))))


def test_a_free_provider_says_so(install: Install) -> None:
    acme = loaded(install("acme", extra=", free=True"), {"ACME_KEY": "key"})["acme"]

    assert acme.free


def test_an_entry_point_without_a_distribution_is_told_too() -> None:
    entry_point = EntryPoint("Gh_ost", "not_installed_anywhere", ENTRY_POINT_GROUP)

    [ghost] = loaded([entry_point]).values()

    assert ("gh-ost", "", True) == (ghost.name, ghost.package, ghost.broken)


def test_how_an_entry_point_is_imported_can_be_chosen(install: Install) -> None:
    def refuse(_: EntryPoint) -> object:
        raise TimeoutError

    [broken] = load(install("acme"), Secrets({}), importer=refuse)

    assert "TimeoutError when its plugin was loaded; the log says where." == broken.error


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(Secrets({"ACME_KEY": "hush"}))


def test_it_says_whose_words_it_passes_on(install: Install) -> None:
    install("acme", extra=', dialect="acmish"')
    entry_points = install("beta")

    listed = load(entry_points, Secrets({"ACME_KEY": "k", "BETA_KEY": "k"}))

    assert {"acme": "acmish", "beta": ""} == {one.name: one.dialect for one in listed}
