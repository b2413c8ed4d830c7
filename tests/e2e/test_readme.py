"""A newcomer's way: a fresh clone, `make up`, and every command of the README as it stands."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from parley_tests.platform import free_port
from parley_tests.settings import whole_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CLIENT = (ROOT / "gateway/client/README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", CLIENT, re.DOTALL)
PORTS = {
    "GATEWAY_PORT": "8000",
    "UI_PORT": "8501",
    "CHAT_PORT": "9101",
    "PROMPT_PORT": "9102",
    "PROVIDER_PORT": "9103",
}
# Of each program of the client's README, what it says in the end.
SAID = ("words What is a parley?", "chat_not_found", "the sea", "of parley_", "What is a parley?")
UP_WITHIN_SECONDS = 300.0
STOPPED_WITHIN_SECONDS = 30.0


class Clone:
    """A fresh clone with a space in its name, where `make up` runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: str(free_port()) for name in PORTS}
        self.env = whole_environment() | self.ports | {"GRPC_REFLECTION": "true"}

    def up(self) -> subprocess.Popen[bytes]:
        with (self.folder / "up.log").open("wb") as log:
            return subprocess.Popen(
                ["bash", "-c", "exec " + bash_block("make up")],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def here(self, text: str) -> str:
        """Put this clone's ports where the README names the usual ones."""
        for name, usual in PORTS.items():
            text = re.sub(rf"(?<=127\.0\.0\.1:){usual}\b", self.ports[name], text)
        return text

    def run(self, block: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", self.here(block)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return str(done.stdout)


def bash_block(beginning: str, language: str = "bash") -> str:
    """Return the README's block that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(next(block for block in blocks if block.startswith(beginning)))


def copy_of_the_repository(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


@pytest.fixture(scope="module")
def clone() -> Iterator[Clone]:
    with tempfile.TemporaryDirectory(prefix="a fresh clone ") as folder:
        # As root PostgreSQL runs as somebody else, who has to get in: else its data would be
        # kept elsewhere, and outlive the test.
        Path(folder).chmod(0o711)
        clone = Clone(Path(folder))
        copy_of_the_repository(clone.folder)
        process = clone.up()
        try:
            wait_for(clone, process)
            yield clone
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOPPED_WITHIN_SECONDS)


def wait_for(clone: Clone, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + UP_WITHIN_SECONDS
    url = f"http://127.0.0.1:{clone.ports['GATEWAY_PORT']}/health"
    while time.monotonic() < give_up and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail((clone.folder / "up.log").read_text())


def test_the_conversation_of_the_readme(clone: Clone) -> None:
    printed = clone.run(bash_block("export API_KEY"))

    health, reply, *stream, history = (
        printed.replace("}{", "}\n{").replace("}event", "}\nevent").splitlines()
    )
    assert "ok" == json.loads(health)["status"]
    assert "space-facts" == json.loads(reply)["chat_id"]
    assert "event: start" in stream
    assert "event: end" in stream
    contents = [m["content"] for m in json.loads(history)["messages"]]
    assert ["Tell me a fun fact about space", "Tell me more about stars"] == contents[::2]


def test_a_reply_is_come_back_to_as_in_the_readme(clone: Clone) -> None:
    printed = clone.run("export API_KEY=$(cat .parley/admin.key)\n" + bash_block("TURN="))

    stream, _, message = printed.rpartition('{"message_id"')
    assert "event: start" not in stream
    assert "event: end" in stream
    assert "complete" == json.loads('{"message_id"' + message)["status"]


def test_other_peoples_clients_as_in_the_readme(clone: Clone) -> None:
    block = bash_block(".venv/bin/parley models alias")
    said = clone.run("export API_KEY=$(cat .parley/admin.key)\n" + block)

    completion, message = said[said.index('{"id"') :].replace("}{", "}\n{").splitlines()
    assert "demo/demo" == json.loads(completion)["model"] == json.loads(message)["model"]


def test_a_user_and_a_key_as_in_the_readme(clone: Clone) -> None:
    said = clone.run("export API_KEY=$(cat .parley/admin.key)\n" + bash_block("USER_ID"))
    key, _ = json.JSONDecoder().raw_decode(said)

    answer = httpx.get(
        f"http://127.0.0.1:{clone.ports['GATEWAY_PORT']}/me",
        headers={"Authorization": f"Bearer {key['key']}"},
    )

    me = answer.json()
    assert ("ada", 8) == (me["name"], me["limits"]["concurrent_turns"])


def test_the_grpc_call_of_the_readme(clone: Clone) -> None:
    reports(clone)
    program = clone.here(bash_block("import asyncio", "python"))
    (clone.folder / "call.py").write_text(program)

    printed = clone.run("export API_KEY=$(cat .parley/admin.key)\n.venv/bin/python call.py")

    assert "demo provider" in printed


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_clients_readme(clone: Clone, number: int) -> None:
    reports(clone)
    (clone.folder / "program.py").write_text(clone.here(PROGRAMS[number]))

    printed = clone.run(
        "export API_KEY=$(cat .parley/admin.key)\n.venv/bin/python -W error program.py"
    )

    assert SAID[number] in printed


def reports(clone: Clone) -> None:
    """Let the service in that the READMEs call by."""
    if not (clone.folder / ".parley/identity/reports.key").exists():
        clone.run(bash_block(".venv/bin/parley identity"))


async def test_a_service_describes_itself_where_it_is_told_to(clone: Clone) -> None:
    reports(clone)
    token = clone.run(".venv/bin/parley identity token reports chat").strip()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{clone.ports['CHAT_PORT']}") as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        shown = (("authorization", f"Bearer {token}"),)
        answer = await stub.ServerReflectionInfo(iter([asked]), metadata=shown, timeout=30).read()

    services = {one.name for one in answer.list_services_response.service}
    assert "parley.chat.v1.ChatService" in services


def test_providers_are_configured_as_in_the_readme(clone: Clone) -> None:
    clone.run(bash_block(".venv/bin/parley providers add"))

    printed = clone.run(".venv/bin/parley providers list --output json")

    listed = {one["name"]: one for one in json.loads(printed)["providers"]}
    assert "openai" == listed["house"]["kind"]
    assert ["openai", "house/llama-3.3"] == listed["anthropic"]["configuration"]["fallbacks"]


def test_the_doctor_finds_everything_well(clone: Clone) -> None:
    assert clone.run(".venv/bin/parley doctor")


def test_the_files_that_a_message_passes_are_there() -> None:
    way = re.findall(r"`([\w/-]+)/…/([\w/.]+)`", README)

    assert len(way) == 11
    assert [] == [f"{top}/…/{end}" for top, end in way if not list((ROOT / top).glob(f"**/{end}"))]


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)

    assert [] == [link for link in links if not (ROOT / link).exists()]
