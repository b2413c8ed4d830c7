"""A plugin costs a service no more than it has to."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("parley_provider_sdk", ("aiohttp", "pytest")),
        ("parley_provider_sdk.failures", ("aiohttp", "pytest")),
        ("parley_provider_sdk.reading", ("aiohttp", "pytest")),
        ("parley_provider_sdk.http", ("pytest",)),
        ("parley_provider_sdk.testing", ("aiohttp", "pytest")),
        ("parley_provider_sdk.testing.__main__", ("aiohttp", "pytest", "typing_extensions")),
        ("parley_provider_sdk.testing.examination", ("aiohttp", "pytest", "typing_extensions")),
        ("parley_provider_sdk.testing.plugin", ("aiohttp",)),
    ],
)
def test_what_a_module_does_not_need_is_not_imported(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
