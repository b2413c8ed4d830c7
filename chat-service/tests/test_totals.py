"""What a chat cost is the sum of what its messages say, in every store."""

from __future__ import annotations

from dataclasses import replace

from parley_chat_service.bootstrap import Edges
from parley_chat_service.core.model import Caller, ChatQuery, Choice, Status, Totals, Usage
from parley_chat_service.core.turn import Send, Settled

from .test_store import begin, ending, messages


async def totals(edges: Edges, caller: Caller, chat_id: str = "c") -> Totals:
    chat = await edges.chats.get_chat(caller.owner_id, chat_id)
    assert chat is not None
    assert chat.totals is not None
    return chat.totals


async def test_a_chat_costs_what_its_messages_cost(edges: Edges, ada: Caller, bob: Caller) -> None:
    for status in (Status.COMPLETE, Status.STOPPED, Status.FAILED):
        turn, _ = await begin(edges, ada, Send("Hi", "c"))
        await edges.turns.end(ending(turn, "Ho", status))
    other, _ = await begin(edges, bob, Send("Hi", "c"))
    await edges.turns.end(ending(other, "Ho"))

    summed, shown = await totals(edges, ada), await messages(edges, ada, "c")

    assert Totals(210_000, 0, 0, 30, 9_000_000_000, 6, 3) == summed
    assert summed.cost_nano_usd == sum(one.cost.nano_usd for one in shown if one.cost)
    assert summed.output_tokens == sum(one.usage.output_tokens for one in shown if one.usage)


async def test_unknown_prices_and_what_is_not_settled_are_counted_apart(
    edges: Edges, ada: Caller
) -> None:
    unpriced, _ = await begin(edges, ada, Send("Hi", "c"))
    await edges.turns.end(replace(ending(unpriced, "Ho"), cost=None))
    cut, _ = await begin(edges, ada, Send("Hi", "c"))
    bare = replace(ending(cut, "Ho", Status.INTERRUPTED), usage=None, cost=None, unsettled=True)
    await edges.turns.end(bare)
    await begin(edges, ada, Send("Hi", "c"))

    before = await totals(edges, ada)
    usage, cost = Usage(5, 6, 0, 0, "estimated"), ending(cut, "").cost
    await edges.usages.settle({cut.message_id: Settled(usage, cost, Choice("acme", "small"))})
    after = await totals(edges, ada)

    assert (0, 1, 2) == before[:3]
    assert (70_000, 1, 1, 15) == after[:4]


async def test_lists_are_not_summed(edges: Edges, ada: Caller) -> None:
    await begin(edges, ada, Send("Hi", "c"))

    page = await edges.chats.list_chats(ada.owner_id, ChatQuery(3))

    assert [None] == [chat.totals for chat in page.chats]
