"""Where the next message is written, and who is to answer it."""

from dataclasses import dataclass

import streamlit as st
from parley_client import Chat, ParleyError, Provider

from parley_ui import reads, state
from parley_ui.views.stopping import StopButton

MAX_CHARACTERS = 200_000
SILENT = frozenset({"unconfigured", "disabled", "broken"})  # cannot answer; their page says why


@dataclass(frozen=True, slots=True)
class Draft:
    """What was submitted in this run, if anything, whom it is for, and what stops the reply."""

    text: str | None
    provider: str | None
    model: str | None
    stop: StopButton


def draw(chat: Chat | None) -> Draft:
    """Draws pickers, the button that stops, and the input at the bottom of the page."""
    with st.bottom, st.container(horizontal=True, gap="xsmall"):
        provider, model = _pick(chat)
        stop = StopButton()
    # Outside of the block above it goes to the bottom by itself, and only then does the page keep
    # its end in sight while a reply grows.
    text = st.chat_input(
        "Your message", key=state.INPUT, max_chars=MAX_CHARACTERS, submit_mode="disable"
    )
    return Draft(text.strip() or None if text else None, provider, model, stop)


def _pick(chat: Chat | None) -> tuple[str | None, str | None]:
    """Returns the chosen provider and model; the gateway chooses where there is no choice."""
    try:
        offered = [one for one in reads.providers() if one.enabled and one.status not in SILENT]
    except ParleyError:
        st.caption(":material/cloud_off: The providers cannot be listed just now.")
        return None, None
    if not offered:
        st.caption(":material/cloud_off: No provider is ready; see the page Providers.")
        return None, None
    by_name = {one.name: one for one in offered}
    name = st.selectbox(
        "Provider",
        by_name,
        index=list(by_name).index(_usual(chat, by_name)),
        format_func=lambda name: _labelled(by_name[name]),
        key=f"provider_{state.chat_id()}",
        label_visibility="collapsed",
    )
    return name, _pick_model(chat, by_name[name])


def _pick_model(chat: Chat | None, provider: Provider) -> str | None:
    last = chat.model if chat and chat.provider == provider.name else None
    usual = last or provider.default_model
    models = list(dict.fromkeys([*_models(provider), *([usual] if usual else [])]))
    if not models:
        return None
    return st.selectbox(
        "Model",
        models,
        index=models.index(usual) if usual else 0,
        key=f"model_{state.chat_id()}_{provider.name}",
        label_visibility="collapsed",
    )


def _models(provider: Provider) -> tuple[str, ...]:
    """Returns the names of a provider's models; asks when the list of providers holds none."""
    try:
        return provider.models or tuple(model.name for model in reads.models(provider.name))
    except ParleyError:
        return ()


def _usual(chat: Chat | None, by_name: dict[str, Provider]) -> str:
    """Returns the chat's last provider, the system's default, or the first."""
    if chat and chat.provider in by_name:
        return chat.provider
    return next((one.name for one in by_name.values() if one.is_default), next(iter(by_name)))


def _labelled(provider: Provider) -> str:
    suffix = "" if provider.status == "ready" else f" ({provider.status})"
    return f"{provider.display_name}{suffix}"
