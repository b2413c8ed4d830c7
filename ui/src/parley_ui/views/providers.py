"""Who offers models, in what state they are, and which models they have."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import streamlit as st
from parley_client import Credential, Model, Price, Provider, ProviderHealth

from parley_ui import reads, visitor
from parley_ui.markdown import plain
from parley_ui.views import aliases, provider_settings, trouble

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
# Likewise for a breaker that is not closed.
CIRCUITS: Mapping[str, tuple[Color, str, str]] = MappingProxyType(
    {
        "open": ("red", ":material/hourglass_top:", "Left alone for a while"),
        "half_open": ("orange", ":material/hourglass_bottom:", "Being tried again"),
    }
)
KEYS: Mapping[str, str] = MappingProxyType(
    {
        "environment": "from the environment",
        "stored": "stored",
        "unreadable": "stored, but no master key opens it: set it anew",
    }
)


def page() -> None:
    """Draws a card for each provider; an administrator's has all that can be decided."""
    st.title("Providers", anchor=False)
    if st.button("Refresh", key="refresh_providers", icon=":material/refresh:"):
        reads.forget_providers()
    providers = reads.providers()
    by_administrator = any(one.configuration for one in providers)
    if by_administrator:
        with trouble.explained():
            provider_settings.creation(providers)
    for provider in providers:
        with st.container(border=True):
            _provider(provider)
    aliases.section(providers, by_administrator=by_administrator)


def _provider(provider: Provider) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(plain(provider.display_name), anchor=False, width="content")
        _badge(provider.status)
        if provider.circuit in CIRCUITS:
            color, icon, word = CIRCUITS[provider.circuit]
            st.badge(word, icon=icon, color=color)
        if provider.is_default:
            st.badge("Default", icon=":material/star:", color="blue")
    st.caption(plain(_origin(provider)))
    if provider.error:
        st.warning(plain(provider.error), icon=":material/warning:")
    with trouble.explained(), st.container(horizontal=True):
        pressed = st.button(
            "Check now", key=f"check_{provider.name}", icon=":material/network_check:"
        )
        if provider.configuration:
            provider_settings.switches(provider)
    if pressed:
        with trouble.explained():
            _health(visitor.client().get_provider_health(provider.name))
    if provider.configuration:
        with trouble.explained():
            provider_settings.panel(provider, provider.configuration)
    models = st.expander(
        "Models", key=f"models_{provider.name}", icon=":material/list:", on_change="rerun"
    )
    if models.open:
        with models, trouble.explained():
            _models(provider)


def _origin(provider: Provider) -> str:
    """Returns where a provider comes from, and its key, as far as its reader may know."""
    parts = [f"{provider.plugin.package} {provider.plugin.version}"] if provider.plugin else []
    if provider.kind and provider.kind != provider.name:
        parts.append(f"{provider.name}, configures {provider.kind}")
    if provider.configuration:
        parts.append(_key(provider.configuration.credential))
    return " · ".join(parts)


def _key(known: Credential | None) -> str:
    if known is None:
        return "no key"
    ending = f" …{known.last4}" if known.last4 else ""
    return f"key{ending} {KEYS.get(known.source, known.source)}"


def _badge(status: str) -> None:
    color, icon, word = STATUSES.get(status, ("gray", ":material/help:", plain(status)))
    st.badge(word, icon=icon, color=color)


def _health(health: ProviderHealth) -> None:
    took = f" · {health.latency_ms:.0f} ms" if health.latency_ms is not None else ""
    _, icon, word = STATUSES.get(health.status, ("gray", ":material/help:", plain(health.status)))
    st.markdown(f"{icon} {word}{took}")
    if health.detail:
        st.caption(plain(health.detail))


def _models(provider: Provider) -> None:
    if provider.configuration:
        asked = st.button(
            "Ask for the models now", key=f"refresh_{provider.name}", icon=":material/sync:"
        )
        if asked:
            models = visitor.client().refresh_models(provider.name)
            provider_settings.changed(f"{provider.display_name} offers {len(models)} models.")
    rows = [
        {
            "Model": model.display_name or model.name,
            "Context": _figure(model.context_window),
            "Longest reply": _figure(model.max_output_tokens),
            "Price per million tokens": _price(model.price),
            "Remark": _remark(model),
        }
        for model in reads.models(provider.name)
    ]
    st.dataframe(rows, hide_index=True, alt=f"Models of {provider.display_name}")


def _figure(tokens: int | None) -> str:
    return f"{tokens:,}" if tokens else "unknown"


def _price(price: Price | None) -> str:
    if price is None or price.input is None or price.output is None:
        return "unknown"
    if not price.input and not price.output:
        return "free"
    cached = f", {price.cached_input} cached" if price.cached_input is not None else ""
    writes = f", {price.cache_write} to cache" if price.cache_write is not None else ""
    return f"{price.input} in{cached}{writes}, {price.output} out ({price.currency})"


def _remark(model: Model) -> str:
    return "set here" if model.overridden else ""
