"""Stored responses and conversations over fakes: read, told again, stopped, deleted, listed."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from openai.types.conversations import ConversationItemList
from openai.types.responses import Response, ResponseItemList
from parley_rpc.faults import NotFound, Origin, RemoteFault
from typing_extensions import override

from parley.chat.v1 import chat_pb2
from parley.provider.v1 import reply_pb2

from .fakes import Script
from .turns import AT, delta

pytestmark = pytest.mark.unit

REPLY_ID = "01990000-0000-7000-8000-0000000000a2"
REPLY = REPLY_ID.replace("-", "")
SAID_ID = "01990000-0000-7000-8000-0000000000a1"
BEFORE_ID = "01990000-0000-7000-8000-0000000000a0"
RESPONSE_ID = "resp_019900000000700080000000000000a2"
PATH = f"/v1/responses/{RESPONSE_ID}"
ITEMS = "/v1/conversations/c1/items"


def reply(**fields: Any) -> chat_pb2.Message:
    return chat_pb2.Message(
        **{
            "message_id": REPLY_ID,
            "parent_id": SAID_ID,
            "sibling_ids": [REPLY_ID],
            "role": reply_pb2.ROLE_ASSISTANT,
            "content": "A day.",
            "reasoning": "Hm.",
            "status": chat_pb2.MESSAGE_STATUS_COMPLETE,
            "finish_reason": reply_pb2.FINISH_REASON_STOP,
            "provider": "demo",
            "model": "demo-1",
            "usage": reply_pb2.Usage(input_tokens=7, output_tokens=3),
            "created_at": AT,
            **fields,
        }
    )


def said(**fields: Any) -> chat_pb2.Message:
    first = reply_pb2.InputMessage(
        role=reply_pb2.ROLE_TOOL,
        parts=[reply_pb2.Part(tool_result=reply_pb2.ToolResult(tool_call_id="c", content="wet"))],
    )
    png = reply_pb2.Blob(media_type="image/png", data=b"png")
    second = reply_pb2.InputMessage(
        role=reply_pb2.ROLE_USER,
        parts=[reply_pb2.Part(text="Hello"), reply_pb2.Part(image=png)],
    )
    return chat_pb2.Message(
        **{
            "message_id": SAID_ID,
            "sibling_ids": [SAID_ID],
            "role": reply_pb2.ROLE_USER,
            "content": "Hello",
            "input": [first, second],
            "created_at": AT,
            **fields,
        }
    )


class Kept:
    """The messages that the chat service has, by their names."""

    def __init__(self, script: Script) -> None:
        self.messages: dict[str, chat_pb2.Message] = {}
        self.chat = chat_pb2.Chat(chat_id="c1", message_count=2, created_at=AT)
        self.script = script
        self.put(reply())
        self.put(said())

    def put(self, message: chat_pb2.Message) -> None:
        self.messages[message.message_id] = message

    def get(self, message_id: str) -> chat_pb2.GetMessageResponse:
        if message_id not in self.messages:
            origin = Origin(NotFound, "message_not_found", "chat.parley")
            raise RemoteFault(f"There is no message {message_id}.", origin)
        return chat_pb2.GetMessageResponse(message=self.messages[message_id], chat=self.chat)


class Looking(dict[str, Any]):
    """Answers that depend on what was asked last."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self.kept = kept

    @override
    def get(self, method: str, default: Any = None) -> Any:
        if method == "GetMessage":
            return self.kept.get(self.kept.script.last.request.message_id)
        return super().get(method, default)


@pytest.fixture
def kept(script: Script) -> Kept:
    kept = Kept(script)
    script.answers = Looking(kept)
    return kept


async def test_a_response_is_read(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.put(said(parent_id=BEFORE_ID))

    document = (await client.get(PATH)).json()

    response = Response.model_validate(document)
    assert (RESPONSE_ID, "completed", "demo/demo-1", 1795435200) == (
        response.id,
        response.status,
        response.model,
        response.created_at,
    )
    assert "resp_019900000000700080000000000000a0" == response.previous_response_id
    assert ["reasoning", "message"] == [item.type for item in response.output]
    assert "A day." == response.output_text


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (chat_pb2.MESSAGE_STATUS_RUNNING, "in_progress"),
        (chat_pb2.MESSAGE_STATUS_STOPPED, "cancelled"),
        (chat_pb2.MESSAGE_STATUS_FAILED, "failed"),
        (chat_pb2.MESSAGE_STATUS_INTERRUPTED, "failed"),
    ],
)
async def test_a_response_says_how_far_it_is(
    client: httpx.AsyncClient, kept: Kept, status: Any, told: str
) -> None:
    kept.put(reply(status=status, error_reason="overloaded", finish_reason=0))

    document = (await client.get(PATH)).json()

    assert (told, told == "failed") == (document["status"], document["error"] is not None)
    Response.model_validate(document)


