"""Reads that change seldom, or only through this page: a rerun must not cost a request each.

What was read belongs to one visit and one key: two users never see each other's.
"""

from datetime import date

import streamlit as st
from parley_client import (
    ActivePrompt,
    Alias,
    Chat,
    Me,
    Model,
    Page,
    Prompt,
    Provider,
    UsageReport,
)

from parley_ui import visitor
from parley_ui.visitor import MARKED, Access


def me() -> Me:
    return _me(visitor.access())


def providers() -> tuple[Provider, ...]:
    return _providers(visitor.access())


def models(provider: str) -> tuple[Model, ...]:
    return _models(visitor.access(), provider)


def aliases() -> tuple[Alias, ...]:
    return _aliases(visitor.access())


def usage(groups: tuple[str, ...], since: date, user_id: str | None) -> UsageReport:
    """Returns what a user, or everybody, used since a day."""
    return _usage(visitor.access(), groups, since, user_id)


def names() -> dict[str, str]:
    """Returns the names of all users by their ids, for administrators."""
    return _names(visitor.access())


def chats(page_token: str | None) -> Page[Chat]:
    return _chats(visitor.access(), page_token)


def active_prompt() -> ActivePrompt:
    return _active_prompt(visitor.access())


def prompts() -> tuple[Prompt, ...]:
    return _prompts(visitor.access())


def forget_users() -> None:
    _me.clear()
    _names.clear()


def forget_chats() -> None:
    _chats.clear()


def forget_prompts() -> None:
    _prompts.clear()
    _active_prompt.clear()


def forget_providers() -> None:
    _providers.clear()
    _models.clear()
    _aliases.clear()


@st.cache_data(ttl=60, max_entries=2, show_spinner=False, scope="session", hash_funcs=MARKED)
def _me(by: Access) -> Me:
    return by.client.me()


@st.cache_data(ttl=60, max_entries=2, show_spinner=False, scope="session", hash_funcs=MARKED)
def _providers(by: Access) -> tuple[Provider, ...]:
    return by.client.list_providers()


@st.cache_data(ttl=60, max_entries=20, show_spinner=False, scope="session", hash_funcs=MARKED)
def _models(by: Access, provider: str) -> tuple[Model, ...]:
    return by.client.list_models(provider)


@st.cache_data(ttl=60, max_entries=2, show_spinner=False, scope="session", hash_funcs=MARKED)
def _aliases(by: Access) -> tuple[Alias, ...]:
    return by.client.list_aliases()


@st.cache_data(ttl=15, max_entries=8, show_spinner=False, scope="session", hash_funcs=MARKED)
def _usage(by: Access, groups: tuple[str, ...], since: date, user_id: str | None) -> UsageReport:
    return by.client.summarize_usage(groups, since=since, user_id=user_id)


@st.cache_data(ttl=60, max_entries=2, show_spinner=False, scope="session", hash_funcs=MARKED)
def _names(by: Access) -> dict[str, str]:
    return {user.user_id: user.name for user in by.client.all_users(page_size=100)}


@st.cache_data(ttl=15, max_entries=20, show_spinner=False, scope="session", hash_funcs=MARKED)
def _chats(by: Access, page_token: str | None) -> Page[Chat]:
    return by.client.list_chats(page_token=page_token)


@st.cache_data(ttl=15, max_entries=2, show_spinner=False, scope="session", hash_funcs=MARKED)
def _active_prompt(by: Access) -> ActivePrompt:
    return by.client.get_active_prompt()


@st.cache_data(ttl=15, max_entries=2, show_spinner=False, scope="session", hash_funcs=MARKED)
def _prompts(by: Access) -> tuple[Prompt, ...]:
    return tuple(by.client.all_prompts(page_size=100))
