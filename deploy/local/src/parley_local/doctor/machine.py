"""The machine: its interpreter and the home."""

import platform
import tempfile
from pathlib import Path

from parley_local.doctor.finding import Finding, failure, ok

OLDEST_PYTHON = (3, 11)


def check_python(version: str = platform.python_version()) -> Finding:
    """Whether the interpreter is new enough."""
    major, minor, _ = version.split(".", 2)
    if (int(major), int(minor)) < OLDEST_PYTHON:
        return failure(
            "python",
            f"Python {version} is older than 3.11.",
            "Install a newer one and run `make up PYTHON=/path/to/python3`.",
        )
    return ok("python", f"Python {version}")


def check_home(home: Path) -> Finding:
    """Whether data can be kept: tried with a file, in the nearest folder that is there."""
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        return failure(
            "home",
            f"{home} cannot be written: {error.strerror}.",
            "Give your account the folder, or set PARLEY_HOME to one that it may write.",
        )
    return ok("home", str(home))
