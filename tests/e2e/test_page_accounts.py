"""People and keys on the page, with all of Parley behind it."""

from collections.abc import Callable, Iterator

import pytest
from parley_tests.database import fresh_database
from parley_tests.page import Tab, Target
from parley_tests.platform import ADMIN_KEY, Platform, running_platform
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def parley(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("accounts")
    with fresh_database(database_server) as url, running_platform(url, logs) as platform:
        yield platform


@pytest.fixture(scope="module")
def target(parley: Platform) -> Target:
    return Target(parley.url)


def sign_in(tab: Tab, key: str, path: str) -> None:
    tab.page.goto(f"http://{tab.home}{path}")
    field = tab.page.get_by_role("textbox", name="Key", exact=True)
    tab.fill(field, key)
    field.press("Enter")
    expect(tab.page.get_by_test_id("stSidebar")).to_be_attached()
    tab.rest()


def test_an_administrator_lets_somebody_in_and_out(visit: Callable[..., Tab]) -> None:
    admin, gus = visit(), visit()
    sign_in(admin, ADMIN_KEY, "/users")
    admin.click(admin.page.get_by_text("New user"))
    admin.fill(admin.page.get_by_role("textbox", name="Name"), "gus")
    admin.click(admin.page.get_by_role("button", name="Add"))
    admin.click(admin.page.get_by_text("gus", exact=True))
    admin.click(admin.page.get_by_text("Make a key"))
    admin.fill(admin.page.get_by_placeholder("laptop"), "phone")
    admin.click(admin.page.get_by_role("button", name="Make key"))
    expect(admin.page.get_by_role("heading", name="Your new key: phone")).to_be_visible()
    key = admin.page.get_by_test_id("stCode").first.inner_text().strip()

    sign_in(gus, key, "/")
    gus.say("Only for me.")
    expect(gus.last).to_contain_text("tokens in")
    expect(gus.page.get_by_role("link", name="Users")).to_have_count(0)
    gus.click(gus.page.get_by_role("link", name="Keys"))
    expect(gus.page.get_by_text("In use here")).to_be_visible()
    gus.click(gus.page.get_by_role("link", name="Usage"))
    expect(gus.page.get_by_test_id("stMetric").first).to_be_visible()

    admin.click(admin.page.get_by_role("button", name="I have it"))
    admin.click(admin.page.get_by_role("button", name="Disable"))
    admin.click(admin.page.get_by_role("button", name="Disable them"))
    expect(admin.page.get_by_role("button", name="Enable")).to_be_visible()
    gus.click(gus.page.get_by_role("link", name="Chat"))
    expect(gus.page.get_by_text("Your key is not accepted any more")).to_be_visible()

    admin.click(admin.page.get_by_role("link", name="Audit"))
    expect(admin.page.get_by_test_id("stDataFrame")).to_be_visible()
    assert "Only for me." not in admin.page.content()
