"""The page as its readers see it: in a browser, on a desk and on a phone, by light and by dark.

`target` says which gateway the page talks to: a fake one, so that replies can be made slow and
hostile. Override it to drive the same page against a real platform.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from parley_tests.fake_gateway import FakeGateway, fake_gateway
from parley_tests.page import PHONE, Tab, Target
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture(scope="module")
def target(gateway: FakeGateway) -> Target:
    return Target(gateway.url, gateway.key)


@pytest.fixture
def slow(gateway: FakeGateway) -> Iterator[FakeGateway]:
    """The gateway, writing a quarter of a reply, and the rest when it is let."""
    gateway.reply, gateway.pace = " ".join(f"word{number}" for number in range(40)), 0.02
    gateway.most = 10
    yield gateway
    gateway.reply, gateway.pace = FakeGateway.reply, FakeGateway.pace
    gateway.most = None


def test_a_message_is_answered_and_a_reload_shows_it_again(tab: Tab) -> None:
    tab.open()
    tab.say("What is a parley?")
    account = tab.last.get_by_text(re.compile(r"tokens in, .* out"))
    expect(account).to_be_visible()
    expect(tab.input).to_be_focused()
    assert re.search(r"\?chat=[0-9a-f-]{36}$", tab.page.url)
    messages = tab.page.get_by_test_id("stChatMessage")
    expect(messages).to_have_count(2)
    tab.rest()
    before = messages.get_by_role("paragraph").all_inner_texts()
    tab.page.reload()
    expect(account).to_be_visible()
    tab.rest()
    assert messages.get_by_role("paragraph").all_inner_texts() == before


def test_a_reply_is_seen_as_it_grows(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    tab.say("Slowly, please.")
    expect(tab.last).to_contain_text("word3")
    assert "word10" not in tab.last.inner_text()
    slow.most = None
    expect(tab.last).to_contain_text("word39")
    expect(tab.last).to_contain_text("40 out")


def test_leaving_a_reply_loses_nothing_and_sends_nothing_twice(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    tab.say("Do not wait for me.")
    expect(tab.last).to_contain_text("word3")
    tab.page.get_by_role("button", name="New chat").click()
    expect(tab.page.get_by_role("heading", name="What is on your mind?")).to_be_visible()
    tab.page.go_back()
    expect(tab.last).to_contain_text("Still writing")
    slow.most = None
    expect(tab.last).to_contain_text("word39")
    expect(tab.last).to_contain_text("40 out")
    sent = [one.body["message"] for one in slow.calls("POST", "/chat")]
    assert sent.count("Do not wait for me.") == 1


def test_a_reload_in_the_middle_of_a_reply_goes_on(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    tab.say("I will reload.")
    expect(tab.last).to_contain_text("word3")
    tab.page.reload()
    expect(tab.last).to_contain_text("Still writing")
    slow.most = None
    expect(tab.last).to_contain_text("40 out")


def test_a_reload_shows_the_text_so_far_and_goes_on_live(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    tab.say("I will reload twice.")
    for most in (10, 20):
        slow.most = most
        written = " ".join(f"word{number}" for number in range(most))
        expect(tab.last).to_contain_text(written)
        tab.page.reload()
        expect(tab.last).to_contain_text(written)
        assert f"word{most}" not in tab.last.inner_text()
    slow.most = None
    expect(tab.last).to_contain_text("40 out")
    assert " ".join(f"word{number}" for number in range(40)) in tab.last.inner_text()


def test_a_reply_is_stopped_and_stays_so(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    expect(tab.stop).to_be_disabled()
    tab.say("Stop soon.")
    expect(tab.last).to_contain_text("word3")
    tab.stop.click()
    expect(tab.last).to_contain_text("Stopped before its end")
    (stored,) = [said[1] for said in slow.messages.values() if said[0]["content"] == "Stop soon."]
    assert stored["status"] == "stopped"
    assert stored["content"] in tab.last.inner_text()
    expect(tab.stop).to_be_disabled()
    stored["usage"] = {"input_tokens": 7, "output_tokens": 4321, "source": "reported"}
    expect(tab.last).to_contain_text("4,321 out")
    tab.page.reload()
    expect(tab.last).to_contain_text("Stopped before its end")
    assert stored["content"] in tab.last.inner_text()
    slow.most = None
    tab.say("Go on.")
    expect(tab.last).to_contain_text("40 out")


def test_escape_stops_a_reply(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    tab.say("Keys only.")
    expect(tab.last).to_contain_text("word3")
    tab.page.keyboard.press("Escape")
    expect(tab.last).to_contain_text("Stopped before its end")
    expect(tab.input).to_be_enabled()


def test_a_second_tab_shows_the_same_reply_live_and_stops_it_for_both(
    tab: Tab, visit: Callable[..., Tab], slow: FakeGateway
) -> None:
    tab.open()
    tab.say("For two.")
    expect(tab.last).to_contain_text("word3")
    second = visit(viewport=PHONE, has_touch=True)
    second.open(f"/?{urlsplit(tab.page.url).query}")
    expect(second.last).to_contain_text("word9")
    slow.most = 20
    expect(second.last).to_contain_text("word19")
    second.stop.click()
    for one in (tab, second):
        expect(one.last).to_contain_text("Stopped before its end")
    assert tab.last.get_by_role("paragraph").first.inner_text() == (
        second.last.get_by_role("paragraph").first.inner_text()
    )


def test_the_button_of_streamlit_ends_a_run_and_not_the_reply(tab: Tab, slow: FakeGateway) -> None:
    tab.open()
    tab.say("Do not mind.")
    expect(tab.last).to_contain_text("word3")
    tab.page.get_by_test_id("stStatusWidget").get_by_role("button", name="Stop").click()
    slow.most = None
    expect(tab.last).to_contain_text("40 out")


@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, PHONE])
def test_nothing_moves_when_a_reply_begins_or_ends(
    visit: Callable[..., Tab], slow: FakeGateway, size: dict[str, int]
) -> None:
    slow.add_chat("still", "Hello", "Hi")
    tab = visit(viewport=size)
    tab.open("/?chat=still")
    expect(tab.last).to_contain_text("Hi")
    tab.rest()
    places = tab.places()
    tab.say("Stay.")
    expect(tab.last).to_contain_text("word3")
    assert tab.places() == places
    slow.most = None
    expect(tab.last).to_contain_text("40 out")
    assert tab.places() == places


def test_the_end_of_a_long_chat_is_in_sight(tab: Tab, gateway: FakeGateway) -> None:
    gateway.add_chat("tall", "Go on", "\n\n".join(f"Line {number}." for number in range(80)))
    tab.open("/?chat=tall")
    expect(tab.page.get_by_text("Line 79.")).to_be_in_viewport()
    expect(tab.page.get_by_text("Line 0.", exact=True)).not_to_be_in_viewport()


def test_a_hostile_reply_reaches_nobody(tab: Tab, gateway: FakeGateway) -> None:
    gateway.add_chat(
        "hostile",
        "Show me",
        "![a](https://evil.example/1.png) ![b][r] <img src='https://evil.example/2.png'>\n\n"
        '<a title="`"> ![c](https://evil.example/3.png) `\n\n'
        "    ```\n\n![d](https://evil.example/4.png)\n\n"
        "```mermaid\nflowchart\nA@{ img: 'https://evil.example/5.png' }\n```\n\n"
        "[r]: https://evil.example/6.png",
    )
    tab.open("/?chat=hostile")
    link = tab.last.get_by_role("link", name="a (image at evil.example)")
    expect(link).to_have_attribute("href", "https://evil.example/1.png")
    expect(tab.last.locator("img[src^='https://evil.example/2']")).to_have_count(0)


def test_readers_choose_light_or_dark(visit: Callable[..., Tab]) -> None:
    tab = visit(color_scheme="light")
    tab.open()
    light = tab.background()
    tab.click(tab.page.get_by_test_id("stMainMenu"))
    tab.click(tab.page.get_by_role("menuitemradio", name="Dark"))
    tab.page.wait_for_function(
        "light => getComputedStyle(document.querySelector('.stApp')).backgroundColor !== light",
        arg=light,
    )
    by_night = visit(color_scheme="dark")
    by_night.open()
    assert by_night.background() == tab.background()


def test_a_phone_needs_no_sideways_scrolling(
    visit: Callable[..., Tab], gateway: FakeGateway
) -> None:
    table = "| a | b | c | d |\n| - | - | - | - |\n" + f"| {'wide ' * 8} |" * 4
    gateway.add_chat("wide", "W" * 200, f"{table}\n\n```\n{'x' * 300}\n```\n\n{'y' * 300}")
    tab = visit(viewport=PHONE, has_touch=True)
    gateway.add_usage(datetime.now(UTC).date().isoformat(), "demo", "a-model-with-a-long-name" * 3)
    for path in ("/", "/?chat=wide", "/prompts", "/providers", "/usage"):
        tab.open(path)
        expect(tab.page.get_by_test_id("stHeading").first).to_be_visible()
        tab.rest()
        assert (path, tab.sideways()) == (path, 0)


def test_a_vendors_key_is_taken_and_nothing_of_it_stays(tab: Tab, gateway: FakeGateway) -> None:
    tab.open("/providers")
    tab.click(tab.page.get_by_text("Configuration", exact=True).first)
    field = tab.page.get_by_role("textbox", name="API key")
    expect(field).to_have_attribute("type", "password")
    tab.fill(field, "sk-secret-wxyz")
    tab.click(tab.page.get_by_role("button", name="Set key"))
    expect(tab.page.get_by_text("key …wxyz stored")).to_be_visible()
    assert gateway.calls("PUT", "/providers/demo/credentials")[-1].body == {
        "api_key": "sk-secret-wxyz"
    }
    expect(field).to_have_value("")
    assert "sk-secret" not in tab.page.content()


def test_what_is_loaded_late_moves_no_button_from_under_a_click(
    tab: Tab, gateway: FakeGateway
) -> None:
    late: list[Route] = []

    def hold(request: Route) -> None:
        late.append(request)

    tab.page.route("**/NumberInput.*.js", hold)
    tab.open("/providers")
    with tab.page.expect_request("**/NumberInput.*.js"):
        tab.click(tab.page.get_by_text("Configuration", exact=True).first)
    tab.page.get_by_role("textbox", name="API key").fill("sk-secret-late")
    tab.page.get_by_role("button", name="Set key").hover()
    tab.page.mouse.down()
    for request in late:
        request.continue_()
    tab.rest()
    tab.page.mouse.up()
    expect(tab.page.get_by_text("key …late stored")).to_be_visible()
    assert late


def test_usage_is_drawn(tab: Tab, gateway: FakeGateway) -> None:
    gateway.add_usage(datetime.now(UTC).date().isoformat(), "demo", "demo-fast")
    tab.open("/usage")
    expect(tab.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible()
    expect(tab.page.get_by_test_id("stMetric").first).to_contain_text("$")


def test_the_keyboard_is_enough(tab: Tab, gateway: FakeGateway) -> None:
    gateway.add_chat("keys", "Hello", "Hi")
    tab.open("/?chat=keys")
    expect(tab.last).to_contain_text("Hi")
    welcome = tab.page.get_by_role("heading", name="What is on your mind?")
    for _ in range(40):  # a page that has just been drawn does not listen to shortcuts yet
        if welcome.is_visible():
            break
        tab.page.keyboard.press("Control+Shift+O")
        tab.page.wait_for_timeout(500)
    tab.rest()
    tab.page.get_by_role("button", name="What can you do?").press("Enter")
    expect(tab.last).to_contain_text("You said: What can you do?")
