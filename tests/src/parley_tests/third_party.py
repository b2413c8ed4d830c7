"""The template for third parties as a stranger would bring it: built as a wheel, and installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley_tests.settings import inherited_environment, whole_environment

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "provider-service" / "template"
KEY = "acme-a-strangers-key"


@dataclass(frozen=True)
class Installed:
    """A plugin in a folder beside the packages of this environment."""

    # What PYTHONPATH has to be for whoever is to find it.
    folder: Path

    @contextmanager
    def vendor(self) -> Iterator[dict[str, str]]:
        """Run its vendor for the length of a block; yield the settings that point at it."""
        module, dialect = "parley_provider_sdk.testing.serve", "parley_provider_acme.dialect"
        command = [sys.executable, "-m", module, f"{dialect}:AcmeDialect", "--key", KEY]
        environment = inherited_environment() | {"PYTHONPATH": str(self.folder)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, text=True
        ) as process:
            try:
                assert process.stdout is not None
                url = json.loads(process.stdout.readline())["base_url"]
                yield {
                    "PYTHONPATH": str(self.folder),
                    "ACME_API_KEY": KEY,
                    "ACME_BASE_URL": url,
                }
            finally:
                process.terminate()


def build(folder: Path) -> Path:
    """Copy the template, build it and return its wheel."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(TEMPLATE, source, ignore=ignored)
    _uv("build", "--wheel", "--no-config", "--out-dir", str(folder / "dist"), str(source))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installed:
    """Install a wheel into a folder of its own; what it needs is in this environment already."""
    python = ["--python", sys.executable]
    _uv("pip", "install", "--no-config", "--no-deps", *python, "--target", str(folder), str(wheel))
    return Installed(folder)


def _uv(*arguments: str) -> None:
    """Run the uv that made this environment; RuntimeError with what it says when it fails."""
    own = ROOT / ".uv" / "bin" / "uv"
    done = subprocess.run(
        [own if own.exists() else "uv", *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=whole_environment() | {"UV_PYTHON_DOWNLOADS": "never"},
    )
    if done.returncode != 0:
        raise RuntimeError(f"uv {arguments[0]} failed:\n{done.stderr}")
