"""What was seen and what was found, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from parley_tests.checker.aftermath import Found
from parley_tests.checker.history import ChatLog, History, Sent
from parley_tests.checker.words import Ask

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold, where, and in what."""

    rule: str
    chat: tuple[int, str] | None
    what: str


class World:
    """A run that is over. `quiet_within` is how long it may take to come to rest, in seconds."""

    def __init__(self, history: History, found: Found, quiet_within: float = 30.0) -> None:
        self.history = history
        self.found = found
        self.quiet_within = quiet_within

    def owner(self, chat: ChatLog) -> UUID:
        """Whose a chat is."""
        return self.found.owners[chat.session.user]

    def sends(self) -> Iterator[tuple[ChatLog, Sent]]:
        """All messages that were sent, with their chats."""
        for chat in self.history.chats:
            for sent in chat.sends:
                yield chat, sent

    @cached_property
    def rows(self) -> Mapping[UUID, Row]:
        """Stored messages by their id."""
        return {row["message_id"]: row for row in self.found.messages}

    @cached_property
    def replies(self) -> list[Row]:
        """Stored replies."""
        return [row for row in self.found.messages if row["role"] == "assistant"]

    @cached_property
    def stored(self) -> Mapping[tuple[UUID, str], list[Row]]:
        """Stored messages of users, by owner and content."""
        found: dict[tuple[UUID, str], list[Row]] = defaultdict(list)
        for row in self.found.messages:
            if row["role"] == "user":
                found[row["owner_id"], row["content"]].append(row)
        return found

    @cached_property
    def by_chat(self) -> Mapping[UUID, list[Row]]:
        """Stored messages of each chat, in order; one name may have had several chats."""
        found: dict[UUID, list[Row]] = defaultdict(list)
        for row in self.found.messages:
            found[row["chat_uid"]].append(row)
        return found

    @cached_property
    def asks(self) -> Mapping[str, tuple[ChatLog, Sent, Ask]]:
        """Whatever was sent, by its content."""
        return {sent.send.ask.message: (chat, sent, sent.send.ask) for chat, sent in self.sends()}

    def rows_of(self, chat: ChatLog, sent: Sent) -> list[Row]:
        """The stored copies of a message; there should be one."""
        return self.stored.get((self.owner(chat), sent.send.ask.message), [])

    def row_of(self, message_id: str) -> Row | None:
        """A stored message."""
        return self.rows.get(UUID(message_id)) if message_id else None

    def ask_of(self, reply: Row) -> tuple[ChatLog, Sent, Ask] | None:
        """What a stored reply answers."""
        asked = self.rows.get(reply["parent_id"])
        return self.asks.get(asked["content"]) if asked else None

    def name_of(self, row: Row) -> tuple[int, str]:
        """Whose chat a stored message is in."""
        owners = list(self.found.owners)
        owner = row["owner_id"]
        return owners.index(owner) if owner in owners else -1, row["chat_id"]


def start_of(text: str) -> str:
    """Show enough of a text."""
    return text if len(text) <= 80 else f"{text[:50]}…{text[-25:]} ({len(text)})"
