"""Every route, over a real socket."""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from parley_client import (
    AsyncClient,
    Budgets,
    Call,
    Client,
    GatewayUnreachable,
    Limits,
    ProblemError,
    ReasoningDelta,
    TextDelta,
    Timeouts,
    TurnEnd,
    TurnStart,
    UnexpectedAnswer,
    calls,
)
from parley_tests.fake_gateway import FakeGateway, problem

pytestmark = pytest.mark.unit


def test_it_says_who_answers_and_how_it_is(client: Client) -> None:
    assert client.about().name == "Parley"
    assert client.health().services["database"] == "ok"
    assert (client.is_live(), client.is_ready()) == (True, True)


def test_a_message_is_answered_whole(client: Client, gateway: FakeGateway) -> None:
    reply = client.chat(
        "Hello", chat_id="first", temperature=0, max_tokens=5, model="demo-slow", provider=None
    )
    sent = gateway.calls("POST", "/chat")[0]
    assert (reply.chat_id, reply.response, reply.status) == ("first", "You said: Hello", "complete")
    assert reply.cost is not None
    assert reply.cost.amount == Decimal("0.000125")
    options = {"chat_id": "first", "temperature": 0, "max_tokens": 5, "model": "demo-slow"}
    assert sent.body == {"message": "Hello", **options}
    assert sent.headers["Authorization"] == "Bearer parley_test"


def test_a_reply_streams(client: Client, gateway: FakeGateway) -> None:
    gateway.reasoning = "Hm."
    start, thought, *deltas, end = client.stream_chat("Hello", chat_id="first")
    assert isinstance(start, TurnStart)
    assert thought == ReasoningDelta("Hm.", "3.0")
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert "".join(texts) == "You said: Hello"
    assert isinstance(end, TurnEnd)
    assert (end.message_id, end.status) == (start.message_id, "complete")
    assert (start.position, end.position) == ("0.0", "3.15")


def test_the_same_send_again_finds_the_same_reply(client: Client, gateway: FakeGateway) -> None:
    once = client.chat("Hello", chat_id="first", idempotency_key="k")
    start, *_ = client.stream_chat("Hello", chat_id="first", idempotency_key="other")
    again = client.chat("Hello", chat_id="first", idempotency_key="k")
    assert (again.message_id, len(gateway.messages["first"])) == (once.message_id, 4)
    assert isinstance(start, TurnStart)
    assert start.message_id != once.message_id


def test_a_closed_stream_leaves_the_turn_alone(client: Client, gateway: FakeGateway) -> None:
    gateway.pace = 0.02
    events = client.stream_chat("one two three", chat_id="first")
    next(events)
    events.close()
    while gateway.messages["first"][1]["status"] == "running":
        assert client.is_live()
    assert gateway.messages["first"][1]["content"] == "You said: one two three"


def test_a_turn_that_fails_midway_raises_its_problem(client: Client, gateway: FakeGateway) -> None:
    gateway.breaks = problem(502, "provider_error", "Acme failed.")
    with pytest.raises(ProblemError, match=r"Acme failed\."):
        list(client.stream_chat("Hello"))


def test_a_refused_stream_raises_its_problem(client: Client, gateway: FakeGateway) -> None:
    gateway.refusals["POST /chat"] = problem(429, "limit_exceeded", "Enough.", retry_after=7)
    with pytest.raises(ProblemError, match="Enough") as caught:
        list(client.stream_chat("Hello"))
    assert caught.value.retry_after == 7


def test_chats_are_listed_read_and_deleted(client: Client, gateway: FakeGateway) -> None:
    gateway.add_chat("first", "Hello", "Hi")
    gateway.add_chat("second")
    assert [chat.chat_id for chat in client.list_chats().items] == ["second", "first"]
    history = client.get_chat("first")
    assert history.chat.message_count == 2
    assert [message.content for message in history.messages.items] == ["Hello", "Hi"]
    client.delete_chat("first")
    with pytest.raises(ProblemError, match="chat_not_found"):
        client.get_chat("first")


def test_a_list_is_walked_to_its_end(client: Client, gateway: FakeGateway) -> None:
    gateway.add_chat("long", *(str(number) for number in range(7)))
    texts = [message.content for message in client.all_messages("long", page_size=3)]
    pages = [one.query for one in gateway.calls("GET", "/chat/history/long")]
    assert texts == list("0123456")
    assert [page.get("page_token") for page in pages] == [None, "3", "6"]


def test_an_id_cannot_leave_its_place_in_the_path(client: Client, gateway: FakeGateway) -> None:
    with pytest.raises(ProblemError, match="chat_not_found"):
        client.get_chat("../../health?a=b#c")
    assert gateway.received[-1].path == "/chat/history/../../health?a=b#c"


def test_the_active_prompt_is_read_and_set(client: Client) -> None:
    assert client.get_active_prompt().prompt_id == "default"
    assert client.set_active_prompt("Be brief.").prompt_id == "custom"
    assert client.get_active_prompt().prompt == "Be brief."


