"""No text makes the browser run a script or ask another host for anything (P9, F20 to F22).

Every tab notes what it asks of foreign hosts, and fails its test for it (`conftest.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from parley_tests.fake_gateway import FakeGateway, fake_gateway
from parley_tests.page import Tab, Target
from playwright.sync_api import Dialog, Page, expect

pytestmark = pytest.mark.e2e

RUNS = "window.hostile = true; alert(1)"
SCRIPTS = {
    "script": f"<script>{RUNS}</script>",
    "handler": f'<img src=x onerror="{RUNS}">',
    "picture": f'<svg onload="{RUNS}"><script>{RUNS}</script></svg>',
    "frame": f'<iframe srcdoc="<script>parent.{RUNS}</script>"></iframe>',
    "object": '<object data="https://evil.example/x.swf"></object><embed src="//evil.example/x">',
    "sheet": '<link rel=stylesheet href="https://evil.example/x.css">'
    "<style>@import 'https://evil.example/y.css'</style>",
    "refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "form": f'<form action="https://evil.example/"><button autofocus onfocus="{RUNS}">x</button>',
    "link": f"[click](javascript:{RUNS.replace(' ', '%20')})",
    "odd link": "[click](JaVa\tscript:alert(1)) [click](&#106;avascript:alert(1))",
    "data link": "[click](data:text/html,<script>alert(1)</script>)",
    "data picture": "![x](data:image/svg+xml,%3Csvg%20onload%3D%22alert(1)%22%3E)",
    "auto link": "<javascript:alert(1)>",
    "reference": "[click][r]\n\n[r]: javascript:alert(1)",
    "math": r"$\href{javascript:alert(1)}{x}$ $$\includegraphics{https://evil.example/m.png}$$",
}
LITERAL = ("$5 and $6", ":red[alarm]", ":blue-background[x]", ":material/delete:", ":streamlit:")


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture(scope="module")
def target(gateway: FakeGateway) -> Target:
    return Target(gateway.url, gateway.key)


@pytest.fixture
def watched(visit: Callable[..., Tab]) -> Iterator[Tab]:
    """A tab in which nothing may have run, nor in what it opened.

    A link to `data:` stays one: no browser follows it, as the clicks show.
    """
    tab = visit()
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    tab.page.context.on("dialog", note)
    tab.page.context.on("page", lambda opened: opened.on("request", tab.note))
    yield tab
    tab.rest()
    assert [] == dialogs
    assert tab.page.evaluate("window.hostile") is None
    assert [] == dangerous(tab.page)


def dangerous(page: Page) -> list[str]:
    """What stands in the page's messages and would run, or fetch, if it were let."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll('[data-testid="stChatMessage"] *')].filter(one =>
                /^(script|iframe|object|embed|form|meta|link|base)$/i.test(one.tagName)
                || [...one.attributes].some(a => /^on/i.test(a.name))
                || /^\\s*(javascript|vbscript):/i.test(
                    (one.getAttribute('href') || one.getAttribute('xlink:href') || '')
                        .replace(/[\\t\\n]/g, ''))
            ).map(one => one.outerHTML)"""
        )
    )


def test_nothing_that_is_said_runs(watched: Tab, gateway: FakeGateway) -> None:
    said = [f"Before. {text}\n\nAfter {name}." for name, text in SCRIPTS.items()]
    gateway.add_chat("said", *(text for text in said for _ in range(2)))
    watched.open("/?chat=said")
    messages = watched.page.get_by_test_id("stChatMessage")
    expect(messages).to_have_count(2 * len(said))
    for number, name in enumerate(SCRIPTS):
        for message in (messages.nth(2 * number), messages.nth(2 * number + 1)):
            expect(message).to_contain_text("Before.")
            expect(message).to_contain_text(f"After {name}.")
    for link in watched.page.get_by_role("link", name="click").all():
        watched.click(link)
    watched.page.wait_for_timeout(300)


def test_nothing_that_is_said_runs_while_it_comes(watched: Tab, gateway: FakeGateway) -> None:
    gateway.reply = (
        "\n\n".join([*SCRIPTS.values(), "The end."]).replace("{", "{{").replace("}", "}}")
    )
    watched.open()
    watched.say(SCRIPTS["handler"])
    expect(watched.last).to_contain_text("The end.")
    gateway.reply = FakeGateway.reply


def test_the_notation_of_streamlit_is_shown_as_it_is(watched: Tab, gateway: FakeGateway) -> None:
    said = "\n\n".join(LITERAL)
    gateway.add_chat("notation", said, said)
    watched.open("/?chat=notation")
    expect(watched.last).to_contain_text(LITERAL[0])
    shown = watched.last.inner_text().replace("\u2060", "")
    assert [] == [text for text in LITERAL if text not in shown]
    expect(watched.last.locator(".katex")).to_have_count(0)
    expect(watched.last.locator(".stMarkdownColoredText")).to_have_count(0)


def test_titles_and_prompts_run_nothing_either(watched: Tab, gateway: FakeGateway) -> None:
    gateway.add_chat("title", SCRIPTS["handler"], "Hi")
    watched.open("/?chat=title")
    expect(watched.page.get_by_test_id("stSidebar")).to_contain_text("onerror")
    expect(watched.last).to_contain_text("Hi")
    assert watched.page.locator("[onerror]").count() == 0
