"""The page in a browser, and what drives it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, Page, Request, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from parley_tests.platform import free_port
from parley_tests.settings import inherited_environment

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 20_000  # milliseconds; the first run of a page imports a lot
PHONE = {"width": 390, "height": 844}
# No script runs, no widget is still to be loaded, and nothing moves (but what moves for ever).
STILL = """() =>
    document.querySelector('[data-test-script-state=notRunning]')
    && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
    && document.getAnimations().every(one => one.playState !== 'running'
        || one.effect.getComputedTiming().endTime === Infinity)"""
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway for a page; without a key everybody signs in."""

    url: str
    key: str = ""


@dataclass
class Tab:
    """A browser's tab, and what it asked of hosts that are not ours."""

    page: Page
    home: str
    foreign: list[str] = field(default_factory=list)
    # Whether a run was asked for that has not begun.
    asked: bool = False

    def listen(self, socket: WebSocket) -> None:
        self.asked = False
        socket.on("framesent", self.note_request)
        socket.on("framereceived", self.note_answer)

    def note_request(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            told = BackMsg.FromString(frame)
            self.asked |= told.HasField("rerun_script") and not told.rerun_script.is_auto_rerun

    def note_answer(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes) and ForwardMsg.FromString(frame).HasField("new_session"):
            self.asked = False

    def note(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != self.home:
            self.foreign.append(request.url)

    def forgive(self, request: Request) -> None:
        """Forgets a request that the page's content policy kept from leaving the browser."""
        if request.failure == "csp":
            self.foreign.remove(request.url)

    def open(self, path: str = "/") -> None:
        self.page.goto(f"http://{self.home}{path}")
        expect(self.page.get_by_test_id("stSidebar")).to_be_attached()

    def rest(self) -> None:
        """Waits until nothing runs or moves any more, nor will for what was done before."""
        give_up = time.monotonic() + PATIENCE / 1000
        self.page.wait_for_function(STILL)
        while self.asked:
            assert time.monotonic() < give_up, "the page does not answer"
            self.page.wait_for_timeout(20)
            self.page.wait_for_function(STILL)

    def click(self, what: Locator) -> None:
        """Clicks as somebody does who sees where it is: what moves meanwhile is not hit."""
        expect(what).to_be_visible()
        self.rest()
        what.click()

    def fill(self, what: Locator, text: str) -> None:
        """Likewise writes in a field."""
        expect(what).to_be_visible()
        self.rest()
        what.fill(text)

    @property
    def input(self) -> Locator:
        return self.page.get_by_role("textbox", name="Your message")

    def say(self, text: str) -> None:
        self.fill(self.input, text)
        self.input.press("Enter")

    @property
    def last(self) -> Locator:
        return self.page.get_by_test_id("stChatMessage").last

    @property
    def stop(self) -> Locator:
        """The page's own button; Streamlit has one that ends a run."""
        return self.page.get_by_role("button", name=re.compile("^Stop.*Esc"))

    def places(self) -> list[dict[str, int]]:
        """Where button and input are, in whole pixels: scrolling leaves fractions of one."""
        boxes: list[Any] = [self.stop.bounding_box(), self.input.bounding_box()]
        return [{side: round(at) for side, at in box.items()} for box in boxes]

    def sideways(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def background(self) -> str:
        script = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
        return str(self.page.evaluate(script))


@contextmanager
def running_page(target: Target, folder: Path) -> Iterator[str]:
    """Run a page of our own, which must end well when it is told to stop; yield host and port."""
    port = free_port()
    settings = {"API_URL": target.url, "API_KEY": target.key, "UI_PORT": str(port)}
    settings["UI_SIGN_IN"] = "false" if target.key else "true"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "parley_ui", "serve"],
            env=inherited_environment() | settings,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            wait_for_health(port, folder / "log")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            code = process.wait(PATIENCE / 1000)
    told = (folder / "log").read_text()
    assert (code, "Traceback" in told) == (0, False), told


def wait_for_health(port: int, log: Path) -> None:
    give_up = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < give_up:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/_stcore/health").text == "ok":
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"the page did not start: {log.read_text()}")
