"""The end of a chat, read without reading all of it on each run."""

from collections import deque
from dataclasses import dataclass, field

from parley_client import Chat, Client, Message

PAGE_SIZE = 15
SHOWN_PAGES = 2


@dataclass(slots=True)
class Place:
    """Where we are in a chat: where its pages begin, as far as we know, and how many we show."""

    chat_id: str
    starts: list[str | None] = field(default_factory=lambda: [None])
    shown: int = SHOWN_PAGES

    @property
    def has_earlier(self) -> bool:
        return len(self.starts) > self.shown

    def show_more(self) -> None:
        self.shown += SHOWN_PAGES


@dataclass(frozen=True, slots=True)
class Tail:
    """A chat with its last messages, oldest first, and the place they were read from."""

    place: Place
    chat: Chat
    messages: tuple[Message, ...]

    @property
    def settled(self) -> tuple[Message, ...]:
        """What comes before the first reply that is still being written."""
        return self.messages[: self._first_running]

    @property
    def running(self) -> tuple[Message, ...]:
        """The first reply that is still being written, and all after it."""
        return self.messages[self._first_running :]

    @property
    def _first_running(self) -> int:
        states = [message.status for message in self.messages]
        return states.index("running") if "running" in states else len(states)


def read_tail(client: Client, place: Place) -> Tail:
    """Reads the last pages of a chat; only the first reading has to walk through all of it."""
    pages: deque[tuple[Message, ...]] = deque(maxlen=place.shown)
    number = max(len(place.starts) - place.shown, 0)
    while True:
        start = place.starts[number]
        history = client.get_chat(place.chat_id, page_size=PAGE_SIZE, page_token=start)
        pages.append(history.messages.items)
        if history.messages.next_page_token is None:
            return Tail(place, history.chat, tuple(message for page in pages for message in page))
        number += 1
        if number == len(place.starts):
            place.starts.append(history.messages.next_page_token)
