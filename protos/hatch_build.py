"""Compiles the contracts into typed stubs whenever the package is built or installed."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ContractsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes `src/parley/` from `proto/`, by way of a folder of its own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (hatchling's signature)
        """Compile into a temporary folder, then swap: two builds at once must not meet half-way."""
        root = Path(self.root)
        protos = sorted((root / "proto").rglob("*.proto"))
        if not protos:  # an sdist that was built without them would ship nothing
            sys.exit("parley-protos: no contracts found")
        target = root / "src" / "parley"
        with tempfile.TemporaryDirectory(dir=root / "src", prefix=".parley-") as scratch:
            compile_contracts(root / "proto", protos, Path(scratch))
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(Path(scratch) / "parley", target)


def compile_contracts(source: Path, protos: list[Path], out: Path) -> None:
    """Run protoc with the Python, gRPC and typing generators; make each folder a typed package."""
    arguments = [
        "protoc",
        f"-I{source}",
        f"-I{files('grpc_tools') / '_proto'}",
        *(f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")),
        *map(str, protos),
    ]
    if protoc.main(arguments) != 0:
        sys.exit("parley-protos: the contracts do not compile")
    for folder in [out / "parley", *(p for p in (out / "parley").rglob("*") if p.is_dir())]:
        (folder / "__init__.py").write_text('"""Generated from the contracts."""\n')
    (out / "parley" / "py.typed").touch()
