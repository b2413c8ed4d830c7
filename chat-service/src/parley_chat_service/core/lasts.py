"""Who was asked last in the chats that this process has seen: a guess, which the store checks."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from parley_chat_service.core.model import Choice

MOST_CHATS = 10_000


class LastChoices:
    """Saves a query for each turn that goes on with whom its chat asked last.

    Another process may have asked somebody else since: a turn is begun on the condition that the
    guess is right.
    """

    def __init__(self, most: int = MOST_CHATS) -> None:
        self.most = most
        self._choices: OrderedDict[tuple[UUID, str], Choice] = OrderedDict()

    def guess(self, owner_id: UUID, chat_id: str) -> Choice | None:
        """Return who was asked last, as far as is known here."""
        return self._choices.get((owner_id, chat_id))

    def note(self, owner_id: UUID, chat_id: str, choice: Choice) -> None:
        """Take note of who was asked in a chat."""
        self._choices[owner_id, chat_id] = choice
        self._choices.move_to_end((owner_id, chat_id))
        if len(self._choices) > self.most:
            self._choices.popitem(last=False)

    def forget(self, owner_id: UUID, chat_id: str) -> None:
        """Forget a guess that was wrong."""
        self._choices.pop((owner_id, chat_id), None)
