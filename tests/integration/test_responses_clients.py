"""OpenAI's own client, in front of a running platform: Responses, stored and not."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import openai
import psycopg
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response
from parley_tests.database import fresh_database
from parley_tests.platform import ADMIN_KEY, Platform, running_platform
from pydantic import BaseModel

pytestmark = pytest.mark.integration

Seen = TypeVar("Seen")
MODEL = "demo/demo"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CALL = '/call weather {"city": "Bonn"}'
WITHIN_SECONDS = 20.0


class Moon(BaseModel):
    """What is known of a moon."""

    name: str
    days: int


@pytest.fixture(scope="module")
def platform(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("responses")
    with (
        fresh_database(database_server) as url,
        running_platform(url, logs, {}) as platform,
    ):
        yield platform


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{platform.url}/v1", api_key=ADMIN_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def asking(platform: Platform) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=f"{platform.url}/v1", api_key=ADMIN_KEY, max_retries=0
    ) as client:
        yield client


def test_a_response_is_stored_and_read_again(client: OpenAI) -> None:
    made = client.responses.create(model=MODEL, input="/echo A day 🌙", instructions="Be brief.")

    assert ("A day 🌙", "completed", MODEL) == (made.output_text, made.status, made.model)
    assert made.usage
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens > 0
    again = client.responses.retrieve(made.id)
    assert (made.output, made.usage, made.created_at) == (
        again.output,
        again.usage,
        again.created_at,
    )
    [said] = client.responses.input_items.list(made.id)
    assert said.to_dict()["content"] == [{"type": "input_text", "text": "/echo A day 🌙"}]


async def test_a_stream_is_what_is_stored(asking: AsyncOpenAI) -> None:
    text = "/think First I think.\nThen I say 🌙."
    async with asking.responses.stream(model=MODEL, input=text) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()

    assert ("Then I say 🌙.", "completed") == (final.output_text, final.status)
    assert ["reasoning", "message"] == [item.type for item in final.output]
    assert ("response.created", "response.completed") == (kinds[0], kinds[-1])
    again = await asking.responses.retrieve(final.id)
    assert [item.to_dict() for item in again.output] == [
        without_parsed(item.to_dict()) for item in final.output
    ]
    replayed = [event async for event in await asking.responses.retrieve(final.id, stream=True)]
    assert "Then I say 🌙." == "".join(
        event.delta for event in replayed if event.type == "response.output_text.delta"
    )


def without_parsed(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what the client added to it."""
    for part in item.get("content") or ():
        part.pop("parsed", None)
    return item


@pytest.mark.parametrize("store", [True, False])
def test_an_answer_is_parsed(client: OpenAI, store: bool) -> None:
    said = '/echo {"name": "Moon", "days": 27}'

    parsed = client.responses.parse(model=MODEL, input=said, text_format=Moon, store=store)

    assert Moon(name="Moon", days=27) == parsed.output_parsed


def test_tools_are_called_and_answered_in_a_chain(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input=CALL, tools=[WEATHER])
    [call] = first.output
    assert call.type == "function_call"
    assert ("weather", '{"city": "Bonn"}') == (call.name, call.arguments)

    answer: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Wet."}
    second = client.responses.create(
        model=MODEL, input=[answer], tools=[WEATHER], previous_response_id=first.id
    )

    assert ("completed", first.id) == (second.status, second.previous_response_id)
    assert "Wet." in second.output_text
    [said] = client.responses.input_items.list(second.id)
    assert ("function_call_output", "Wet.") == (said.type, said.to_dict()["output"])


def test_tools_are_called_and_answered_by_whom_nothing_is_kept_for(
    client: OpenAI, platform: Platform
) -> None:
    before = messages(platform)
    said: list[Any] = [{"role": "user", "content": CALL}]
    with client.responses.stream(model=MODEL, input=said, tools=[WEATHER], store=False) as stream:
        kinds = [event.type for event in stream]
        first = stream.get_final_response()
    said += [item.to_dict() for item in first.output]
    [call] = [item for item in first.output if item.type == "function_call"]
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": "Wet."})

    second = client.responses.create(model=MODEL, input=said, tools=[WEATHER], store=False)

    assert "response.function_call_arguments.done" in kinds
    assert "Wet." in second.output_text
    assert before == messages(platform)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(second.id)