def test_prompts_are_made_changed_used_and_deleted(client: Client) -> None:
    made = client.create_prompt("Pirate", "Arr.", "Talks like one")
    changed = client.update_prompt("pirate", content="Arr!")
    assert (made.prompt_id, changed.content, changed.version) == ("pirate", "Arr!", 2)
    assert client.activate_prompt("pirate").is_active
    assert client.get_prompt("pirate").is_active
    assert [prompt.prompt_id for prompt in client.all_prompts(page_size=2)][-1] == "pirate"
    client.delete_prompt("pirate")
    assert client.get_active_prompt().prompt_id == "default"
    with pytest.raises(ProblemError, match="prompt_shared"):
        client.update_prompt("default", content="?")


def test_providers_and_models_are_listed(client: Client) -> None:
    demo, acme, _ = client.list_providers()
    assert (demo.models, acme.error) == (("demo-fast", "demo-slow"), "Refused.")
    model = client.list_models("demo")[0]
    assert model.price is not None
    assert model.price.input == Decimal("1.25")
    assert client.get_provider_health("acme").status == "unhealthy"


def test_users_and_keys_are_kept(client: Client, gateway: FakeGateway) -> None:
    assert client.me().budgets == Budgets(daily=Decimal("1.50"))
    user = client.create_user("ada", role="admin")
    assert [one.user_id for one in client.all_users()] == [user.user_id]
    until = datetime.now(UTC) + timedelta(days=1)
    budgets = Budgets(monthly=Decimal("10.10"))
    key = client.create_key("ci", expires_at=until, limits=Limits(60), budgets=budgets)
    sent = gateway.calls("POST", "/keys")[0].body
    assert sent["limits"] == {"requests_per_hour": 60}
    assert sent["budgets"] == {"monthly": "10.10"}
    assert key.key not in repr(key)
    assert [one.expires_at for one in client.all_keys()] == [until]
    client.delete_key(key.key_id)
    assert client.list_keys().items == ()


def test_a_wrong_key_is_refused(gateway: FakeGateway) -> None:
    with Client(gateway.url, "clé") as stranger, pytest.raises(ProblemError) as caught:
        stranger.me()
    assert caught.value.status == 401


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://gateway.invalid"])
def test_a_gateway_that_is_away_is_said_to_be(url: str) -> None:
    with Client(url) as client, pytest.raises(GatewayUnreachable, match="cannot be reached"):
        client.health()


def test_a_gateway_that_is_too_slow_is_said_to_be(gateway: FakeGateway) -> None:
    gateway.first_after = 5
    impatient = Timeouts(reply=0.1, silence=0.1, resume=0)
    with Client(gateway.url, gateway.key, timeouts=impatient) as client:
        with pytest.raises(GatewayUnreachable, match="took too long"):
            client.chat("Hello")
        with pytest.raises(GatewayUnreachable, match="took too long"):
            list(client.stream_chat("Hello"))


def test_an_answer_that_is_no_stream_is_not_taken_for_one(gateway: FakeGateway) -> None:
    elsewhere = Client(f"{gateway.url}/elsewhere", gateway.key)
    with elsewhere, pytest.raises(ProblemError, match="route_not_found"):
        list(elsewhere.stream_chat("Hello"))
    unexpected = Call("GET", "/", lambda _: None, expected=frozenset({204}))
    with Client(gateway.url) as client, pytest.raises(UnexpectedAnswer, match="Status 200"):
        client.send(unexpected)


async def test_the_async_client_does_the_same(gateway: FakeGateway) -> None:
    gateway.add_chat("long", *(str(number) for number in range(5)))
    async with AsyncClient(gateway.url, gateway.key, timeouts=Timeouts(repeat=0)) as client:
        texts = [message.content async for message in client.all_messages("long", page_size=2)]
        events = [event async for event in client.stream_chat("Hello", chat_id="first")]
        reply = await client.chat("Hello", chat_id="first")
        gateway.refusals["POST /chat"] = problem(503, "too_busy", "Later.")
        with pytest.raises(ProblemError, match="too_busy"):
            await anext(client.stream_chat("Hello"))
    assert texts == list("01234")
    assert isinstance(events[-1], TurnEnd)
    assert reply.response == "You said: Hello"


async def test_async_calls_share_one_client(gateway: FakeGateway) -> None:
    async with AsyncClient(gateway.url, gateway.key) as client:
        replies = await asyncio.gather(*(client.chat(str(number)) for number in range(20)))
    assert [reply.response for reply in replies] == [f"You said: {n}" for n in range(20)]


def test_both_clients_have_the_same_methods() -> None:
    ours, theirs = (
        {name for name in vars(kind) if name[0] != "_"} for kind in (Client, AsyncClient)
    )
    assert ours == theirs


def test_a_method_shows_the_arguments_of_its_call(client: Client) -> None:
    assert list(inspect.signature(client.get_prompt).parameters) == ["prompt_id"]
    assert client.get_prompt.__doc__ == calls.get_prompt.__doc__
