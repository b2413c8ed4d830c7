"""The server around the page."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import streamlit
from parley_tests.platform import free_port
from parley_tests.settings import inherited_environment
from parley_ui import server
from parley_ui.settings import Settings

pytestmark = pytest.mark.unit


def settings(**values: object) -> Settings:
    return Settings.model_validate(values)


def test_on_loopback_no_foreign_name_may_lead_to_the_page() -> None:
    assert server.options(settings())["server.allowedHosts"] == list(server.LOOPBACK)
    assert "server.allowedHosts" not in server.options(settings(UI_HOST="0.0.0.0"))  # noqa: S104 - the setting under test


def test_every_option_is_one_of_streamlits() -> None:
    known = streamlit.config._config_options_template
    assert [name for name in server.options(settings()) if name not in known] == []


def test_the_policy_lets_the_browser_talk_to_this_server_alone() -> None:
    sources = server.content_policy().replace(";", " ").split()
    assert "'sha256-" in server.content_policy()
    assert [source for source in sources if "*" in source or "http" in source] == []


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    command = [sys.executable, "-m", "parley_ui", "serve"]
    environment = inherited_environment() | {"UI_PORT": str(port)}
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def until_healthy(url: str) -> httpx.Response:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            if httpx.get(f"{url}/_stcore/health").text == "ok":
                return httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the page did not start")


def test_the_page_is_served_with_careful_headers_and_stops_when_told(
    running: tuple[subprocess.Popen[bytes], str],
) -> None:
    process, url = running
    answer = until_healthy(url)
    assert "<title>" in answer.text
    assert answer.headers["Content-Security-Policy"] == server.content_policy()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_port_that_is_taken_ends_the_page(
    running: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    _, url = running
    until_healthy(url)
    environment = inherited_environment() | {"UI_PORT": url.rpartition(":")[2]}
    command = [sys.executable, "-m", "parley_ui", "serve"]
    assert subprocess.run(command, env=environment, cwd=tmp_path, check=False).returncode == 1
