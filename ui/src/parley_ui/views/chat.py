"""A conversation: what was said, what is being said, and what to say next."""

import re

import streamlit as st
from parley_client import ProblemError
from streamlit.delta_generator import DeltaGenerator

from parley_ui import reads, state, visitor
from parley_ui.history import Place, Tail, read_tail
from parley_ui.markdown import plain
from parley_ui.views import composer, message, reply, trouble
from parley_ui.views.stopping import StopButton, not_stopped

CHAT_ID = r"[A-Za-z0-9_-]{1,50}"
SUGGESTIONS = ("What can you do?", "Explain recursion to a child", "Write a haiku about the sea")


def page() -> None:
    """Draws the chat that the URL names, or an empty one."""
    tail = _read()
    log = st.container()
    welcome = st.empty()
    with log:
        if tail:
            _header(tail)
            _said(tail)
    draft = composer.draw(tail.chat if tail else None)
    suggestion = None
    if not tail and not state.submission():
        suggestion = _welcome(welcome)
    if text := draft.text or suggestion:
        welcome.empty()
        state.submit(text, draft.provider, draft.model)
    with log:
        _go_on(tail, draft.stop)


def _go_on(tail: Tail | None, stop: StopButton) -> None:
    """Sends what waits to be sent, or follows the reply that is being made."""
    running = tail.running if tail else ()
    waiting = state.submission()
    if waiting and not waiting.failure:
        for one in running:  # a run can watch one reply only
            message.draw(one)
        reply.send(waiting, stop)
    growing = st.container()
    if waiting and waiting.failure:
        reply.offer_again(waiting.text, waiting.failure)
    if tail and running:
        with growing:
            reply.follow(tail, stop)
        return
    stop.rest()
    if tail:
        reply.await_account(tail)


def _read() -> Tail | None:
    """Returns the chat that the URL names, or None when its first message is to be written."""
    chat_id = state.chat_id()
    if not chat_id:
        return None
    place: Place | None = st.session_state.get("place")
    if place is None or place.chat_id != chat_id:  # another chat begins at its end
        place = st.session_state.place = Place(chat_id)
    try:
        return read_tail(visitor.client(), place)
    except ProblemError as problem:
        if problem.reason != "chat_not_found":
            raise
        return None


def _header(tail: Tail) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(plain(tail.chat.title), anchor=False)
        with st.popover("Delete", icon=":material/delete:", type="tertiary", key="delete_chat"):
            st.write("Delete this chat for good? What it cost stays on record.")
            if st.button("Delete chat", key="confirm_delete_chat", type="primary"):
                visitor.client().delete_chat(tail.chat.chat_id)
                reads.forget_chats()
                st.query_params.clear()
                st.rerun()


def _said(tail: Tail) -> None:
    if tail.place.has_earlier:
        st.button(
            "Earlier messages",
            key="earlier",
            icon=":material/expand_less:",
            type="tertiary",
            on_click=tail.place.show_more,
        )
    for one in tail.settled:
        message.draw(one)
    if why := not_stopped():
        trouble.card(why)


def _welcome(slot: DeltaGenerator) -> str | None:
    """Draws an empty chat; returns the suggestion that was taken."""
    chosen = None
    with slot.container():
        st.title("What is on your mind?", anchor=False)
        if chat_id := state.chat_id():
            st.caption(f"A new chat with the ID `{plain(chat_id)}`. Your first message starts it.")
        with st.container(horizontal=True):
            for number, suggestion in enumerate(SUGGESTIONS):
                if st.button(suggestion, key=f"suggestion_{number}"):
                    chosen = suggestion
        if not chat_id:
            _own_id()
    return chosen


def _own_id() -> None:
    with st.expander("Use a chat ID of your own", icon=":material/tag:"):
        wanted = st.text_input(
            "Chat ID",
            key="own_id",
            help="Letters, digits, `_` and `-`, at most 50. A known ID opens its chat.",
            max_chars=50,
            on_change=_open_own_id,
        )
        if wanted:
            st.error("Letters, digits, _ and - only.", icon=":material/error:")


def _open_own_id() -> None:
    wanted = st.session_state.own_id.strip()
    if re.fullmatch(CHAT_ID, wanted):
        st.query_params[state.CHAT] = wanted
