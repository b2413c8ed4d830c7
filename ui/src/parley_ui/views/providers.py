"""Who offers models, in what state they are, and which models they have."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import streamlit as st
from parley_client import Model, Price, Provider, ProviderHealth

from parley_ui import state
from parley_ui.markdown import plain
from parley_ui.views import trouble

Color: TypeAlias = Literal["green", "orange", "red", "gray"]

# What a status looks like: colour, icon, word. Another status shows its own name in grey.
STATUSES: Mapping[str, tuple[Color, str, str]] = MappingProxyType(
    {
        "ready": ("green", ":material/check_circle:", "Ready"),
        "unconfigured": ("gray", ":material/key_off:", "Not configured"),
        "unhealthy": ("orange", ":material/warning:", "Unhealthy"),
        "disabled": ("gray", ":material/block:", "Switched off"),
        "broken": ("red", ":material/error:", "Plugin broken"),
    }
)


def page() -> None:
    """Draws a card for each provider."""
    st.title("Providers", anchor=False)
    if st.button("Refresh", key="refresh_providers", icon=":material/refresh:"):
        state.forget_providers()
    for provider in state.providers():
        with st.container(border=True):
            _provider(provider)


def _provider(provider: Provider) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(plain(provider.display_name), anchor=False, width="content")
        _badge(provider.status)
        if provider.is_default:
            st.badge("Default", icon=":material/star:", color="blue")
    if provider.plugin:
        st.caption(plain(f"{provider.plugin.package} {provider.plugin.version}"))
    if provider.error:
        st.warning(plain(provider.error), icon=":material/warning:")
    if st.button("Check now", key=f"check_{provider.name}", icon=":material/network_check:"):
        with trouble.explained():
            _health(state.client().get_provider_health(provider.name))
    models = st.expander("Models", key=f"models_{provider.name}", on_change="rerun")
    if models.open:
        with models, trouble.explained():
            _models(state.models(provider.name), provider.display_name)


def _badge(status: str) -> None:
    color, icon, word = STATUSES.get(status, ("gray", ":material/help:", plain(status)))
    st.badge(word, icon=icon, color=color)


def _health(health: ProviderHealth) -> None:
    took = f" · {health.latency_ms:.0f} ms" if health.latency_ms is not None else ""
    _, icon, word = STATUSES.get(health.status, ("gray", ":material/help:", plain(health.status)))
    st.markdown(f"{icon} {word}{took}")
    if health.detail:
        st.caption(plain(health.detail))


def _models(models: tuple[Model, ...], provider: str) -> None:
    rows = [
        {
            "Model": model.display_name or model.name,
            "Context": f"{model.context_window:,}" if model.context_window else "unknown",
            "Longest reply": f"{model.max_output_tokens:,}"
            if model.max_output_tokens
            else "unknown",
            "Price per million tokens": _price(model.price),
        }
        for model in models
    ]
    st.dataframe(rows, hide_index=True, alt=f"Models of {provider}")


def _figure(tokens: int | None) -> str:
    return f"{tokens:,}" if tokens else "unknown"


def _price(price: Price | None) -> str:
    if price is None or price.input is None or price.output is None:
        return "unknown"
    if not price.input and not price.output:
        return "free"
    return f"{price.input} in, {price.output} out ({price.currency})"
