"""A vendor's library is loaded when it is needed, once, and away from the event loop."""

import asyncio
import threading

import pytest
from parley_provider_sdk.library import Library

pytestmark = pytest.mark.unit


class Client:
    made = 0

    def __init__(self, key: str) -> None:
        type(self).made += 1
        self.key, self.thread, self.closed = key, threading.current_thread(), False

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library[Client]:
    monkeypatch.setattr(Client, "made", 0)
    return Library(__name__, "Client", "k")


async def test_it_is_made_once_and_in_a_thread(library: Library[Client]) -> None:
    first, second = await asyncio.gather(library.get(), library.get())
    assert first is second
    assert (first.key, Client.made) == ("k", 1)
    assert first.thread is not threading.current_thread()
    await library.aclose()
    assert first.closed


async def test_what_nobody_asked_for_is_not_made_to_be_closed(library: Library[Client]) -> None:
    await library.aclose()
    assert Client.made == 0


async def test_what_cannot_be_loaded_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    library: Library[Client] = Library(__name__, "Late")
    with pytest.raises(AttributeError):
        await library.get()
    monkeypatch.setitem(globals(), "Late", lambda: Client("late"))
    assert (await library.get()).key == "late"
