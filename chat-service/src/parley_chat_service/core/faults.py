"""What can go wrong here and nowhere else.

NotFound          + ChatNotFound          no such chat of the caller's
                  + MessageNotFound       no such reply in the chat
Aborted           + ChatBusy              too many turns wait in the chat
+ ChatDeleted           deleted while its reply was made
InvalidArgument   + IdempotencyKeyReused  the key stands for another body
Unavailable       + TurnInterrupted       the process that worked on it stopped
BadGateway        + ToolCallsTooLarge     the reply calls tools with more than is kept
"""

from __future__ import annotations

from parley_rpc.faults import Aborted, BadGateway, InvalidArgument, NotFound, Unavailable

# What names this service in its faults.
DOMAIN = "chat.parley"


class ChatNotFound(NotFound):
    """There is no such chat, or it belongs to somebody else."""

    reason = "chat_not_found"

    def __init__(self, chat_id: str) -> None:
        super().__init__(f"There is no chat {chat_id}.", chat_id=chat_id)


class MessageNotFound(NotFound):
    """There is no such reply in the chat, or no such message at all."""

    reason = "message_not_found"

    def __init__(self, message_id: object, where: str = " in the chat") -> None:
        kind = "reply" if where else "message"
        super().__init__(f"There is no {kind} {message_id}{where}.", message_id=message_id)


class ToolCallsTooLarge(BadGateway):
    """A reply calls tools with more than is kept of one."""

    reason = "tool_calls_too_large"

    def __init__(self, limit: int) -> None:
        sentence = f"The calls of tools in the reply have more than {limit} characters."
        super().__init__(sentence, limit=limit)


class ChatBusy(Aborted):
    """Too many turns wait in this chat already."""

    reason = "chat_busy"

    def __init__(self, chat_id: str, waiting: int) -> None:
        sentence = f"{waiting} turns wait in the chat {chat_id} already."
        super().__init__(sentence, retry_after=1.0, chat_id=chat_id, waiting=waiting)


class ChatDeleted(Aborted):
    """The chat was deleted while its reply was made."""

    reason = "chat_deleted"

    def __init__(self, chat_id: str) -> None:
        super().__init__(f"The chat {chat_id} was deleted.", chat_id=chat_id)


class IdempotencyKeyReused(InvalidArgument):
    """The idempotency key was used with another body."""

    reason = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("The idempotency key was used with another request.")


class TurnInterrupted(Unavailable):
    """The reply ended because what worked on it did; its text so far is stored."""

    reason = "turn_interrupted"

    def __init__(self, message_id: object) -> None:
        sentence = "The reply was interrupted; its text so far is kept."
        super().__init__(sentence, message_id=message_id)
