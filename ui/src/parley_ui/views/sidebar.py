"""Beside every page: where to go, which chats there are, and which system prompt is in use."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import streamlit as st
from parley_client import ActivePrompt, Chat, Me

from parley_ui import reads, state, visitor
from parley_ui.figures import moment
from parley_ui.markdown import plain
from parley_ui.views import trouble

StreamlitPage: TypeAlias = Any  # what `st.Page` returns; Streamlit has no public name for it


def draw(pages: Sequence[StreamlitPage], me: Me | None) -> None:
    """Draws links to the pages, the first of which shows chats, and what goes with every page."""
    with st.sidebar:
        here = {state.CHAT: chat_id} if (chat_id := state.chat_id()) else None
        with st.container(gap="xxsmall"):
            for page in pages:
                st.page_link(page, query_params=here, width="stretch")
        if me:
            _who(me)
        with trouble.explained():
            if visitor.may(me, "read", "prompts"):
                _system_prompt(reads.active_prompt(), fixed=not visitor.may(me, "prompts"))
            _chats(pages[0], listed=visitor.may(me, "read", "chat"))


def _who(me: Me) -> None:
    """Draws whom this visit acts for, and how to act for somebody else."""
    with st.popover(plain(me.name), icon=":material/person:", key="who", width="stretch"):
        key = f" with the key **{plain(me.key.name)}**" if me.key else ""
        role = ", an administrator" if me.role == "admin" else ""
        owner = "" if visitor.signed_in() else ", which is the page's own"
        st.markdown(f"You act as **{plain(me.name)}**{role}{key}{owner}.")
        if me.key and me.key.expires_at:
            st.caption(f"The key expires on {moment(me.key.expires_at)}.")
        word, icon = ("Sign out", "logout") if visitor.signed_in() else ("Use my own key", "login")
        st.button(word, key="leave", icon=f":material/{icon}:", on_click=visitor.leave)


def _chats(chat_page: StreamlitPage, *, listed: bool) -> None:
    if st.button(
        "New chat",
        key="new_chat",
        icon=":material/edit_square:",
        shortcut="Ctrl+Shift+O",
        width="stretch",
    ):
        st.switch_page(chat_page)
    if not listed:
        return
    with st.container(gap=None, key="chats"):
        token = None
        for _ in range(st.session_state.setdefault("chat_pages", 1)):
            page = reads.chats(token)
            for chat in page.items:
                _chat(chat, chat_page)
            token = page.next_page_token
            if token is None:
                return
    st.button("More chats", key="more_chats", type="tertiary", on_click=_more_chats)


def _chat(chat: Chat, chat_page: StreamlitPage) -> None:
    shown = chat.chat_id == state.chat_id()
    title = plain(chat.title) or plain(chat.chat_id)
    pressed = st.button(
        f"**{title}**" if shown else title,
        key=f"open_{chat.chat_id}",
        icon=":material/chevron_right:" if shown else ":material/chat_bubble:",
        type="tertiary",
        wrap=False,
    )
    if pressed:
        st.switch_page(chat_page, query_params={state.CHAT: chat.chat_id})


def _more_chats() -> None:
    st.session_state.chat_pages += 1


def _system_prompt(active: ActivePrompt, *, fixed: bool) -> None:
    """Draws the active prompt, to be changed here or exchanged for another of the library."""
    label = f"System prompt: **{plain(active.name)}**"
    panel = st.expander(label, icon=":material/psychology:", key="system_prompt", on_change="rerun")
    if not panel.open:
        return
    with panel:
        names = {prompt.prompt_id: prompt.name for prompt in reads.prompts()}
        mark = f"{active.prompt_id}_{active.version}"  # another prompt starts fresh widgets
        chosen = st.selectbox(
            "From the library",
            names,
            index=list(names).index(active.prompt_id) if active.prompt_id in names else None,
            format_func=names.__getitem__,
            key=f"active_{mark}",
            disabled=fixed,
        )
        with st.form(f"active_form_{mark}", border=False):
            text = st.text_area("Text", active.prompt, key=f"active_text_{mark}", height=160)
            edited = st.form_submit_button("Use this text", width="stretch", disabled=fixed)
        if edited and text.strip():
            visitor.client().set_active_prompt(text)
        elif chosen and chosen != active.prompt_id:
            visitor.client().activate_prompt(chosen)
        else:
            return
        reads.forget_prompts()
        st.rerun()
