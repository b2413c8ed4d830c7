"""A browser, and the page of whatever gateway a module names in its fixture `target`."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from parley_tests.page import CHROMIUM, PATIENCE, QUIET, Tab, Target, running_page
from playwright.sync_api import Browser, expect, sync_playwright


@pytest.fixture(scope="module")
def home(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a page of our own."""
    with running_page(target, tmp_path_factory.mktemp("ui")) as home:
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium fonts-dejavu-core")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, home: str) -> Iterator[Callable[..., Tab]]:
    """Returns what opens a tab; no tab may have asked anything of a foreign host."""
    tabs = []

    def open_tab(**options: Any) -> Tab:
        tab = Tab(browser.new_context(**options).new_page(), home)
        tab.page.set_default_timeout(PATIENCE)
        tab.page.on("websocket", tab.listen)
        tab.page.on("request", tab.note)
        tab.page.on("requestfailed", tab.forgive)
        tabs.append(tab)
        return tab

    yield open_tab
    for tab in tabs:
        tab.page.context.close()
    assert [url for tab in tabs for url in tab.foreign] == []


@pytest.fixture
def tab(visit: Callable[..., Tab]) -> Tab:
    return visit(viewport={"width": 1280, "height": 860})
