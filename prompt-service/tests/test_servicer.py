"""The calls of PromptService, through a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest
from parley_prompt_service.bootstrap import NAME, build_server
from parley_rpc.client import Peer
from parley_rpc.context import Metadata
from parley_rpc.faults import RemoteFault, reason_of
from parley_tests.believing import OpenToAnybody, new_caller

from parley.prompt.v1 import prompt_pb2 as pb
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceStub

from .fakes import MemoryPromptStore

pytestmark = pytest.mark.unit

Call = Callable[..., Any]


def metadata(user: UUID) -> Metadata:
    return new_caller(str(user), "key", "request", valid_for=60).metadata


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    server = build_server(MemoryPromptStore(), OpenToAnybody())
    await server.start("127.0.0.1:0", [NAME])
    peer = Peer("prompt", f"127.0.0.1:{server.port}", None)
    yield peer
    await peer.aclose()
    await server.stop(0)


@pytest.fixture
def call(peer: Peer, ada: UUID) -> Call:
    """Call a method by its name in Ada's name; raise the fault that comes back."""
    stub: Any = PromptServiceStub(peer.channel)

    async def call(method: str, user: UUID = ada, **fields: Any) -> Any:
        request = getattr(pb, f"{method}Request")(**fields)
        return await peer.unary(getattr(stub, method)(request, timeout=5, metadata=metadata(user)))

    return call


async def test_a_prompt_lives_from_creation_to_deletion(call: Call) -> None:
    made = await call("CreatePrompt", name="Sea Dog", content="Arr.", description="Talks.")
    got = await call("GetPrompt", prompt_id="sea-dog")
    changed = await call("UpdatePrompt", prompt_id="sea-dog", content="Arr!", description="")
    activated = await call("ActivatePrompt", prompt_id="sea-dog")
    active = await call("GetActivePrompt")
    await call("DeletePrompt", prompt_id="sea-dog")

    assert made.prompt == got.prompt
    assert ("Sea Dog", "Arr!", "", 2) == (
        changed.prompt.name,
        changed.prompt.content,
        changed.prompt.description,
        changed.prompt.version,
    )
    assert activated.prompt == active.prompt
    assert "default" == (await call("GetActivePrompt")).prompt.prompt_id


async def test_an_update_without_fields_changes_nothing(call: Call) -> None:
    await call("CreatePrompt", name="Pirate", content="Arr.", description="Talks.")

    same = (await call("UpdatePrompt", prompt_id="pirate")).prompt

    assert ("Pirate", "Arr.", "Talks.", 1) == (
        same.name,
        same.content,
        same.description,
        same.version,
    )


async def test_lists_come_in_pages(call: Call) -> None:
    first = await call("ListPrompts", page_size=2)
    rest = await call("ListPrompts", page_size=2, page_token=first.next_page_token)

    names = [prompt.name for prompt in [*first.prompts, *rest.prompts]]
    assert ["Code Assistant", "Default", "Research Assistant"] == names
    assert "" == rest.next_page_token


async def test_setting_the_active_prompt_answers_it(call: Call, bob: UUID) -> None:
    made = (await call("SetActivePrompt", content="Be brief.")).prompt

    assert ("custom", "Be brief.", True) == (made.prompt_id, made.content, made.is_active)
    assert made == (await call("GetActivePrompt")).prompt
    assert "default" == (await call("GetActivePrompt", user=bob)).prompt.prompt_id


@pytest.mark.parametrize(
    ("method", "fields", "reason"),
    [
        ("GetPrompt", {"prompt_id": "pirate"}, "prompt_not_found"),
        ("UpdatePrompt", {"prompt_id": "default", "content": "x"}, "prompt_shared"),
        ("DeletePrompt", {"prompt_id": "default"}, "prompt_shared"),
        ("ActivatePrompt", {"prompt_id": "pirate"}, "prompt_not_found"),
        ("CreatePrompt", {"name": "default", "content": "x"}, "prompt_exists"),
        ("CreatePrompt", {"name": "x", "content": ""}, "invalid_argument"),
        ("SetActivePrompt", {"content": "\0"}, "invalid_argument"),
        ("ListPrompts", {"page_size": 101}, "invalid_argument"),
        ("ListPrompts", {"page_token": "?"}, "invalid_argument"),
    ],
)
async def test_failures_have_reasons(
    call: Call, method: str, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RemoteFault) as caught:
        await call(method, **fields)

    assert reason == reason_of(caught.value)


async def test_a_call_for_nobody_is_refused(peer: Peer) -> None:
    stub: Any = PromptServiceStub(peer.channel)

    with pytest.raises(RemoteFault) as caught:
        await peer.unary(stub.GetActivePrompt(pb.GetActivePromptRequest(), timeout=5))

    assert "unauthenticated" == reason_of(caught.value)
