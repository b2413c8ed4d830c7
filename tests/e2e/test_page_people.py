"""Several people and one page: in a browser, each with a key of their own."""

from collections.abc import Callable, Iterator

import pytest
from parley_tests.fake_gateway import FakeGateway, fake_gateway
from parley_tests.page import PHONE, Tab, Target
from playwright.sync_api import ViewportSize, WebSocket, expect

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture(scope="module")
def target(gateway: FakeGateway) -> Target:
    return Target(gateway.url)


@pytest.fixture
def key_of(gateway: FakeGateway) -> Callable[[str], str]:
    """Returns what makes a user with a chat called after them, and a key."""

    def make(name: str) -> str:
        user_id = gateway.add_user(name)["user_id"]
        gateway.add_chat(f"of-{name}", f"Secret of {name}", "It is safe.")
        gateway.owners[f"of-{name}"] = user_id
        return gateway.add_key(user_id, "browser")[1]

    return make


def sign_in(tab: Tab, key: str, path: str = "/") -> None:
    """Open the page and sign in by keyboard alone."""
    tab.page.goto(f"http://{tab.home}{path}")
    field = tab.page.get_by_role("textbox", name="Key", exact=True)
    expect(field).to_have_attribute("type", "password")
    tab.fill(field, key)
    field.press("Enter")
    expect(tab.page.get_by_test_id("stSidebar")).to_be_attached()
    tab.rest()


def test_two_people_in_two_tabs_see_their_own_alone(
    visit: Callable[..., Tab], key_of: Callable[[str], str]
) -> None:
    ann, bob = visit(), visit()
    sign_in(ann, key_of("ann"))
    sign_in(bob, key_of("bob"), "/?chat=of-ann")
    for tab, own, foreign in ((ann, "ann", "bob"), (bob, "bob", "ann"), (ann, "ann", "bob")):
        expect(tab.page.get_by_role("button", name=f"Secret of {own}")).to_be_visible()
        assert f"Secret of {foreign}" not in tab.page.content()
    bob.click(bob.page.get_by_role("button", name="Secret of bob"))
    expect(bob.last).to_contain_text("It is safe.")
    ann.say("Mine")
    expect(ann.last).to_contain_text("You said: Mine")
    bob.click(bob.page.get_by_role("button", name="New chat"))
    bob.rest()
    expect(bob.page.get_by_role("button", name="Mine")).to_have_count(0)


def test_a_key_stays_in_the_visit(
    tab: Tab,
    gateway: FakeGateway,
    key_of: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    key = key_of("cleo")
    told: list[str | bytes] = []

    def note(frame: str | bytes) -> None:
        told.append(frame)

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", note)

    tab.page.on("websocket", listen)
    sign_in(tab, key)
    tab.click(tab.page.get_by_role("button", name="Secret of cleo"))
    expect(tab.last).to_contain_text("It is safe.")
    frames = b"".join(one.encode() if isinstance(one, str) else one for one in told)
    stored = tab.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    logs = "".join(log.read_text() for log in tmp_path_factory.getbasetemp().glob("ui*/log"))
    assert b"Secret of cleo" in frames
    for place in (frames.decode(errors="replace"), tab.page.url, tab.page.content(), stored, logs):
        assert key not in place
    assert key not in str(tab.page.context.cookies())
    tab.page.reload()
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "Secret of cleo" not in tab.page.content()


def test_a_revoked_key_leads_out_and_another_leads_back_to_what_was_said(
    tab: Tab, gateway: FakeGateway, key_of: Callable[[str], str]
) -> None:
    key = key_of("dan")
    sign_in(tab, key)
    user_id, key_id = gateway.tokens[key]
    gateway.revoke(key_id)
    tab.say("Keep this")
    expect(tab.page.get_by_text("Your key is not accepted any more")).to_be_visible()
    assert "Secret of dan" not in tab.page.content()
    field = tab.page.get_by_role("textbox", name="Key", exact=True)
    tab.fill(field, gateway.add_key(user_id, "another")[1])
    tab.page.get_by_role("button", name="Sign in").press("Enter")
    expect(tab.last).to_contain_text("You said: Keep this")


def test_who_signs_out_is_out(tab: Tab, key_of: Callable[[str], str]) -> None:
    sign_in(tab, key_of("eve"))
    tab.click(tab.page.get_by_role("button", name="eve", exact=True))
    tab.click(tab.page.get_by_role("button", name="Sign out"))
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(tab.page.get_by_text("Secret of eve")).to_have_count(0)


def test_an_administrator_makes_a_user_and_their_key(tab: Tab, gateway: FakeGateway) -> None:
    sign_in(tab, gateway.key, "/users")
    tab.click(tab.page.get_by_text("New user"))
    tab.fill(tab.page.get_by_role("textbox", name="Name"), "fay")
    tab.page.get_by_role("textbox", name="Name").press("Enter")
    tab.click(tab.page.get_by_text("fay", exact=True))
    tab.click(tab.page.get_by_text("Make a key"))
    tab.fill(tab.page.get_by_placeholder("laptop"), "phone")
    tab.click(tab.page.get_by_role("button", name="Make key"))
    expect(tab.page.get_by_role("heading", name="Your new key: phone")).to_be_visible()
    (key,) = [
        token for token, of in gateway.tokens.items() if gateway.keys[of[1]]["name"] == "phone"
    ]
    expect(tab.page.get_by_test_id("stCode").first).to_have_text(key)
    tab.click(tab.page.get_by_role("button", name="I have it"))
    expect(tab.page.get_by_text(key)).to_have_count(0)


def test_a_phone_needs_no_sideways_scrolling(tab: Tab, gateway: FakeGateway) -> None:
    gateway.add_key("ada", "W" * 100, scopes=["chat", f"model:demo/{'x' * 80}"])
    sign_in(tab, gateway.key)
    desk = ViewportSize(width=1280, height=860)
    phone = ViewportSize(width=PHONE["width"], height=PHONE["height"])
    for name in ("Keys", "Users", "Audit", "Usage"):
        tab.click(tab.page.get_by_role("link", name=name))
        tab.page.set_viewport_size(phone)
        expect(tab.page.get_by_role("heading", level=1)).to_have_text(name)
        tab.rest()
        assert (name, tab.sideways()) == (name, 0)
        tab.page.set_viewport_size(desk)
