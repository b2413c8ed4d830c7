"""Conversations on the page, without a browser."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]
LIMIT = problem(429, "rate_limited", "Acme is tired.", retry_after=30)


def said(page: AppTest) -> list[str]:
    assert not page.exception
    return [part.value for message in page.chat_message for part in message.markdown]


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_an_empty_page_invites(page: AppTest) -> None:
    assert page.run().title[0].value == "What is on your mind?"
    assert said(page) == []


def test_a_message_is_answered_with_its_account(page: AppTest, gateway: FakeGateway) -> None:
    page.run().chat_input[0].set_value(" Hello ").run()
    assert said(page) == ["Hello", "You said: Hello"]
    assert captions(page) == r"demo · demo\-fast · 7 tokens in\, 3 out · \$0\.000125"
    assert list(gateway.chats) == [page.query_params["chat"]]


def test_provider_and_model_are_those_that_were_chosen(page: AppTest, gateway: FakeGateway) -> None:
    page.run().selectbox("model_None_demo").select("demo-slow").run()
    page.chat_input[0].set_value("Hello").run()
    assert gateway.calls("POST", "/chat")[0].body["model"] == "demo-slow"
    chat_id = page.query_params["chat"]
    assert page.selectbox(f"model_{chat_id}_demo").value == "demo-slow"


def test_only_providers_that_can_answer_are_offered(page: AppTest) -> None:
    assert page.run().selectbox("provider_None").options == ["Demo", "Acme (unhealthy)"]


def test_a_new_visit_with_the_same_url_shows_the_same_chat(
    visit: Visit, gateway: FakeGateway
) -> None:
    gateway.add_chat("space", "How far?", "Far.")
    page = visit(chat="space").run()
    assert said(page) == ["How far?", "Far."]
    assert page.header[0].value == r"How far\?"


def test_an_unknown_id_becomes_the_chats_id(visit: Visit, gateway: FakeGateway) -> None:
    page = visit(chat="my-own").run()
    assert "`my\\-own`" in captions(page)
    page.chat_input[0].set_value("Hello").run()
    assert list(gateway.chats) == ["my-own"]


def test_an_id_of_ones_own_is_checked_and_opened(page: AppTest, gateway: FakeGateway) -> None:
    gateway.add_chat("space", "How far?", "Far.")
    page.run().text_input("own_id").set_value("no spaces").run()
    assert "Letters, digits" in page.error[0].value
    page.text_input("own_id").set_value("space").run()
    assert said(page.run()) == ["How far?", "Far."]


def test_chats_are_listed_newest_first_and_page_by_page(
    page: AppTest, gateway: FakeGateway
) -> None:
    for number in range(25):
        gateway.add_chat(f"c{number}", f"Chat {number}")
    page.run()
    listed = [button.label for button in page.button if str(button.key).startswith("open_")]
    assert (listed[0], len(listed)) == ("Chat 24", 20)
    page.button("more_chats").click().run()
    assert page.button("open_c0").label == "Chat 0"


def test_a_chat_is_opened_and_left(page: AppTest, gateway: FakeGateway) -> None:
    gateway.add_chat("space", "How far?", "Far.")
    page.run().button("open_space").click().run()
    assert said(page) == ["How far?", "Far."]
    page.button("new_chat").click().run()
    assert (said(page), page.query_params) == ([], {})


def test_a_chat_is_deleted_once_confirmed(visit: Visit, gateway: FakeGateway) -> None:
    gateway.add_chat("space", "How far?", "Far.")
    page = visit(chat="space").run()
    page.button("confirm_delete_chat").click().run()
    assert (gateway.chats, page.query_params) == ({}, {})


def test_only_the_end_of_a_long_chat_is_shown_at_first(visit: Visit, gateway: FakeGateway) -> None:
    gateway.add_chat("long", *(str(number) for number in range(40)))
    page = visit(chat="long").run()
    assert said(page)[0] == "15"
    page.button("earlier").click().run()
    assert said(page)[0] == "0"


def test_the_model_cannot_make_the_page_fetch_anything(page: AppTest, gateway: FakeGateway) -> None:
    gateway.reply = "![x](https://evil.example/x.png) :red[$5]"
    page.run().chat_input[0].set_value("Hello").run()
    assert said(page)[1] == r"[x (image at evil.example)](https://evil.example/x.png) &#58;red[\$5]"


def test_a_refused_message_is_explained_kept_and_sent_again(
    page: AppTest, gateway: FakeGateway
) -> None:
    gateway.refusals["POST /chat"] = LIMIT
    page.run().chat_input[0].set_value("Hello").run()
    card = page.error[0].value
    assert r"Acme is tired\." in card
    assert "Try again in 30 s" in card
    assert said(page) == ["Hello"]
    gateway.refusals.clear()
    page.button("send_again").click().run()
    assert said(page) == ["Hello", "You said: Hello"]
    keys = {one.headers["Idempotency-Key"] for one in gateway.calls("POST", "/chat")}
    assert len(keys) == 1


def test_a_refused_message_can_be_discarded(page: AppTest, gateway: FakeGateway) -> None:
    gateway.refusals["POST /chat"] = LIMIT
    page.run().chat_input[0].set_value("Hello").run()
    page.button("discard").click().run()
    assert (said(page), len(page.error)) == ([], 0)


def test_a_reply_that_fails_midway_says_why(page: AppTest, gateway: FakeGateway) -> None:
    gateway.breaks = problem(502, "provider_error", "Acme fell over.")
    page.run().chat_input[0].set_value("Hello").run()
    assert said(page) == ["Hello", "You"]
    assert r"Acme fell over\." in page.error[0].value


@pytest.mark.parametrize(
    ("status", "words"),
    [("stopped", "Stopped"), ("failed", "failed"), ("interrupted", "Interrupted")],
)
def test_a_reply_that_did_not_end_well_says_so(
    visit: Visit, gateway: FakeGateway, status: str, words: str
) -> None:
    gateway.add_chat("odd", "Hello")
    gateway.add_message("odd", "assistant", "Hm", status=status, cost=None)
    page = visit(chat="odd").run()
    assert words in captions(page)
    assert said(page) == ["Hello", "Hm"]


def test_thoughts_are_kept_apart(page: AppTest, gateway: FakeGateway) -> None:
    gateway.reasoning = "Let me see."
    page.run().chat_input[0].set_value("Hello").run()
    assert "Thoughts" in [expander.label for expander in page.expander]
    assert said(page) == ["Hello", "Let me see.", "You said: Hello"]


def test_calls_of_tools_are_folded_and_nothing_but_text(visit: Visit, gateway: FakeGateway) -> None:
    arguments = "<script>alert(1)</script> ![x](https://evil.example/x.png) :material/bolt:"
    call = {"tool_call_id": "1", "name": "*look* :red[x]", "arguments": arguments}
    long = {"tool_call_id": "2", "name": "find", "arguments": "y" * 10_001}
    gateway.add_chat("tools", "Hello")
    gateway.add_message("tools", "assistant", "", finish_reason="tool", tool_calls=[call, long])
    gateway.add_message("tools", "user", "")
    page = visit(chat="tools").run()
    assert not page.exception
    first, second = [box for box in page.expander if box.label.startswith("Calls")]
    assert [r"Calls \*look\* \:red\[x\]", "Calls find"] == [first.label, second.label]
    assert (arguments, "plaintext", False) == (
        first.code[0].value, first.code[0].language, first.proto.expanded,
    )  # fmt: skip
    assert ("y" * 10_000, "And 1 more characters.") == (
        second.code[0].value, second.caption[0].value,
    )  # fmt: skip
    assert all(arguments not in text.value for text in page.markdown)
    assert "without words" in captions(page)


def test_a_gateway_that_is_away_is_explained(page: AppTest) -> None:
    page.secrets["api_url"] = "http://127.0.0.1:1"
    assert "does not answer" in page.run().error[0].value
    page.chat_input[0].set_value("Hello").run()
    assert not page.exception


def test_a_wrong_key_is_explained(visit: Visit) -> None:
    page = visit(chat="space")
    page.secrets["api_key"] = "wrong"
    cards = [card.value for card in page.run().error]
    assert any("`API_KEY`" in card for card in cards)


def test_the_key_file_counts_when_no_key_is_set(
    page: AppTest, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "admin.key").write_text(f"{gateway.key}\n")
    page.secrets |= {"api_key": "", "key_file": str(tmp_path / "admin.key")}
    page.run().chat_input[0].set_value("Hello").run()
    assert said(page) == ["Hello", "You said: Hello"]


def test_the_page_works_without_a_list_of_providers(page: AppTest, gateway: FakeGateway) -> None:
    gateway.refusals["GET /providers"] = problem(503, "unavailable", "Away.")
    page.run().chat_input[0].set_value("Hello").run()
    assert said(page) == ["Hello", "You said: Hello"]
    assert set(gateway.calls("POST", "/chat")[0].body) == {"message", "stream", "chat_id"}
