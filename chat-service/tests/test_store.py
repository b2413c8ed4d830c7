"""One suite for every store: what the fake says must be true of PostgreSQL."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import UUID, uuid4

from parley_chat_service.bootstrap import Edges
from parley_chat_service.core.inputs import Blob, Picture, Said, Text
from parley_chat_service.core.model import (
    Attachment,
    AttachmentInfo,
    Caller,
    ChatQuery,
    Choice,
    Cost,
    Message,
    MessageQuery,
    Position,
    Role,
    Status,
    Usage,
)
from parley_chat_service.core.outline import Kind, Span
from parley_chat_service.core.titles import folded
from parley_chat_service.core.turn import Begun, Ending, NewTurn, Piece, Send
from uuid_utils.compat import uuid7

from .fakes import new_turn

MOST = 5


async def begin(
    edges: Edges, caller: Caller, send: Send, *, seconds: float = 600
) -> tuple[NewTurn, Begun]:
    worker_id = uuid7()
    await edges.workers.renew(worker_id, 60, [])
    turn = new_turn(caller.owner_id, worker_id, send, seconds=seconds)
    begun = await edges.turns.begin(turn, MOST)
    assert begun is not None
    return turn, begun


def ending(turn: NewTurn, content: str, status: Status = Status.COMPLETE) -> Ending:
    usage, cost = Usage(10, 3_000_000_000, 2, 1, "reported"), Cost(70_000, "list 1")
    message_id, worker_id = turn.message_id, turn.worker_id
    return Ending(
        message_id, worker_id, status, content, "Hm.", "stop", "", usage, cost, turn.choice
    )


def piece(turn: NewTurn, text: str, start: int = 0) -> Piece:
    return Piece(turn.message_id, Position(0, start + len(text)), "", text)


async def messages(edges: Edges, caller: Caller, chat_id: str) -> list[Message]:
    page = await edges.chats.list_messages(caller.owner_id, MessageQuery(chat_id, 100))
    assert page is not None
    return list(page.messages)


async def test_a_first_turn_makes_a_chat(edges: Edges, ada: Caller) -> None:
    turn, begun = await begin(edges, ada, Send("What is a  quark?", "physics"))

    chat = await edges.chats.get_chat(ada.owner_id, "physics")
    user, reply = await messages(edges, ada, "physics")

    assert chat is not None
    assert ("physics", "What is a quark?", "acme", "small", 2) == (
        chat.chat_id,
        chat.title,
        chat.provider,
        chat.model,
        chat.message_count,
    )
    assert (turn.chat_uid, 2, None, []) == (begun.chat_uid, begun.seq, begun.parent_id, begun.path)
    assert ("What is a  quark?", 1, None, "complete") == (
        user.content,
        user.seq,
        user.parent_id,
        user.status,
    )
    assert (2, user.message_id, "running", 7) == (
        reply.seq,
        reply.parent_id,
        reply.status,
        reply.prompt_version,
    )
    assert [[user.message_id], [reply.message_id]] == [user.sibling_ids, reply.sibling_ids]


async def test_an_ended_turn_is_stored_whole(edges: Edges, ada: Caller) -> None:
    turn, begun = await begin(edges, ada, Send("Hello", "c"))
    await edges.turns.append(turn.worker_id, [piece(turn, "He")])

    assert await edges.turns.end(ending(turn, "Hey 🏴‍☠️"))

    _, reply = await messages(edges, ada, "c")
    assert ("Hey 🏴‍☠️", "Hm.", "complete", "stop") == (
        reply.content,
        reply.reasoning,
        reply.status,
        reply.finish_reason,
    )
    assert ending(turn, "").usage == reply.usage
    assert ending(turn, "").cost == reply.cost
    assert begun.created_at == reply.created_at


async def test_the_path_comes_with_the_next_turn(edges: Edges, ada: Caller, bob: Caller) -> None:
    first, _ = await begin(edges, ada, Send("One", "c"))
    await edges.turns.end(ending(first, "Two"))

    second, begun = await begin(edges, ada, Send("Three", "c"))

    assert (4, first.message_id) == (begun.seq, begun.parent_id)
    expected = [("user", "One", "complete"), ("assistant", "Two", "complete")]
    assert expected == [(past.role, past.content, past.status) for past in begun.path]
    again = await edges.turns.path(ada.owner_id, begun.chat_uid, first.message_id)
    assert list(begun.path) == list(again)
    assert [] == list(await edges.turns.path(bob.owner_id, begun.chat_uid, first.message_id))
    assert first.chat_uid == begun.chat_uid != second.chat_uid


async def test_a_chat_takes_so_many_turns_and_no_more(edges: Edges, ada: Caller) -> None:
    turns = [await begin(edges, ada, Send("Hi", "c")) for _ in range(MOST)]
    more = new_turn(ada.owner_id, uuid7(), Send("Hi", "c", idempotency_key="k"))

    assert await edges.turns.begin(more, MOST) is None
    assert await edges.turns.find_send(ada.owner_id, "k") is None
    await edges.turns.end(ending(turns[0][0], "Bye"))
    assert await edges.turns.begin(more, MOST) is not None


async def test_a_key_stands_for_one_turn_of_its_owner(
    edges: Edges, ada: Caller, bob: Caller
) -> None:
    send = Send("Hi", "c", idempotency_key="k")
    turn = new_turn(ada.owner_id, uuid7(), send, body_hash=b"1")
    assert await edges.turns.begin(turn, MOST)

    assert await edges.turns.begin(new_turn(ada.owner_id, uuid7(), send), MOST) is None

    past = await edges.turns.find_send(ada.owner_id, "k")
    assert past is not None
    assert (b"1", "c", turn.message_id) == (past.body_hash, past.chat_id, past.message.message_id)
    assert await edges.turns.find_send(bob.owner_id, "k") is None
    assert await edges.turns.begin(new_turn(bob.owner_id, uuid7(), send), MOST) is not None


async def test_text_so_far_is_shown_and_stored_once(edges: Edges, ada: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Hi", "c"))
    pieces = [piece(turn, "He"), piece(turn, "llo", 2)]

    for part in (pieces[0], pieces[0], pieces[1]):
        assert {turn.message_id} == await edges.turns.append(turn.worker_id, [part])

    reply = await edges.replies.find_reply(ada.owner_id, "c", turn.message_id)
    assert reply is not None
    assert ("Hello", "running") == (reply.content, reply.status)


async def test_only_its_worker_writes_a_reply(edges: Edges, ada: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Hi", "c"))
    other = uuid7()

    assert frozenset() == await edges.turns.append(other, [piece(turn, "No")])
    assert not await edges.turns.end(replace(ending(turn, "No"), worker_id=other))
    assert [turn.message_id] == list(await edges.workers.renew(other, 60, [turn.message_id]))
    assert [] == list(await edges.workers.renew(turn.worker_id, 60, [turn.message_id]))


async def test_the_dead_are_swept_up_with_their_text(edges: Edges, ada: Caller) -> None:
    dead, _ = await begin(edges, ada, Send("Hi", "c"))
    alive, _ = await begin(edges, ada, Send("Hi", "d"))
    await edges.turns.append(dead.worker_id, [piece(dead, "He"), piece(dead, "llo", 2)])
    await edges.workers.renew(dead.worker_id, -1, [])

    assert 1 == await edges.workers.sweep(uuid7(), [], 0)

    _, reply = await messages(edges, ada, "c")
    assert ("Hello", "interrupted", "turn_interrupted") == (
        reply.content,
        reply.status,
        reply.error_reason,
    )
    assert not await edges.turns.end(ending(dead, "Too late"))
    assert 0 == await edges.workers.sweep(uuid7(), [], 0)
    assert await edges.turns.end(ending(alive, "Fine"))


async def test_what_ran_too_long_is_swept_up(edges: Edges, ada: Caller) -> None:
    late, _ = await begin(edges, ada, Send("Hi", "c"), seconds=-20)
    await begin(edges, ada, Send("Hi", "d"), seconds=-10)

    assert 1 == await edges.workers.sweep(uuid7(), [], 0)
    fate = await edges.turns.fate(late.message_id)
    assert fate == ("interrupted", False)


async def test_what_a_worker_left_behind_itself_is_swept_up(edges: Edges, ada: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Hi", "c"))

    assert 0 == await edges.workers.sweep(turn.worker_id, [turn.message_id], 0)
    assert 0 == await edges.workers.sweep(turn.worker_id, [], 15)
    assert 1 == await edges.workers.sweep(turn.worker_id, [], 0)


async def test_a_released_lease_leaves_its_turns(edges: Edges, ada: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Hi", "c"))
    await edges.workers.renew(turn.worker_id, -1, [])
    await edges.workers.release(turn.worker_id)

    assert 1 == await edges.workers.sweep(uuid7(), [], 0)


async def test_deleting_stops_what_runs_and_hides_all(edges: Edges, ada: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Hi", "c", idempotency_key="k"))
    await edges.turns.append(turn.worker_id, [piece(turn, "He")])

    assert [turn.message_id] == list(await edges.chats.delete_chat(ada.owner_id, "c") or ())

    assert frozenset() == await edges.turns.append(turn.worker_id, [piece(turn, "llo", 2)])
    assert not await edges.turns.end(ending(turn, "Hello"))
    assert ("stopped", True) == await edges.turns.fate(turn.message_id)
    assert await edges.chats.get_chat(ada.owner_id, "c") is None
    assert await edges.chats.list_messages(ada.owner_id, MessageQuery("c", 10)) is None
    assert await edges.replies.find_reply(ada.owner_id, "c", turn.message_id) is None
    assert await edges.turns.last_choice(ada.owner_id, "c") is None
    assert await edges.chats.delete_chat(ada.owner_id, "c") is None
    past = await edges.turns.find_send(ada.owner_id, "k")
    assert past is not None
    assert past.deleted


async def test_a_deleted_name_is_free_again(edges: Edges, ada: Caller) -> None:
    await begin(edges, ada, Send("Old", "c"))
    await edges.chats.delete_chat(ada.owner_id, "c")

    await begin(edges, ada, Send("New", "c"))

    assert ["New"] == [m.content for m in await messages(edges, ada, "c") if m.content]


async def test_two_owners_do_not_meet(edges: Edges, ada: Caller, bob: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Ada's", "c"))

    assert await edges.chats.get_chat(bob.owner_id, "c") is None
    assert await edges.chats.list_messages(bob.owner_id, MessageQuery("c", 10)) is None
    assert await edges.chats.delete_chat(bob.owner_id, "c") is None
    assert await edges.replies.find_reply(bob.owner_id, "c", turn.message_id) is None
    assert await edges.turns.last_choice(bob.owner_id, "c") is None
    _, begun = await begin(edges, bob, Send("Bob's", "c"))
    assert [] == list(begun.path)
    assert ["Ada's", ""] == [m.content for m in await messages(edges, ada, "c")]


async def test_chats_are_listed_newest_first_page_by_page(edges: Edges, ada: Caller) -> None:
    for name in ("a", "b", "c", "d", "a"):
        await begin(edges, ada, Send("Hi", name))

    first = await edges.chats.list_chats(ada.owner_id, ChatQuery(3))
    rest = await edges.chats.list_chats(ada.owner_id, ChatQuery(3, after=first.following))

    assert ["a", "d", "c"] == [chat.chat_id for chat in first.chats]
    assert (["b"], None) == ([chat.chat_id for chat in rest.chats], rest.following)


async def test_chats_are_found_by_title_and_provider(
    edges: Edges, ada: Caller, bob: Caller
) -> None:
    await begin(edges, ada, Send("Über 100% cotton", "a"))
    await begin(edges, ada, Send("Other", "b", Choice("zeta", "big")))
    await begin(edges, bob, Send("über", "c"))

    async def found(title: str = "", provider: str = "") -> list[str]:
        query = ChatQuery(10, folded_title=folded(title), provider=provider)
        page = await edges.chats.list_chats(ada.owner_id, query)
        return [chat.chat_id for chat in page.chats]

    assert ["a"] == await found("ÜBER")
    assert ["a"] == await found("0% c")
    assert ["a"] == await found("%")
    assert [] == await found("_")
    assert ["b"] == await found(provider="zeta")
    assert Choice("zeta", "big") == await edges.turns.last_choice(ada.owner_id, "b")


async def test_messages_are_paged_from_either_end(edges: Edges, ada: Caller) -> None:
    for _ in range(3):
        await begin(edges, ada, Send("Hi", "c"))

    async def page(after: int | None, *, from_end: bool) -> tuple[list[int], int | None]:
        query = MessageQuery("c", 4, from_end=from_end, after=after)
        found = await edges.chats.list_messages(ada.owner_id, query)
        assert found is not None
        return [message.seq for message in found.messages], found.following

    assert ([1, 2, 3, 4], 4) == await page(None, from_end=False)
    assert ([5, 6], None) == await page(4, from_end=False)
    assert ([3, 4, 5, 6], 3) == await page(None, from_end=True)
    assert ([1, 2], None) == await page(3, from_end=True)


async def test_files_are_kept_for_their_owner(edges: Edges, ada: Caller, bob: Caller) -> None:
    data = b"\x89PNG\x00"
    info = AttachmentInfo("cat.png", "image/png", 5, hashlib.sha256(data).hexdigest())
    file = Attachment(info, data)
    for _ in range(2):
        await edges.turns.save_files(ada.owner_id, [file])
    first, _ = await begin(edges, ada, Send("Look", "c", attachments=[file]))
    await edges.turns.end(ending(first, "A cat"))

    _, begun = await begin(edges, ada, Send("And?", "c"))

    assert [[info], []] == [list(past.attachments) for past in begun.path]
    assert {info.sha256: data} == await edges.turns.load_files(ada.owner_id, [info.sha256])
    assert {} == await edges.turns.load_files(bob.owner_id, [info.sha256])
    assert [info] == list((await messages(edges, ada, "c"))[0].attachments)


async def test_what_a_vendor_wants_back_comes_with_the_path(edges: Edges, ada: Caller) -> None:
    spans = (
        Span(Kind.REASONING, 3, b'{"a":"\\u0000"}'),
        Span(Kind.TEXT, 3),
        Span(Kind.TEXT, 0, b"\0"),
    )
    wanted, plain = Choice("zeta", "big"), Choice("acme", "small")
    first, _ = await begin(edges, ada, Send("One", "c"))
    await edges.turns.end(replace(ending(first, "Two"), choice=wanted, spans=spans))
    second, _ = await begin(edges, ada, Send("Three", "c"))
    await edges.turns.end(replace(ending(second, "Four"), choice=plain))

    _, begun = await begin(edges, ada, Send("Five", "c"))

    given = [("", "", ()), ("zeta", "Hm.", spans), ("", "", ()), ("", "", ())]
    assert given == [(past.provider, past.reasoning, past.spans) for past in begun.path]
    assert list(begun.path) == list(
        await edges.turns.path(ada.owner_id, begun.chat_uid, second.message_id)
    )


async def test_who_really_answered_is_stored_and_not_asked_next(edges: Edges, ada: Caller) -> None:
    turn, _ = await begin(edges, ada, Send("Hi", "c", Choice("acme", "small")))

    await edges.turns.end(replace(ending(turn, "Ho"), choice=Choice("zeta", "big")))

    _, reply = await messages(edges, ada, "c")
    assert ("zeta", "big") == (reply.provider, reply.model)
    assert Choice("acme", "small") == await edges.turns.last_choice(ada.owner_id, "c")


async def test_who_answers_is_known_of_the_dead_too(edges: Edges, ada: Caller) -> None:
    dead, _ = await begin(edges, ada, Send("Hi", "c"))
    alive, _ = await begin(edges, ada, Send("Hi", "d"))
    other = Choice("zeta", "big")

    await edges.turns.answered(alive.worker_id, {dead.message_id: other})
    assert ["", "acme"] == [message.provider for message in await messages(edges, ada, "c")]
    await edges.turns.answered(dead.worker_id, {dead.message_id: other, alive.message_id: other})
    await edges.workers.renew(dead.worker_id, -1, [])
    await edges.workers.sweep(uuid7(), [], 0)

    _, reply = await messages(edges, ada, "c")
    assert ("zeta", "big", "interrupted") == (reply.provider, reply.model, reply.status)
    assert ["", "acme"] == [message.provider for message in await messages(edges, ada, "d")]
    await edges.turns.answered(dead.worker_id, {dead.message_id: Choice("too", "late")})
    assert "zeta" == (await messages(edges, ada, "c"))[1].provider


async def test_nobody_knows_the_fate_of_what_never_was(edges: Edges) -> None:
    missing: UUID = uuid4()

    assert await edges.turns.fate(missing) is None


async def test_a_message_is_found_by_its_name_alone(edges: Edges, ada: Caller, bob: Caller) -> None:
    data = b"\x89PNG\x00"
    digest = hashlib.sha256(data).hexdigest()
    said = [Said(Role.USER, (Picture(Blob("image/png", "cat", digest, 5)), Text("Look")))]
    file = Attachment(AttachmentInfo("cat", "image/png", 5, digest), data)
    await edges.turns.save_files(ada.owner_id, [file])
    turn, _ = await begin(edges, ada, Send("Look", "c", attachments=[file], said=said))

    user = await edges.chats.find_message(ada.owner_id, turn.user_message_id)
    reply = await edges.chats.find_message(ada.owner_id, turn.message_id)

    assert user is not None
    assert reply is not None
    assert (tuple(said), {digest: data}) == (tuple(user.said), user.files)
    assert (("c", "c"), (), {}) == (
        (user.chat.chat_id, reply.chat.chat_id), reply.said, reply.files,
    )  # fmt: skip
    assert [user.message, reply.message] == await messages(edges, ada, "c")
    assert await edges.chats.find_message(bob.owner_id, turn.message_id) is None
    await edges.chats.delete_chat(ada.owner_id, "c")
    assert await edges.chats.find_message(ada.owner_id, turn.message_id) is None
