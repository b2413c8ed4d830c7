"""Each rule of semgrep's catches what it is for, and nothing else (`make check` runs them all)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from parley_tests.settings import inherited_environment

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent / "semgrep"
SEMGREP = HERE / ".venv" / "bin" / "semgrep"
QUIET = {"SEMGREP_SEND_METRICS": "off", "SEMGREP_ENABLE_VERSION_CHECK": "0"}
GATEWAY = "gateway/src/parley_gateway/api/case.py"
SERVICE = "chat-service/src/parley_chat_service/core/case.py"
# By rule: where it holds, what it refuses, and what it lets pass.
CASES: dict[str, tuple[str, list[str], list[str]]] = {
    "no-url-in-access": (
        GATEWAY,
        ["x = request.url", 'x = scope["path"]', 'x = self.scope.get("path", "")'],
        ['raise RouteNotFound(request.scope["path"])', 'x = scope["method"]'],
    ),
    "no-sql-from-strings": (
        SERVICE,
        [
            'c.execute(f"select {x}")',
            'c.execute("select %s" % x)',
            'c.execute("select {}".format(x))',
            'c.execute("select " + x)',
            'sql.SQL(f"select {x}")',
        ],
        ['c.execute("select %s", [x])', "c.execute(STATEMENT, [x])"],
    ),
    "no-unsafe-html": (
        "ui/src/case.py",
        ["st.markdown(x, unsafe_allow_html=True)", "st.html(x)"],
        ["st.markdown(x)"],
    ),
    "no-unverified-tls": (
        SERVICE,
        ["httpx.get(x, verify=False)", "context.check_hostname = False"],
        ["httpx.get(x, verify=True)", "httpx.get(x)"],
    ),
    "no-shell": (
        SERVICE,
        ["subprocess.run(x, shell=True)", "os.system(x)"],
        ["subprocess.run([x])"],
    ),
    "no-code-from-data": (
        SERVICE,
        ["eval(x)", "pickle.loads(x)", "yaml.load(x)"],
        ["json.loads(x)", "yaml.safe_load(x)"],
    ),
    "no-secret-in-a-log": (
        SERVICE,
        [
            'logger.info("came", extra={"fields": {"body": body}})',
            'logger.warning("refused %s", request.api_key)',
            'log.access.info("asked", extra={"fields": {"what": message["content"]}})',
        ],
        ['logger.info("came", extra={"fields": {"chars": len(x)}})', "make(body)"],
    ),
    "no-guessing-by-time": (
        GATEWAY,
        ["x = found.digest == digest", "x = hmac.new(a, b).digest() != c"],
        ["x = hmac.compare_digest(found.digest, digest)", "x = status == 200"],
    ),
    "no-caller-out-of-nothing": (
        SERVICE,
        ['x = new_caller("ada", "key", "request", valid_for=60)'],
        ["x = caller_of(context)"],
    ),
    "no-redirects": (
        SERVICE,
        ["httpx.AsyncClient(follow_redirects=True)"],
        ["httpx.AsyncClient(follow_redirects=False)", "httpx.AsyncClient()"],
    ),
    "no-file-of-a-request": (
        GATEWAY,
        ["x = open(body.path)", "x = Path(body.path).read_bytes()"],
        ["x = base64.b64decode(body.data)"],
    ),
}


def found(folder: Path) -> list[tuple[str, str, int]]:
    """Rule, file and line of all that semgrep finds in a folder."""
    rules = ["--config", str(HERE / "rules.yaml"), "--no-git-ignore"]
    ran = subprocess.run(
        [SEMGREP, "scan", "--quiet", "--json", "--disable-version-check", *rules, "."],
        cwd=folder,
        env=inherited_environment() | QUIET,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    assert [] == told["errors"]
    return [
        (one["check_id"].rpartition(".")[2], one["path"], one["start"]["line"])
        for one in told["results"]
    ]


def test_every_rule_has_cases() -> None:
    rules = yaml.safe_load((HERE / "rules.yaml").read_text())["rules"]

    assert [*CASES] == [rule["id"] for rule in rules]


@pytest.mark.skipif(not SEMGREP.exists(), reason="semgrep is not installed: make check")
def test_every_rule_catches_its_cases_and_nothing_else(tmp_path: Path) -> None:
    expected = []
    for rule, (path, bad, good) in CASES.items():
        for name, lines in (("bad", bad), ("good", good)):
            relative = Path(rule) / name / path
            (tmp_path / relative).parent.mkdir(parents=True)
            (tmp_path / relative).write_text("\n".join(lines) + "\n")
            if name == "bad":
                expected += [(rule, str(relative), line + 1) for line in range(len(lines))]

    assert sorted(expected) == sorted(set(found(tmp_path)))