def messages(platform: Platform) -> int:
    """How many messages are stored."""
    with psycopg.connect(platform.environment["DATABASE_URL"]) as connection:
        [(count,)] = connection.execute("select count(*) from chat.messages")
    return int(count)


def test_a_chain_and_its_branches(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="/echo one")
    second = client.responses.create(model=MODEL, input="/echo two", previous_response_id=first.id)
    branch = client.responses.create(
        model=MODEL, input="/echo three", previous_response_id=first.id
    )

    assert ["one", "two", "three"] == [one.output_text for one in (first, second, branch)]
    for one in (second, branch):
        assert first.id == client.responses.retrieve(one.id).previous_response_id
    with pytest.raises(openai.ConflictError) as refused:
        client.responses.delete(first.id)
    assert "chat_goes_on" == refused.value.code
    alone = client.responses.create(model=MODEL, input="/echo alone")
    client.responses.delete(alone.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(alone.id)


def test_who_instructs_is_heard_in_what_follows(client: OpenAI) -> None:
    said: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "/echo a"},
    ]
    tokens = []
    for asked in (said, "/echo a"):
        first = client.responses.create(model=MODEL, input=asked)
        second = client.responses.create(
            model=MODEL, input="/echo b", previous_response_id=first.id
        )
        assert ["a", "b"] == [first.output_text, second.output_text]
        assert second.usage
        tokens.append(second.usage.input_tokens)
        if asked is said:
            listed = client.responses.input_items.list(first.id, order="asc")
            assert ["developer", "user"] == [item.to_dict()["role"] for item in listed]

    assert tokens[0] > tokens[1]


def test_a_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"topic": "demo"})
    for number in range(3):
        said = f"/echo {number}"
        made = client.responses.create(model=MODEL, input=said, conversation=conversation.id)
        assert made.conversation
        assert conversation.id == made.conversation.id

    kept = client.conversations.retrieve(conversation.id)
    assert (conversation.id, "conversation") == (kept.id, kept.object)
    items = client.conversations.items.list(conversation.id, order="asc", limit=4)
    for item in items.data:
        assert item.id
        assert item == client.conversations.items.retrieve(item.id, conversation_id=conversation.id)
    texts = [content_of(item)[0]["text"] for item in items]
    assert ["/echo 0", "0", "/echo 1", "1", "/echo 2", "2"] == texts
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(conversation.id)


def content_of(item: Any) -> list[dict[str, Any]]:
    """What an item holds, as it came."""
    content: list[dict[str, Any]] = item.to_dict()["content"]
    return content


def settled(client: OpenAI, response_id: str) -> Response:
    """A response when it is no longer made."""
    give_up = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < give_up:
        response = client.responses.retrieve(response_id)
        if response.status not in ("queued", "in_progress"):
            return response
        time.sleep(0.1)
    raise TimeoutError(response_id)


def test_in_the_background(client: OpenAI) -> None:
    made = client.responses.create(model=MODEL, input="/hold 0.5", background=True)
    slow = client.responses.create(model=MODEL, input="/slow 60", background=True)

    assert {"in_progress"} == {made.status, slow.status}
    assert ("completed", "Holding … released.") == (
        (done := settled(client, made.id)).status,
        done.output_text,
    )
    client.responses.cancel(slow.id)
    assert "cancelled" == settled(client, slow.id).status


