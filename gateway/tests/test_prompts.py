"""The prompt library over HTTP."""

from __future__ import annotations

import httpx
import pytest
from parley_rpc.faults import AlreadyExists, InvalidArgument, NotFound, Origin, RemoteFault

from parley.prompt.v1 import prompt_pb2

from .fakes import Script
from .turns import AT

pytestmark = pytest.mark.unit

PROMPT = prompt_pb2.Prompt(
    prompt_id="pirate",
    name="Pirate",
    content="Arr.",
    description="",
    version=2,
    is_active=True,
    shared=False,
    created_at=AT,
    updated_at=AT,
)
SHOWN = {
    "prompt_id": "pirate",
    "name": "Pirate",
    "content": "Arr.",
    "description": "",
    "version": 2,
    "is_active": True,
    "shared": False,
    "created_at": "2026-11-23T12:00:00.250000Z",
    "updated_at": "2026-11-23T12:00:00.250000Z",
}
ACTIVE = {"prompt": "Arr.", "prompt_id": "pirate", "name": "Pirate", "version": 2}
ROUTES = {
    "GetPrompt": ("GET", "/system-prompts/pirate", None),
    "CreatePrompt": ("POST", "/system-prompts", {"name": "Pirate", "content": "Arr."}),
    "UpdatePrompt": ("PUT", "/system-prompts/pirate", {"content": "Arr."}),
    "DeletePrompt": ("DELETE", "/system-prompts/pirate", None),
    "ActivatePrompt": ("POST", "/system-prompts/pirate/activate", None),
}


async def test_the_active_prompt_is_got(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["GetActivePrompt"] = prompt_pb2.GetActivePromptResponse(prompt=PROMPT)

    assert ACTIVE == (await client.get("/system-prompt")).json()


async def test_the_active_prompt_is_set(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["SetActivePrompt"] = prompt_pb2.SetActivePromptResponse(prompt=PROMPT)

    answer = await client.post("/system-prompt", json={"prompt": "Arr."})

    assert (ACTIVE, "Arr.") == (answer.json(), script.last.request.content)


async def test_a_text_is_blamed_by_its_name_here(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["SetActivePrompt"] = InvalidArgument.of("content", "No.")

    answer = await client.post("/system-prompt", json={"prompt": "Arr."})

    assert [{"pointer": "/prompt", "detail": "No."}] == answer.json()["errors"]


async def test_prompts_are_listed(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["ListPrompts"] = prompt_pb2.ListPromptsResponse(prompts=[PROMPT])

    answer = await client.get("/system-prompts?page_size=3")

    assert {"prompts": [SHOWN], "next_page_token": None} == answer.json()
    assert 3 == script.last.request.page_size


@pytest.mark.parametrize(
    ("call", "status"),
    [("GetPrompt", 200), ("CreatePrompt", 201), ("UpdatePrompt", 200), ("ActivatePrompt", 200)],
)
async def test_a_prompt_is_got_made_changed_activated(
    client: httpx.AsyncClient, script: Script, call: str, status: int
) -> None:
    method, path, body = ROUTES[call]
    script.answers[call] = getattr(prompt_pb2, f"{call}Response")(prompt=PROMPT)

    answer = await client.request(method, path, json=body)

    assert (status, SHOWN) == (answer.status_code, answer.json())


@pytest.mark.parametrize("field", ["name", "content", "description"])
async def test_only_what_is_given_is_changed(
    client: httpx.AsyncClient, script: Script, field: str
) -> None:
    script.answers["UpdatePrompt"] = prompt_pb2.UpdatePromptResponse(prompt=PROMPT)

    await client.put("/system-prompts/pirate", json={field: "New"})

    sent = script.last.request
    given = [name for name in ("name", "content", "description") if sent.HasField(name)]
    assert ("pirate", [field]) == (sent.prompt_id, given)


async def test_a_prompt_is_deleted(client: httpx.AsyncClient, script: Script) -> None:
    answer = await client.delete("/system-prompts/pirate")

    assert (204, "pirate") == (answer.status_code, script.last.request.prompt_id)


@pytest.mark.parametrize("call", ["GetPrompt", "UpdatePrompt", "DeletePrompt", "ActivatePrompt"])
async def test_a_missing_prompt_is_404(
    client: httpx.AsyncClient, script: Script, call: str
) -> None:
    method, path, body = ROUTES[call]
    origin = Origin(NotFound, "prompt_not_found", "prompt.parley")
    script.answers[call] = RemoteFault("There is none.", origin)

    answer = await client.request(method, path, json=body)

    assert (404, "prompt_not_found") == (answer.status_code, answer.json()["reason"])


async def test_a_taken_name_is_409(client: httpx.AsyncClient, script: Script) -> None:
    origin = Origin(AlreadyExists, "prompt_exists", "prompt.parley")
    script.answers["CreatePrompt"] = RemoteFault("Taken.", origin)
    method, path, body = ROUTES["CreatePrompt"]

    answer = await client.request(method, path, json=body)

    assert (409, "prompt_exists") == (answer.status_code, answer.json()["reason"])