async def test_a_refusal_is_called_one(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.put(reply(finish_reason=reply_pb2.FINISH_REASON_REFUSAL, content="No."))

    [_, message] = (await client.get(PATH)).json()["output"]

    assert [{"type": "refusal", "refusal": "No."}] == message["content"]


async def test_a_response_is_told_again(
    client: httpx.AsyncClient, kept: Kept, script: Script
) -> None:
    start = chat_pb2.TurnStart(
        chat_id="c1", user_message_id=SAID_ID, message_id=REPLY_ID, provider="demo", model="demo-1"
    )
    script.turn = [
        chat_pb2.SendMessageResponse(start=start),
        delta("A day.", "0.6"),
        chat_pb2.SendMessageResponse(end=chat_pb2.TurnEnd(message=reply())),
    ]

    answer = await client.get(PATH, params={"stream": "true"})

    assert "event: response.created\n" in answer.text
    last = orjson.loads(answer.text.strip().rpartition("data: ")[2])
    assert ("response.completed", RESPONSE_ID) == (last["type"], last["response"]["id"])
    refused = await client.get(PATH, params={"stream": "true", "starting_after": 3})
    assert (400, "starting_after") == (refused.status_code, refused.json()["error"]["param"])


@pytest.mark.parametrize("name", ["resp_1", "resp_" + 32 * "0", "resp_" + SAID_ID.replace("-", "")])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]
)
async def test_what_is_not_there_is_missed_by_its_own_name(
    client: httpx.AsyncClient, kept: Kept, method: str, path: str, name: str
) -> None:
    answer = await client.request(method, f"/v1/responses/{name}{path}")

    error = answer.json()["error"]
    assert (404, f"Response with id '{name}' not found.") == (answer.status_code, error["message"])


async def test_a_response_that_is_alone_is_deleted_with_its_chat(
    client: httpx.AsyncClient, kept: Kept, script: Script
) -> None:
    answer = await client.delete(PATH)

    assert {"id": RESPONSE_ID, "object": "response", "deleted": True} == answer.json()
    assert ("DeleteChat", "c1") == (script.last.method, script.last.request.chat_id)


@pytest.mark.parametrize("more", ["before", "behind", "beside", "another try"])
async def test_a_response_among_others_is_not_deleted(
    client: httpx.AsyncClient, kept: Kept, script: Script, more: str
) -> None:
    if more == "before":
        kept.put(said(parent_id=BEFORE_ID))
    elif more == "behind":
        kept.chat.message_count = 4
    elif more == "beside":
        kept.put(said(sibling_ids=[SAID_ID, BEFORE_ID]))
    else:
        kept.put(reply(sibling_ids=[REPLY_ID, BEFORE_ID]))

    answer = await client.delete(PATH)

    assert (409, "chat_goes_on") == (answer.status_code, answer.json()["error"]["code"])
    assert "DeleteChat" not in [one.method for one in script.received]


async def test_a_response_is_stopped(client: httpx.AsyncClient, kept: Kept, script: Script) -> None:
    stopped = reply(status=chat_pb2.MESSAGE_STATUS_STOPPED)
    script.answers["StopMessage"] = chat_pb2.StopMessageResponse(message=stopped)

    answer = await client.post(f"{PATH}/cancel")

    assert ("cancelled", RESPONSE_ID) == (answer.json()["status"], answer.json()["id"])
    asked = [one.request for one in script.received if one.method == "StopMessage"]
    assert [("c1", REPLY_ID)] == [(one.chat_id, one.message_id) for one in asked]


async def test_what_was_said_is_listed_page_by_page(client: httpx.AsyncClient, kept: Kept) -> None:
    newest = (await client.get(f"{PATH}/input_items", params={"limit": 1})).json()
    rest = (await client.get(f"{PATH}/input_items", params={"after": newest["last_id"]})).json()
    oldest = (await client.get(f"{PATH}/input_items", params={"order": "asc"})).json()

    ResponseItemList.model_validate(oldest)
    assert [True, False, False] == [page["has_more"] for page in (newest, rest, oldest)]
    assert newest["data"] + rest["data"] == oldest["data"][::-1]
    assert ["function_call_output", "message"] == [item["type"] for item in oldest["data"]]
    assert {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,cG5n"} == (
        oldest["data"][1]["content"][1]
    )
    unknown = await client.get(f"{PATH}/input_items", params={"after": "msg_1"})
    assert (400, "after") == (unknown.status_code, unknown.json()["error"]["param"])


async def test_who_instructed_is_listed_as_such(client: httpx.AsyncClient, kept: Kept) -> None:
    roles = reply_pb2.ROLE_SYSTEM, reply_pb2.ROLE_USER, reply_pb2.ROLE_DEVELOPER
    part = reply_pb2.Part(text="Hi")
    kept.put(said(input=[reply_pb2.InputMessage(role=role, parts=[part]) for role in roles]))

    listed = (await client.get(f"{PATH}/input_items", params={"order": "asc"})).json()

    ResponseItemList.model_validate(listed)
    assert [("system", "input_text"), ("user", "input_text"), ("developer", "input_text")] == [
        (item["role"], item["content"][0]["type"]) for item in listed["data"]
    ]


async def test_what_came_as_a_chats_message_is_listed_too(
    client: httpx.AsyncClient, kept: Kept
) -> None:
    kept.put(said(input=[]))

    [item] = (await client.get(f"{PATH}/input_items")).json()["data"]

    assert [{"type": "input_text", "text": "Hello"}] == item["content"]


