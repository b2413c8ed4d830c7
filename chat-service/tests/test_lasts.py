"""A chat goes on with whom it asked last, whichever process knew it last."""

from __future__ import annotations

from uuid import uuid4

import pytest
from parley_chat_service.core.lasts import LastChoices
from parley_chat_service.core.model import Caller, Choice
from parley_chat_service.core.turn import Send

from .conftest import World, running
from .memory import MemoryStore

ZETA = Choice("zeta", "big")


async def send(world: World, caller: Caller, send: Send) -> Choice:
    """Hold a turn; return who was asked."""
    assert [event async for event in world.server.replies.send(caller, send)]
    return world.providers.requests[-1].choice


async def test_another_process_may_have_asked_somebody_else(world: World, ada: Caller) -> None:
    async with running(world.edges) as other:
        assert Choice("acme", "small") == await send(world, ada, Send("One", "c"))
        assert ZETA == await send(other, ada, Send("Two", "c", choice=ZETA))

        assert ZETA == await send(world, ada, Send("Three", "c"))
        assert ZETA == await send(other, ada, Send("Four", "c"))


async def test_a_chat_that_was_deleted_elsewhere_says_nothing(world: World, ada: Caller) -> None:
    async with running(world.edges) as other:
        assert ZETA == await send(world, ada, Send("One", "c", choice=ZETA))
        await other.server.chats.delete(ada, "c")

        assert Choice("acme", "small") == await send(world, ada, Send("Two", "c"))


async def test_a_key_is_found_whatever_was_assumed(world: World, ada: Caller) -> None:
    keyed = Send("One", "c", idempotency_key="k")
    async with running(world.edges) as other:
        await send(world, ada, keyed)
        await send(other, ada, Send("Two", "c", choice=ZETA))
        made = len(world.providers.requests)

        assert [event async for event in world.server.replies.send(ada, keyed)]

        assert made == len(world.providers.requests)


@pytest.mark.unit
async def test_a_chat_that_is_known_is_not_asked_for(
    small_world: World, memory: MemoryStore, ada: Caller
) -> None:
    for _ in range(3):
        await send(small_world, ada, Send("Hi", "c"))

    assert 1 == memory.looked_up  # before the first turn, when it was not known


@pytest.mark.unit
def test_so_many_chats_are_remembered() -> None:
    lasts, owner = LastChoices(most=2), uuid4()
    for name in "abc":
        lasts.note(owner, name, ZETA)

    assert [None, ZETA, ZETA] == [lasts.guess(owner, name) for name in "abc"]
