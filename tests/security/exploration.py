"""Schemathesis against a running platform: every check, every phase, three users.

`python -m tests.security.exploration --examples 200 --seed 7` runs a platform of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from parley_tests.database import fresh_database, server
from parley_tests.platform import ADMIN_KEY, Platform, running_platform
from parley_tests.settings import inherited_environment

HERE = Path(__file__).parent
PEERS = ("ada", "bob")
# Changed by nobody's requests: without these the run would lose its keys, and its only provider.
KEPT = "kept.json"
CONFIG = """\
hooks = {hooks}

[auth.wfc]
path = "users.json"
peers = ["ada", "bob"]

[generation]
database = "none"
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried."""

    examples: int
    seed: int
    phases: str = "examples,coverage,fuzzing,stateful"
    within_seconds: int = 600


def prepare(platform: Platform, folder: Path) -> None:
    """Make the users, and write down what the run needs to know of them."""
    kept = ["demo"]
    users = []
    with httpx.Client(
        base_url=platform.url, headers={"Authorization": f"Bearer {ADMIN_KEY}"}
    ) as admin:
        kept.append(admin.get("/me").raise_for_status().json()["user_id"])
        for name in PEERS:
            user = admin.post("/users", json={"name": f"peer {name}"}).raise_for_status().json()
            body = {"name": name, "user_id": user["user_id"]}
            key = admin.post("/keys", json=body).raise_for_status().json()
            kept += [user["user_id"], key["key_id"]]
            users.append(shown(name, key["key"]))
        admin.post("/providers", json={"name": "acme-eu", "plugin": "demo"}).raise_for_status()
    (folder / KEPT).write_text(json.dumps(kept))
    (folder / "users.json").write_text(json.dumps({"auth": [*users, shown("admin", ADMIN_KEY)]}))
    hooks = json.dumps(str(HERE / "hooks.py"))
    (folder / "schemathesis.toml").write_text(CONFIG.format(hooks=hooks))


def shown(name: str, key: str) -> dict[str, Any]:
    """Somebody's key as schemathesis shows it."""
    return {
        "name": name,
        "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}],
    }


def explore(platform: Platform, folder: Path, plan: Plan) -> tuple[dict[str, Any], str]:
    """Run it; return its report, and what it printed."""
    prepare(platform, folder)
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file=schemathesis.toml",
        "run",
        f"{platform.url}/openapi.json",
        "--checks=all",
        f"--phases={plan.phases}",
        f"--max-examples={plan.examples}",
        f"--seed={plan.seed}",
        "--continue-on-failure",
        "--warnings=off",
        "--no-color",
        "--report=json",
        "--report-json-path=report.json",
    ]
    ran = subprocess.run(
        command,
        cwd=folder,
        env=inherited_environment(),
        capture_output=True,
        text=True,
        timeout=plan.within_seconds,
        check=False,
    )
    report = folder / "report.json"
    if not report.exists():
        raise RuntimeError(ran.stdout + ran.stderr)
    told: dict[str, Any] = json.loads(report.read_text())
    return told, ran.stdout


def main() -> int:
    """Run a platform and explore it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    asked = parser.parse_args()
    master = {"MASTER_KEY": urlsafe_b64encode(os.urandom(32)).decode()}
    folder = Path(tempfile.mkdtemp(prefix="parley-security-"))
    with (
        server(durable=False) as postgres,
        fresh_database(postgres) as url,
        running_platform(url, folder, master) as platform,
    ):
        plan = Plan(asked.examples, asked.seed, within_seconds=3600)
        report, printed = explore(platform, folder, plan)
    print(printed)
    print(json.dumps({"seed": asked.seed, "folder": str(folder), **report["test_cases"]}))
    return 1 if report["failures"] or report["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
