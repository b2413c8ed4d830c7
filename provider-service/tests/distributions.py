"""Little distributions with a plugin each, as an installer would lay them into a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent

from parley_provider_sdk import ENTRY_POINT_GROUP


def lay(folder: Path, package: str, source: str) -> str:
    """Lay a distribution with one plugin, whose entry point has the package's name.

    Return the name of its module, which no other test's has.
    """
    module = f"parley_test_plugin_{package}_{folder.name}".replace("-", "_")
    (folder / f"{module}.py").write_text(dedent(source))
    info = folder / f"parley_provider_{package}-1.2.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: parley-provider-{package}\nVersion: 1.2\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{package} = {module}\n")
    return module


def found(folder: Path) -> Sequence[EntryPoint]:
    """Return the entry points of what lies in a folder."""
    return [
        entry_point
        for distribution in distributions(path=[str(folder)])
        for entry_point in distribution.entry_points.select(group=ENTRY_POINT_GROUP)
    ]


@contextmanager
def looked_into(folder: Path) -> Iterator[Path]:
    """Let Python look into a folder, for the length of a block."""
    sys.path.append(str(folder))
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