async def test_only_what_is_stored_goes_on_when_its_client_leaves(
    asking: AsyncOpenAI, platform: Platform
) -> None:
    ids = []
    for store in (True, False):
        stream = await asking.responses.create(
            model=MODEL, input="/hold 1", stream=True, store=store
        )
        async for event in stream:
            if event.type == "response.created":
                ids.append(event.response.id)
            if event.type == "response.output_text.delta":
                break
        await stream.close()

    kept = await until(lambda: response_of(asking, ids[0]), lambda it: it.status != "in_progress")
    told = await until(lambda: outcome(platform, ids[1]), bool)
    assert ("completed", "stopped") == (kept.status, told)


async def until(look: Callable[[], Awaitable[Seen]], enough: Callable[[Seen], bool]) -> Seen:
    """Look again and again until it is enough."""
    give_up = time.monotonic() + WITHIN_SECONDS
    while not enough(seen := await look()):
        assert time.monotonic() < give_up, seen
        await asyncio.sleep(0.1)
    return seen


async def response_of(asking: AsyncOpenAI, response_id: str) -> Response:
    return await asking.responses.retrieve(response_id)


async def outcome(platform: Platform, response_id: str) -> str:
    """How the ledger says that a call ended; nothing as long as it runs."""
    usage_id = response_id.removeprefix("resp_")
    async with await psycopg.AsyncConnection.connect(
        platform.environment["DATABASE_URL"]
    ) as connection:
        row = await connection.execute(
            "select coalesce(outcome, '') from provider.provider_usage where usage_id = %s",
            [usage_id],
        )
        [(told,)] = await row.fetchall()
    return str(told)


@pytest.mark.parametrize("store", [True, False])
def test_failures_have_the_clients_own_classes(client: OpenAI, store: bool) -> None:
    def ask(**fields: Any) -> None:
        client.responses.create(**{"model": MODEL, "input": "Hi", "store": store, **fields})

    for fields, refusal in (
        ({"model": "nobody/nothing"}, openai.NotFoundError),
        ({"input": "/error 429"}, openai.RateLimitError),
        ({"input": "/error 500"}, openai.InternalServerError),
        ({"temperature": 9}, openai.BadRequestError),
        ({"prompt": {"id": "p"}}, openai.BadRequestError),
        ({"extra_headers": {"Authorization": "Bearer no"}}, openai.AuthenticationError),
    ):
        with pytest.raises(refusal):
            ask(**fields)


@pytest.mark.parametrize("store", [True, False])
def test_a_failure_on_the_way_ends_the_stream(client: OpenAI, store: bool) -> None:
    stream = client.responses.create(
        model=MODEL, input="/break 500 So far", stream=True, store=store
    )

    events = list(stream)

    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.error
    assert ("failed", "server_error") == (last.response.status, last.response.error.code)


async def test_a_response_is_its_owners_alone(client: OpenAI, platform: Platform) -> None:
    made = client.responses.create(model=MODEL, input="/echo mine")
    other = OpenAI(base_url=f"{platform.url}/v1", api_key=await platform.new_user("other"))

    for look in (
        lambda: other.responses.retrieve(made.id),
        lambda: other.responses.delete(made.id),
        lambda: other.responses.cancel(made.id),
        lambda: other.responses.input_items.list(made.id),
    ):
        with pytest.raises(openai.NotFoundError):
            look()
    with pytest.raises(openai.BadRequestError) as refused:
        other.responses.create(model=MODEL, input="Hi", previous_response_id=made.id)
    assert ("previous_response_id", "previous_response_not_found") == (
        refused.value.param,
        refused.value.code,
    )
    assert "mine" == client.responses.retrieve(made.id).output_text


def test_input_is_counted_and_images_are_looked_at(client: OpenAI) -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    pieces: list[Any] = [
        {"type": "input_text", "text": "/echo seen"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{png}", "detail": "auto"},
    ]
    said: Any = [{"role": "user", "content": pieces}]

    assert client.responses.input_tokens.count(model=MODEL, input=said).input_tokens > 0
    made = client.responses.create(model=MODEL, input=said)
    assert "seen" == made.output_text
    [item] = client.responses.input_items.list(made.id)
    assert ["input_text", "input_image"] == [one["type"] for one in content_of(item)]
