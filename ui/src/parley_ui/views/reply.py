"""A message on its way, and the reply that comes back."""

import time
from collections.abc import AsyncGenerator

import streamlit as st
from parley_client import (
    AsyncClient,
    ParleyError,
    ReasoningDelta,
    TextDelta,
    TurnEvent,
    TurnStart,
)

from parley_ui import state
from parley_ui.history import Place, read_tail
from parley_ui.markdown import safe_markdown
from parley_ui.pacing import paced
from parley_ui.state import Submission
from parley_ui.views import message, trouble

FRAME = 0.08  # seconds between two drawings of a growing reply
LOOK = 1.5  # seconds between two looks at a reply that somebody else is listening to


def send(submission: Submission) -> None:
    """Draws a message that waits to be sent; sends it, unless it has failed before."""
    with message.bubble("user"):
        st.markdown(safe_markdown(submission.text))
    if submission.failure:
        _offer_again(submission.failure)
        return
    with message.bubble("assistant"):
        _listen(submission)
    st.rerun()  # from here on the stored reply is shown


def _offer_again(failure: ParleyError) -> None:
    trouble.card(failure)
    with st.container(horizontal=True):
        st.button("Send again", key="send_again", icon=":material/refresh:", on_click=state.retry)
        st.button("Discard", key="discard", type="tertiary", on_click=state.settle)


def _listen(submission: Submission) -> None:
    """Streams the reply. A run that ends here leaves the turn alone; the next one follows it."""
    turn = _Turn()
    try:
        for events in paced(_events(submission), FRAME):
            for event in events:
                turn.take(event)
            turn.draw()
    except ParleyError as error:
        if turn.message_id:
            state.failures()[turn.message_id] = error
        else:
            state.settle(error)


async def _events(submission: Submission) -> AsyncGenerator[TurnEvent, None]:
    async with AsyncClient(state.api_url(), state.api_key() or None) as client:
        events = client.stream_chat(
            submission.text,
            chat_id=submission.chat_id,
            provider=submission.provider,
            model=submission.model,
            idempotency_key=submission.key,
        )
        async for event in events:
            yield event


class _Turn:
    """What has come of a reply so far, and where it is drawn."""

    def __init__(self) -> None:
        self.message_id = ""
        self._text = ""
        self._thoughts = ""
        self._began = time.monotonic()
        self._thoughts_slot = st.empty()
        self._text_slot = st.empty()

    def take(self, event: TurnEvent) -> None:
        if isinstance(event, TurnStart):
            self.message_id = event.message_id
            state.settle()
            state.forget_chats()
        elif isinstance(event, ReasoningDelta):
            self._thoughts += event.text
        elif isinstance(event, TextDelta):
            self._text += event.text

    def draw(self) -> None:
        if self._thoughts:
            thoughts = self._thoughts_slot.expander(":shimmer[Thinking]", type="compact")
            thoughts.markdown(safe_markdown(self._thoughts))
        if self._text:
            self._text_slot.markdown(safe_markdown(self._text))
        else:
            seconds = int(time.monotonic() - self._began)
            self._text_slot.caption(
                ":shimmer[Waiting for the model]" + f" · {seconds} s" * (seconds > 1)
            )


@st.fragment(run_every=LOOK)
def follow(place: Place) -> None:
    """Draws the replies that are being written without us, until they end."""
    with trouble.explained():
        tail = read_tail(state.client(), place)
        for one in tail.running:
            message.draw(one)
        if not tail.running:
            state.forget_chats()
            st.rerun()
