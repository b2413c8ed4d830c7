"""The contract ⇄ the core, field by field."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from parley_chat_service.api import convert
from parley_chat_service.core.model import (
    AttachmentInfo,
    Chat,
    Choice,
    Cost,
    Message,
    Position,
    Role,
    Status,
    ToolCall,
    Totals,
    Usage,
)
from parley_chat_service.core.turn import Delta, End, Send, Start

from parley.chat.v1 import chat_pb2 as pb
from parley.provider.v1 import reply_pb2

pytestmark = pytest.mark.unit

NOW = datetime(2026, 2, 3, 4, 5, 6, 789_000, UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
INFO = AttachmentInfo("cat.png", "image/png", 3, "ab" * 32)
REPLY = Message(
    message_id=TWO, parent_id=ONE, sibling_ids=[TWO], seq=2, role=Role.ASSISTANT,
    status=Status.FAILED, content="Half", created_at=NOW, reasoning="Hm.", attachments=[INFO],
    provider="acme", model="small", prompt_version=3, finish_reason="length",
    error_reason="overloaded", usage=Usage(1, 2, 3, 4, "estimated"), cost=Cost(5, "list"),
    tool_calls=[ToolCall("1", "look", "{}")],
)  # fmt: skip


def test_a_bare_send_leaves_everything_open() -> None:
    assert Send("Hi") == convert.send(pb.SendMessageRequest(content="Hi"))


def test_a_full_send_is_read_whole() -> None:
    request = pb.SendMessageRequest(
        chat_id="c", content="Hi", provider="p", model="m", temperature=0, max_tokens=1,
        system_prompt_id="s", idempotency_key="k", omit_deltas=True,
        attachments=[pb.Attachment(name="n", media_type="image/gif", data=b"abc")],
        fallbacks=[
            reply_pb2.ModelChoice(provider="q", model="n"), reply_pb2.ModelChoice(provider="r"),
        ],
    )  # fmt: skip

    send = convert.send(request)

    assert ("c", "Hi", Choice("p", "m"), 0.0, 1) == (
        send.chat_id, send.content, send.choice, send.temperature, send.max_tokens,
    )  # fmt: skip
    assert ("s", "k", False) == (send.prompt_id, send.idempotency_key, send.watched)
    assert (Choice("q", "n"), Choice("r")) == send.fallbacks
    digest = hashlib.sha256(b"abc").hexdigest()
    assert AttachmentInfo("n", "image/gif", 3, digest) == send.attachments[0].info


def test_a_message_is_written_whole() -> None:
    written = convert.message(REPLY)

    assert {field.name for field, _ in written.ListFields()} == set(
        pb.Message.DESCRIPTOR.fields_by_name
    ) - {"input"}
    call = reply_pb2.ToolCall(tool_call_id="1", name="look", arguments="{}")
    assert [call] == list(written.tool_calls)
    assert (str(TWO), str(ONE), [str(TWO)]) == (
        written.message_id, written.parent_id, list(written.sibling_ids),
    )  # fmt: skip
    assert (reply_pb2.ROLE_ASSISTANT, pb.MESSAGE_STATUS_FAILED) == (written.role, written.status)
    assert (reply_pb2.FINISH_REASON_LENGTH, NOW) == (
        written.finish_reason, written.created_at.ToDatetime(UTC),
    )  # fmt: skip
    usage = reply_pb2.Usage(
        input_tokens=1, output_tokens=2, cached_input_tokens=3, reasoning_tokens=4,
        source=reply_pb2.USAGE_SOURCE_ESTIMATED,
    )  # fmt: skip
    assert (usage, 5, "list") == (written.usage, written.cost.nano_usd, written.cost.price_version)


def test_a_users_message_has_no_usage_and_no_parent() -> None:
    user = Message(ONE, None, [ONE], 1, Role.USER, Status.COMPLETE, "Hi", NOW)

    written = convert.message(user)

    assert (False, False, "") == (
        written.HasField("usage"), written.HasField("cost"), written.parent_id,
    )  # fmt: skip
    assert reply_pb2.FINISH_REASON_UNSPECIFIED == written.finish_reason


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_name_in_the_contract(status: Status) -> None:
    assert f"MESSAGE_STATUS_{status.upper()}" == pb.MessageStatus.Name(convert.STATUSES[status])


def test_events_are_written() -> None:
    start = Start("c", ONE, TWO, Choice("acme", "small"))
    delta = Delta("Hm.", "Half", Position(3, 4))

    assert str(ONE) == convert.event(start)["start"].user_message_id
    assert ("Half", "Hm.", "3.4") == (
        convert.event(delta)["delta"].text,
        convert.event(delta)["delta"].reasoning,
        convert.event(delta)["delta"].position,
    )


@pytest.mark.parametrize(("whole", "content"), [(True, "Half"), (False, "")])
def test_an_end_repeats_no_text(whole: bool, content: str) -> None:
    message = convert.event(End(REPLY, whole))["end"].message

    assert (content, 2) == (message.content, message.seq)


def test_a_chat_is_written_whole() -> None:
    totals = Totals(*range(1, 8))
    written = convert.chat(Chat("c", "Title", "acme", "small", 4, NOW, NOW, totals))

    for whole in (written, written.totals):
        names = {field.name for field, _ in whole.ListFields()}
        assert names == set(whole.DESCRIPTOR.fields_by_name)
    assert (1, 2, 3, 7) == (
        written.totals.cost_nano_usd,
        written.totals.unpriced_messages,
        written.totals.unsettled_messages,
        written.totals.reasoning_tokens,
    )
