"""A reply as it is made, whether this visit sent the message or only follows the reply."""

import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import NoReturn

import streamlit as st
from parley_client import (
    AsyncClient,
    Message,
    ParleyError,
    ProblemError,
    ReasoningDelta,
    TextDelta,
    TurnEvent,
    TurnStart,
)

from parley_ui import reads, state, visitor
from parley_ui.history import Place, Tail, read_tail
from parley_ui.markdown import safe_markdown
from parley_ui.pacing import paced
from parley_ui.state import Submission
from parley_ui.views import message, trouble
from parley_ui.views.stopping import StopButton

FRAME = 0.08  # seconds between two drawings of a growing reply
LOOK = 2.0  # seconds between two looks at what comes by itself
MOST_LOOKS = 15  # for what a stopped reply has used


def send(submission: Submission, stop: StopButton) -> NoReturn:
    """Sends a message and draws the reply; ends the run with the reply."""
    _say(submission.text)
    _go_on([])
    with message.bubble("assistant"):
        reply = _Growing(stop)
        try:
            _listen(_sent(submission), reply)
        except ParleyError as error:
            if not reply.message_id:
                state.settle(error)
            elif isinstance(error, ProblemError):
                state.failures()[reply.message_id] = error
    st.rerun()  # from here on the stored reply is shown


def follow(tail: Tail, stop: StopButton) -> None:
    """Draws the reply that is being made from where it is on, and what waits behind it.

    A reply that cannot be followed is looked for again after a while.
    """
    first, *later = tail.running
    bubble = message.bubble("assistant")
    for one in later:
        message.draw(one)
    stop.arm(tail.chat.chat_id, first.message_id)
    _go_on([])
    with bubble:
        try:
            _listen(_followed(tail.chat.chat_id, first), _Growing(stop, first))
        except ParleyError as error:
            if _is_running(first, tail.place):
                trouble.card(error)
                return
            if isinstance(error, ProblemError):
                state.failures()[first.message_id] = error
    reads.forget_chats()
    st.rerun()


def await_account(tail: Tail) -> None:
    """Looks a while for what the last reply used, when it was stopped and that is not known yet."""
    last = tail.messages[-1] if tail.messages else None
    if last is None or last.status != "stopped" or last.usage is not None:
        return
    if state.looks().get(last.message_id, 0) < MOST_LOOKS:
        _look_for_account(tail.place, last.message_id)


@st.fragment(run_every=LOOK)
def _look_for_account(place: Place, message_id: str) -> None:
    looks = state.looks()
    looks[message_id] = looks.get(message_id, 0) + 1
    known = looks[message_id] >= MOST_LOOKS
    with suppress(ParleyError):  # there is a next look
        read = read_tail(visitor.client(), place).messages
        known |= any(one.usage is not None for one in read if one.message_id == message_id)
    if known:
        st.rerun()


def offer_again(text: str, failure: ParleyError) -> None:
    """Draws a message that was not taken, and why."""
    _say(text)
    trouble.card(failure)
    with st.container(horizontal=True):
        st.button("Send again", key="send_again", icon=":material/refresh:", on_click=state.retry)
        st.button("Discard", key="discard", type="tertiary", on_click=state.settle)


@st.fragment(run_every=LOOK)
def _go_on(drawn: list[bool]) -> None:
    """Runs the page again where a run ended in the middle; waits while one goes on.

    Streamlit's own "Stop", on top of the page, ends a run: we detach, and the turn goes on.
    """
    if drawn:
        st.rerun()
    drawn.append(True)


def _say(text: str) -> None:
    with message.bubble("user"):
        st.markdown(safe_markdown(text))


def _is_running(reply: Message, place: Place) -> bool:
    """Tells whether a reply that we cannot follow is still being made."""
    try:
        running = read_tail(visitor.client(), place).running
    except ProblemError as problem:
        if problem.reason != "chat_not_found":
            raise
        return False
    return reply.message_id in {one.message_id for one in running if one.status == "running"}


def _listen(events: AsyncGenerator[TurnEvent, None], reply: "_Growing") -> None:
    """Draws events as they come. A run that ends here leaves the turn alone; the next follows."""
    for some in paced(events, FRAME):
        for event in some:
            reply.take(event)
        reply.draw()


async def _sent(submission: Submission) -> AsyncGenerator[TurnEvent, None]:
    async with AsyncClient(visitor.api_url(), visitor.api_key() or None) as client:
        events = client.stream_chat(
            submission.text,
            chat_id=submission.chat_id,
            provider=submission.provider,
            model=submission.model,
            idempotency_key=submission.key,
        )
        async for event in events:
            yield event


async def _followed(chat_id: str, reply: Message) -> AsyncGenerator[TurnEvent, None]:
    """Yields what comes behind that which is stored already."""
    after = f"{len(reply.reasoning or '')}.{len(reply.content)}"
    async with AsyncClient(visitor.api_url(), visitor.api_key() or None) as client:
        async for event in client.stream_message(chat_id, reply.message_id, after):
            yield event


class _Growing:
    """What has come of a reply so far, and where it is drawn."""

    def __init__(self, stop: StopButton, reply: Message | None = None) -> None:
        self.message_id = reply.message_id if reply else ""
        self._stop = stop
        self._thoughts = (reply.reasoning if reply else "") or ""
        self._text = reply.content if reply else ""
        self._drawn = ("", "")
        self._began = time.monotonic()
        self._thoughts_slot, self._text_slot, self._state_slot = st.empty(), st.empty(), st.empty()
        self.draw()

    def take(self, event: TurnEvent) -> None:
        if isinstance(event, TurnStart):
            self.message_id = event.message_id
            state.settle()
            reads.forget_chats()
            self._stop.arm(event.chat_id, event.message_id)
        elif isinstance(event, ReasoningDelta):
            self._thoughts += event.text
        elif isinstance(event, TextDelta):
            self._text += event.text

    def draw(self) -> None:
        """Draws what has changed, and at any rate something: so Streamlit can end the run here."""
        thoughts, text = self._drawn
        if self._thoughts != thoughts:
            box = self._thoughts_slot.expander(":shimmer[Thinking]", type="compact")
            box.markdown(safe_markdown(self._thoughts))
        if self._text != text:
            self._text_slot.markdown(safe_markdown(self._text))
        self._drawn = (self._thoughts, self._text)
        self._state_slot.caption(self._state())

    def _state(self) -> str:
        if self._text:
            return ":shimmer[Still writing]"
        seconds = int(time.monotonic() - self._began)
        return ":shimmer[Waiting for the model]" + f" · {seconds} s" * (seconds > 1)
