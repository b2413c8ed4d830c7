"""The template for third parties stands on the SDK alone, and Parley does not stand on it.

It is installed nowhere, so import-linter cannot see it; this is its contract.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator

import pytest
from parley_tests.third_party import ROOT, TEMPLATE

pytestmark = pytest.mark.unit

ALLOWED = {"parley_provider_sdk", "parley_provider_acme", "typing_extensions"}
# Imported by tests and by `parley providers check` only.
OF_TESTS = {"contract.py", "dialect.py"}


def imported(name: str) -> Iterator[str]:
    """The modules that a file of the template imports from, in full."""
    for node in ast.walk(ast.parse((TEMPLATE / "src/parley_provider_acme" / name).read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


FILES = sorted(path.name for path in TEMPLATE.glob("src/*/*.py"))


@pytest.mark.parametrize("name", FILES)
def test_it_imports_the_sdk_only(name: str) -> None:
    allowed = ALLOWED | sys.stdlib_module_names | ({"pytest"} if name in OF_TESTS else set())
    assert [] == [one for one in imported(name) if one.partition(".")[0] not in allowed]


@pytest.mark.parametrize("name", sorted(set(FILES) - OF_TESTS))
def test_what_the_service_runs_imports_nothing_for_tests(name: str) -> None:
    testing = ("parley_provider_sdk.testing", "parley_provider_acme.dialect")
    assert [] == [one for one in imported(name) if one.startswith(testing)]


def test_it_is_no_member_of_the_workspace() -> None:
    assert "acme" not in (ROOT / "uv.lock").read_text()


def test_it_needs_what_the_sdk_offers_and_nothing_else_of_ours() -> None:
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    ours = [one for one in project["dependencies"] if one.startswith("parley")]
    assert ["parley-provider-sdk[http]"] == ours
    assert {"parley.providers", "parley.provider_contracts"} == set(project["entry-points"])
