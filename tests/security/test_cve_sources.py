"""The entries of the peers' record that show in the sources and in what is installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text())
PACKAGES = {package["name"]: package for package in LOCK["package"]}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def sources(*parts: str) -> list[Path]:
    """The Python files of some parts that are shipped."""
    found = [path for part in parts for path in (ROOT / part).rglob("*.py")]
    kept = [path for path in found if not {"tests", ".venv"} & set(path.relative_to(ROOT).parts)]
    assert kept
    return kept


def test_cve_2026_44568() -> None:
    """Text was cleaned before it became HTML, not after: here it never becomes HTML."""
    risky = re.compile(r"unsafe_allow_html|unsafe_allow_javascript|components\.v1|st\.html\(")

    assert [] == [path for path in sources("ui") if risky.search(path.read_text())]


def test_cve_2026_22252_nothing_starts_a_process_for_a_request() -> None:
    """What somebody sent became a process."""
    starts = re.compile(r"\bsubprocess\b|create_subprocess|os\.(system|popen|exec|spawn|fork)")
    parts = ("gateway/src", "chat-service/src", "prompt-service/src", "protos/src/parley_rpc")

    assert [] == [path for path in sources(*parts) if starts.search(path.read_text())]
    probe = "provider-service/src/parley_provider_service/adapters/probe.py"
    found = [path for path in sources("provider-service/src") if starts.search(path.read_text())]
    assert [ROOT / probe] == found  # which runs what is installed, before anybody has asked


def test_cve_2026_42203_there_is_no_engine_for_templates() -> None:
    """A prompt was rendered as a template, which runs code."""
    engines = re.compile(r"\b(jinja2|mako|chevron|string\.Template)\b|\beval\(|\bexec\(")
    parts = ("gateway/src", "chat-service/src", "prompt-service/src", "provider-service/src")

    found = [path for path in sources(*parts) if engines.search(path.read_text())]
    assert [] == [path for path in found if "migrations" not in path.parts]  # Alembic's


def test_march_2026_no_package_of_ours_runs_code_at_the_start_of_python() -> None:
    """A stolen release brought a `.pth` file, which Python runs at every start."""
    members = [path.parent for path in ROOT.glob("**/pyproject.toml") if ".venv" not in path.parts]
    brought = [
        path
        for member in members
        for path in member.rglob("*")
        if path.suffix == ".pth" or path.name in {"sitecustomize.py", "usercustomize.py"}
        if not {".venv", ".uv", "node_modules"} & set(path.parts)
    ]
    forced = [path for path in members if "force-include" in (path / "pyproject.toml").read_text()]

    assert len(members) > 10
    assert ([], []) == (brought, forced)


def test_march_2026_everything_foreign_is_installed_by_its_hash() -> None:
    foreign = [one for one in LOCK["package"] if "registry" in one["source"]]

    assert len(foreign) > 100
    assert [] == [
        one["name"]
        for one in foreign
        if not all(
            "hash" in file for file in [*one.get("wheels", ()), one.get("sdist", {"hash": 1})]
        )
    ]
    assert [] == [
        one["name"]
        for one in LOCK["package"]
        if not {"registry", "editable", "virtual"} & one["source"].keys()
    ]
    assert "--frozen" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(("package", "floor"), [("starlette", (1, 1)), ("streamlit", (1, 50))])
def test_cve_2026_48818_and_48710(package: str, floor: tuple[int, int]) -> None:
    """Starlette before 1.1 followed odd paths on Windows, before 1.0.1 it believed any Host."""
    assert floor <= tuple(map(int, PACKAGES[package]["version"].split(".")[:2]))


def test_litellm_and_open_webui_are_no_part_of_it() -> None:
    assert not {"litellm", "open-webui", "chainlit"} & PACKAGES.keys()


def test_cve_2026_7482() -> None:
    """300,000 model servers stood open, and told of their memory to anybody."""
    published = {
        name: service["ports"]
        for name, service in COMPOSE["services"].items()
        if "ports" in service and "profiles" not in service
    }

    assert {"gateway", "ui"} == set(published)
    assert not [name for name in COMPOSE["services"] if "ollama" in name]
