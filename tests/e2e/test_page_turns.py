"""Turns on the page, with all of Parley behind it: stopped, left, and gone on with."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.page import PHONE, Tab, Target
from parley_tests.platform import ADMIN_KEY, Platform, running_platform
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

# Of the demo's words, which come at this pace: more than any machine lets pass meanwhile.
LONG, PACE = 5000, 20


@pytest.fixture(scope="module")
def parley(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("turns")
    paced = {"DEMO_PACE": str(PACE)}
    with fresh_database(database_server) as url, running_platform(url, logs, paced) as platform:
        yield platform


@pytest.fixture(scope="module")
def target(parley: Platform) -> Target:
    return Target(parley.url, ADMIN_KEY)


def reply(parley: Platform, tab: Tab) -> dict[str, Any]:
    """The last message of the chat that a tab shows, as it is stored."""
    (chat,) = parse_qs(urlsplit(tab.page.url).query)["chat"]
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    answer = httpx.get(f"{parley.url}/chat/history/{chat}", headers=headers).raise_for_status()
    message: dict[str, Any] = answer.json()["messages"][-1]
    return message


def words(tab: Tab) -> int:
    return len(tab.last.inner_text().split())


def grows(tab: Tab) -> None:
    """Wait until more of the reply is seen than now."""
    seen = words(tab)
    expect(tab.last).to_have_text(re.compile(rf"(\S+\s+){{{seen + 5}}}"))


def test_a_reply_is_stopped_and_what_it_used_comes_later(tab: Tab, parley: Platform) -> None:
    tab.open()
    tab.say(f"/long {LONG}")
    grows(tab)

    tab.stop.click()

    expect(tab.last).to_contain_text("Stopped before its end")
    expect(tab.last).to_have_text(re.compile(r"[0-9,]+ out"))
    stored = reply(parley, tab)
    assert stored["status"] == "stopped"
    assert 5 < len(stored["content"].split()) < LONG
    assert stored["usage"]["source"] == "estimated"
    tab.page.reload()
    expect(tab.last).to_contain_text("Stopped before its end")


def test_a_reload_and_a_second_tab_go_on_where_the_reply_is(
    tab: Tab, visit: Callable[..., Tab], parley: Platform
) -> None:
    tab.open()
    tab.say(f"/long {LONG}")
    grows(tab)

    tab.page.reload()
    grows(tab)
    second = visit(viewport=PHONE, has_touch=True)
    second.open(f"/?{urlsplit(tab.page.url).query}")
    grows(second)

    assert reply(parley, tab)["status"] == "running"
    second.stop.click()
    for one in (tab, second):
        expect(one.last).to_contain_text("Stopped before its end")
    stored = reply(parley, tab)["content"].split()
    for one in (tab, second):
        assert one.last.inner_text().split()[: len(stored)] == stored


def test_a_gateway_that_is_started_again_costs_the_page_nothing(tab: Tab, parley: Platform) -> None:
    tab.open()
    tab.say("/long 120")
    grows(tab)

    parley.kill("gateway")
    parley.start_one("gateway")

    expect(tab.last).to_have_text(re.compile(r"[0-9,]+ out"))
    stored = reply(parley, tab)
    assert stored["status"] == "complete"
    assert tab.last.inner_text().split()[:120] == stored["content"].split()[:120]
