"""The prompt service behind its port, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from parley_chat_service.adapters.prompts import GrpcPrompts
from parley_chat_service.core.model import Caller, Prompt
from parley_rpc.client import Peer
from parley_rpc.faults import RemoteFault
from parley_tests.believing import new_caller

from .peers import PromptPeer, ProviderPeer, serving

pytestmark = pytest.mark.unit

WITHIN = 5.0


@pytest.fixture
def peer() -> PromptPeer:
    return PromptPeer()


@pytest.fixture
async def prompts(peer: PromptPeer) -> AsyncIterator[GrpcPrompts]:
    async with serving(ProviderPeer(), peer) as address:
        client = Peer("prompt", address, None)
        yield GrpcPrompts(client)
        await client.aclose()


@pytest.fixture
def caller() -> Caller:
    user = uuid4()
    return Caller(user, new_caller(str(user), "k", "r", valid_for=60).metadata)


async def test_an_activation_counts_from_the_next_question_on(
    prompts: GrpcPrompts, peer: PromptPeer, caller: Caller
) -> None:
    assert Prompt("Be kind.", 3) == await prompts.active(caller, WITHIN)
    peer.content = "Be brief."
    assert Prompt("Be brief.", 3) == await prompts.active(caller, WITHIN)
    assert [str(caller.owner_id)] * 2 == peer.users


async def test_a_prompt_is_got_by_name(prompts: GrpcPrompts, caller: Caller) -> None:
    assert Prompt("Be kind.", 3) == await prompts.get(caller, "pirate", WITHIN)
    with pytest.raises(RemoteFault):
        await prompts.get(caller, "poet", WITHIN)
