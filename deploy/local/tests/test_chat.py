"""`parley chat`, as a person and as a program run it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from parley_client import Client
from parley_tests.fake_gateway import FakeGateway, fake_gateway, problem
from parley_tests.settings import inherited_environment

pytestmark = pytest.mark.unit

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture
def start(tmp_path: Path, gateway: FakeGateway) -> Iterator[Start]:
    """Starts the command in a folder of its own, against the fake gateway."""
    started: list[subprocess.Popen[str]] = []
    settings = {"API_URL": gateway.url, "API_KEY": gateway.key}

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "parley_local", "chat", *arguments],
            cwd=tmp_path,
            env=inherited_environment() | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start: Start) -> Run:
    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        process = start(*arguments)
        out, err = process.communicate(stdin, timeout=60)
        return process.returncode, out, err

    return run


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def written(gateway: FakeGateway) -> dict[str, Any]:
    """Waits until something of the reply in the chat `c` is there, and returns that reply."""
    until(lambda: any(one["content"] for one in gateway.messages.get("c", ())[1:]))
    return gateway.messages["c"][1]


def test_a_reply_is_printed_and_the_chat_is_named(run: Run, gateway: FakeGateway) -> None:
    code, out, err = run("Grüße 🎈", "--chat", "c", "--model", "acme/org/large:free")
    assert (code, out) == (0, "You said: Grüße 🎈\n")
    assert err == "Go on with --chat c\n"
    sent = gateway.calls("POST", "/chat")[0].body
    assert (sent["provider"], sent["model"]) == ("acme", "org/large:free")


def test_a_message_comes_from_stdin_and_the_answer_is_a_document(
    run: Run, gateway: FakeGateway
) -> None:
    gateway.reasoning = "Hm."
    code, out, err = run("-", "--output", "json", stdin="Hello")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["chat_id"] in gateway.chats
    assert (told["response"], told["reasoning"]) == ("You said: Hello", "Hm.")
    assert (told["status"], told["cost"]["amount"]) == ("complete", "0.000125")


def test_a_reply_gives_a_terminal_no_orders(run: Run, gateway: FakeGateway) -> None:
    gateway.reply = "a\x1b]0;owned\x07\x9b31m\tb\nc\x7f"
    assert run("Hello")[1] == "a]0;owned31m\tb\nc\n"


@pytest.mark.parametrize("output", ["text", "json"])
def test_ctrl_c_stops_the_reply(start: Start, gateway: FakeGateway, output: str) -> None:
    gateway.pace = 0.02
    process = start("word " * 3000, "--chat", "c", "--output", output)
    reply = written(gateway)
    if output == "text":
        assert process.stdout is not None
        assert process.stdout.read(3) == "You"
    else:
        until(lambda: len(reply["content"]) > 300)  # it knows the reply's id by then
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert reply["status"] == "stopped"
    assert "The reply is stopped." in err
    if output == "json":
        told = json.loads(out)
        assert (told["status"], told["response"]) == ("stopped", reply["content"])


def test_a_command_that_is_ended_otherwise_leaves_the_reply_alone(
    start: Start, gateway: FakeGateway
) -> None:
    gateway.pace = 0.02
    process = start("word " * 3000, "--chat", "c")
    reply = written(gateway)
    process.terminate()
    assert process.wait(30) != 0
    assert reply["status"] == "running"


def test_a_refusal_is_told(run: Run, gateway: FakeGateway) -> None:
    gateway.refusals["POST /chat"] = problem(429, "limit_exceeded", "Enough.")
    assert run("Hello") == (1, "", "Enough.\n")


def test_a_reply_that_fails_keeps_what_there_is(run: Run, gateway: FakeGateway) -> None:
    gateway.breaks = problem(502, "provider_error", "Acme failed.")
    code, out, err = run("Hello")
    assert (code, out, err) == (1, "You\n", "Acme failed.\n")


def test_a_reply_that_somebody_else_stops_is_no_success(start: Start, gateway: FakeGateway) -> None:
    gateway.pace = 0.02
    process = start("word " * 3000, "--chat", "c")
    reply = written(gateway)
    with Client(gateway.url, gateway.key) as client:
        client.stop_message("c", reply["message_id"])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, reply["content"] + "\n")
    assert "The reply is stopped." in err