async def test_a_conversation_is_named_and_begins_with_its_first_response(
    client: httpx.AsyncClient, script: Script
) -> None:
    made = (await client.post("/v1/conversations", json={"metadata": {"a": "b"}})).json()
    without_body = await client.post("/v1/conversations")

    assert (37, {"a": "b"}) == (len(made["id"]), made["metadata"])
    assert made["id"].startswith("conv_")
    assert 200 == without_body.status_code
    body = {"items": [{"role": "user", "content": "Hi"}]}
    refused = await client.post("/v1/conversations", json=body)
    assert (400, "items") == (refused.status_code, refused.json()["error"]["param"])
    assert [] == script.received


async def test_a_conversation_is_read_and_deleted_as_its_chat(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["GetChat"] = chat_pb2.GetChatResponse(
        chat=chat_pb2.Chat(chat_id="c1", created_at=AT)
    )

    read = (await client.get("/v1/conversations/c1")).json()
    deleted = (await client.delete("/v1/conversations/c1")).json()

    assert ("c1", 1795435200) == (read["id"], read["created_at"])
    assert {"id": "c1", "object": "conversation.deleted", "deleted": True} == deleted
    assert ["GetChat", "DeleteChat"] == [one.method for one in script.received]
    assert ["c1", "c1"] == [one.request.chat_id for one in script.received]


@pytest.mark.parametrize(
    ("method", "path", "rpc"),
    [
        ("GET", "/v1/conversations/c9", "GetChat"),
        ("DELETE", "/v1/conversations/c9", "DeleteChat"),
        ("GET", "/v1/conversations/c9/items", "ListMessages"),
        ("GET", "/v1/conversations/c9/items/msg_1", "GetChat"),
    ],
)
async def test_a_conversation_that_is_not_there_is_refused_in_the_originals_words(
    client: httpx.AsyncClient, script: Script, method: str, path: str, rpc: str
) -> None:
    origin = Origin(NotFound, "chat_not_found", "chat.parley")
    script.answers[rpc] = RemoteFault("There is none.", origin)

    answer = await client.request(method, path)

    told = "Conversation with id 'c9' not found."
    assert (404, told) == (answer.status_code, answer.json()["error"]["message"])


async def test_the_items_of_a_conversation_are_listed_page_by_page(
    client: httpx.AsyncClient, kept: Kept, script: Script
) -> None:
    script.paged["ListMessages"] = {
        "": chat_pb2.ListMessagesResponse(messages=[said(input=[])], next_page_token="more"),
        "more": chat_pb2.ListMessagesResponse(messages=[reply()]),
    }

    whole = (await client.get(ITEMS, params={"order": "asc"})).json()
    first = (await client.get(ITEMS, params={"order": "asc", "limit": 3})).json()
    rest = (await client.get(ITEMS, params={"order": "asc", "after": first["last_id"]})).json()

    ConversationItemList.model_validate(whole)
    kinds = [(item["type"], item.get("role")) for item in whole["data"]]
    assert [
        ("function_call_output", None),
        ("message", "user"),
        ("reasoning", None),
        ("message", "assistant"),
    ] == kinds
    assert whole["data"] == first["data"] + rest["data"]
    assert (True, False) == (first["has_more"], rest["has_more"])
    unknown = await client.get(ITEMS, params={"after": "msg_1"})
    assert (400, "after") == (unknown.status_code, unknown.json()["error"]["param"])


async def test_each_item_of_a_conversation_is_read_by_its_name(
    client: httpx.AsyncClient, kept: Kept, script: Script
) -> None:
    script.answers["GetChat"] = chat_pb2.GetChatResponse(chat=kept.chat)
    script.answers["ListMessages"] = chat_pb2.ListMessagesResponse(
        messages=[said(input=[]), reply()]
    )
    listed = (await client.get(ITEMS)).json()["data"]

    read = [(await client.get(f"{ITEMS}/{item['id']}")).json() for item in listed]

    assert 4 == len(read)
    assert listed == read


@pytest.mark.parametrize("item", [f"msg_{REPLY}0001", f"msg_{'0' * 36}", "msg_1", "item"])
async def test_an_item_that_is_not_there_is_404(
    client: httpx.AsyncClient, kept: Kept, script: Script, item: str
) -> None:
    script.answers["GetChat"] = chat_pb2.GetChatResponse(chat=kept.chat)

    answer = await client.get(f"{ITEMS}/{item}")

    told = f"Item with id '{item}' not found."
    assert (404, told) == (answer.status_code, answer.json()["error"]["message"])


async def test_an_item_of_another_conversation_is_404(
    client: httpx.AsyncClient, kept: Kept, script: Script
) -> None:
    other = chat_pb2.Chat(chat_id="c2", created_at=AT)
    script.answers["GetChat"] = chat_pb2.GetChatResponse(chat=other)

    answer = await client.get(f"/v1/conversations/c2/items/msg_{REPLY}0000")

    assert (404, "message_not_found") == (answer.status_code, answer.json()["error"]["code"])
