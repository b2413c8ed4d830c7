"""What a visit to the page remembers, and what all visits share.

The gateway is the truth: chats are read from it on each run, and which chat is shown stands in the
URL. A visit remembers only what cannot be asked for: a message on its way, and why one failed.
"""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import streamlit as st
from parley_client import (
    ActivePrompt,
    Chat,
    Client,
    Me,
    Model,
    Page,
    ParleyError,
    Prompt,
    Provider,
    UsageReport,
)

CHAT = "chat"  # the URL's parameter


@dataclass(frozen=True, slots=True)
class Submission:
    """A message that the gateway has not taken yet. Sending it again with its key is harmless."""

    chat_id: str
    text: str
    provider: str | None
    model: str | None
    key: str
    failure: ParleyError | None = None


def api_url() -> str:
    return str(st.secrets["api_url"])


def api_key() -> str:
    """Returns the key of the settings, or else of the file that the gateway keeps it in."""
    file = Path(st.secrets["key_file"])
    return st.secrets["api_key"] or (file.read_text().strip() if file.is_file() else "")


def client() -> Client:
    """Returns the client that all visits share."""
    return _client(api_url(), api_key())


def chat_id() -> str | None:
    return st.query_params.get(CHAT)


def submit(text: str, provider: str | None, model: str | None) -> None:
    """Keeps a message until the gateway has taken it; a new chat gets its id here."""
    where = chat_id() or str(uuid4())
    st.query_params[CHAT] = where
    st.session_state.submission = Submission(where, text, provider, model, uuid4().hex)


def submission() -> Submission | None:
    """Returns the message that waits to be sent in this chat."""
    waiting: Submission | None = st.session_state.get("submission")
    return waiting if waiting and waiting.chat_id == chat_id() else None


def settle(failure: ParleyError | None = None) -> None:
    """Forgets the waiting message, or keeps it with the reason why it was not taken."""
    waiting: Submission = st.session_state.submission
    st.session_state.submission = replace(waiting, failure=failure) if failure else None


def retry() -> None:
    st.session_state.submission = replace(st.session_state.submission, failure=None)


def stop(chat_id: str, message_id: str) -> None:
    """Stops a reply; what keeps it from stopping is told once, by the next drawing of the chat."""
    try:
        client().stop_message(chat_id, message_id)
    except ParleyError as error:
        st.session_state.not_stopped = error


def not_stopped() -> ParleyError | None:
    """Returns why the last reply could not be stopped, once."""
    why: ParleyError | None = st.session_state.pop("not_stopped", None)
    return why


def looks() -> dict[str, int]:
    """Returns how often was looked for what a stopped reply has used, by the message's id."""
    known: dict[str, int] = st.session_state.setdefault("looks", {})
    return known


def failures() -> dict[str, ParleyError]:
    """Returns why replies failed that began in this visit, by the message's id."""
    known: dict[str, ParleyError] = st.session_state.setdefault("failures", {})
    return known


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Client.close)
def _client(url: str, key: str) -> Client:
    return Client(url, key or None)


# Reads that change seldom, or only through this page: a rerun must not cost a request each.


def providers() -> tuple[Provider, ...]:
    return _providers(api_url(), api_key())


def models(provider: str) -> tuple[Model, ...]:
    return _models(api_url(), api_key(), provider)


def me() -> Me:
    return _me(api_url(), api_key())


def usage(since: date, user_id: str | None) -> UsageReport:
    """Returns what a user, or everybody, used since a day, by day, provider and model."""
    return _usage(api_url(), api_key(), since, user_id)


def chats(page_token: str | None) -> Page[Chat]:
    return _chats(api_url(), api_key(), page_token)


def active_prompt() -> ActivePrompt:
    return _active_prompt(api_url(), api_key())


def prompts() -> tuple[Prompt, ...]:
    return _prompts(api_url(), api_key())


def forget_chats() -> None:
    _chats.clear()


def forget_prompts() -> None:
    _prompts.clear()
    _active_prompt.clear()


def forget_providers() -> None:
    _providers.clear()
    _models.clear()


@st.cache_data(ttl=60, max_entries=4, show_spinner=False)
def _providers(url: str, key: str) -> tuple[Provider, ...]:
    return _client(url, key).list_providers()


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def _models(url: str, key: str, provider: str) -> tuple[Model, ...]:
    return _client(url, key).list_models(provider)


@st.cache_data(ttl=60, max_entries=4, show_spinner=False)
def _me(url: str, key: str) -> Me:
    return _client(url, key).me()


@st.cache_data(ttl=15, max_entries=20, show_spinner=False)
def _usage(url: str, key: str, since: date, user_id: str | None) -> UsageReport:
    groups = ("day", "provider", "model")
    return _client(url, key).summarize_usage(groups, since=since, user_id=user_id)


@st.cache_data(ttl=15, max_entries=100, show_spinner=False)
def _chats(url: str, key: str, page_token: str | None) -> Page[Chat]:
    return _client(url, key).list_chats(page_token=page_token)


@st.cache_data(ttl=15, max_entries=4, show_spinner=False)
def _active_prompt(url: str, key: str) -> ActivePrompt:
    return _client(url, key).get_active_prompt()


@st.cache_data(ttl=15, max_entries=4, show_spinner=False)
def _prompts(url: str, key: str) -> tuple[Prompt, ...]:
    return tuple(_client(url, key).all_prompts(page_size=100))
