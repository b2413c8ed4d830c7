"""What administrators decide about a provider, on its card."""

import streamlit as st
from parley_client import Configuration, Provider

from parley_ui import reads, visitor
from parley_ui.markdown import plain

AUTOMATIC = ""
MOST_FALLBACKS = 8


def switches(provider: Provider) -> None:
    """Draws what is decided by one click."""
    word, icon = ("Switch off", "toggle_off") if provider.enabled else ("Switch on", "toggle_on")
    if st.button(word, key=f"switch_{provider.name}", icon=f":material/{icon}:"):
        visitor.client().update_provider(provider.name, enabled=not provider.enabled)
        changed(f"{provider.display_name} is {'off' if provider.enabled else 'on'}.")
    pressed = st.button(
        "Make default",
        key=f"default_{provider.name}",
        icon=":material/star:",
        disabled=provider.is_default or not provider.enabled,
    )
    if pressed:
        visitor.client().update_provider(provider.name, is_default=True)
        changed(f"{provider.display_name} is the default.")


def panel(provider: Provider, known: Configuration) -> None:
    """Draws the rest, folded away."""
    folded = st.expander(
        "Configuration", key=f"configure_{provider.name}", icon=":material/tune:", on_change="rerun"
    )
    if folded.open:
        with folded:
            # First: the form's widgets load late, and would push a button from under a click.
            _key(provider, known)
            _form(provider, known)
            if provider.kind != provider.name:
                _removal(provider)


def creation(providers: tuple[Provider, ...]) -> None:
    """Draws a form for another configuration of a plugin that is installed."""
    kinds = sorted({one.kind for one in providers if one.kind and one.status != "broken"})
    with st.expander("Add a provider", icon=":material/add:", key="new_provider"):
        st.caption("Another configuration of an installed plugin: a second account or address.")
        with st.form("create_provider", border=False, clear_on_submit=True):
            name = st.text_input("Name", key="new_provider_name", placeholder="acme-eu")
            kind = st.selectbox("Plugin", kinds, key="new_provider_kind")
            base_url = st.text_input("Base URL, if not the plugin's", key="new_provider_url")
            added = st.form_submit_button("Add", type="primary")
        if added and name.strip() and kind:
            visitor.client().create_provider(name.strip(), kind, base_url=base_url.strip() or None)
            changed(f"{name.strip()} is there.")
        elif added:
            st.warning("A provider needs a name.", icon=":material/edit:")


def changed(news: str) -> None:
    """Says so, and draws the page again as things are now."""
    st.toast(plain(news), icon=":material/check:")
    reads.forget_providers()
    st.rerun()


def _form(provider: Provider, known: Configuration) -> None:
    chosen = provider.default_model if known.default_model_chosen else AUTOMATIC
    mark = f"{provider.name}_{hash((known, chosen))}"  # what has changed starts fresh widgets
    with st.form(f"configuration_{mark}", border=False):
        base_url = st.text_input(
            "Base URL",
            known.base_url or "",
            key=f"url_{mark}",
            type="url",
            help="A key is for one address: another one clears it.",
        )
        default_model = _model_picker(provider, chosen or AUTOMATIC, mark)
        fallbacks = _fallback_picker(provider, known, mark)
        left, right = st.columns(2)
        priority = left.number_input(
            "Priority", 0, 1000, known.priority, help="Lower ones come first.", key=f"rank_{mark}"
        )
        most = right.number_input(
            "Replies at once", 1, 10_000, max(1, known.max_replies), key=f"most_{mark}"
        )
        retry = st.toggle(
            "Ask again after a timeout",
            known.retry_timeouts,
            help="The vendor may bill the first one, too.",
            key=f"retry_{mark}",
        )
        saved = st.form_submit_button("Save", icon=":material/save:")
    if saved:
        asked = {
            "base_url": base_url.strip(),
            "default_model": default_model or AUTOMATIC,
            "fallbacks": tuple(fallbacks),
            "priority": int(priority),
            "max_replies": int(most),
            "retry_timeouts": retry,
        }
        _save(provider, known, asked)


def _save(provider: Provider, known: Configuration, asked: dict[str, object]) -> None:
    """Sends what differs: a base URL that is sent again could clear the stored key."""
    chosen = provider.default_model if known.default_model_chosen else None
    now: dict[str, object] = {
        "base_url": known.base_url or "",
        "default_model": chosen or AUTOMATIC,
        "fallbacks": known.fallbacks,
        "priority": known.priority,
        "max_replies": known.max_replies,
        "retry_timeouts": known.retry_timeouts,
    }
    change = {name: value for name, value in asked.items() if value != now[name]}
    if not change:
        st.info("Nothing has changed.", icon=":material/info:")
        return
    visitor.client().update_provider(provider.name, **change)  # type: ignore[arg-type]  # as above
    changed(f"{provider.display_name} is saved.")


def _model_picker(provider: Provider, chosen: str, mark: str) -> str | None:
    offered = list(dict.fromkeys([AUTOMATIC, *([chosen] if chosen else []), *provider.models]))
    picked: str | None = st.selectbox(
        "Default model",
        offered,
        index=offered.index(chosen),
        format_func=lambda name: name or "Automatic",
        accept_new_options=True,
        key=f"model_{mark}",
    )
    return picked


def _fallback_picker(provider: Provider, known: Configuration, mark: str) -> list[str]:
    others = [one for one in reads.providers() if one.name != provider.name]
    offered = [f"{one.name}/{model}" for one in others for model in one.models]
    picked: list[str] = st.multiselect(
        "Fallbacks",
        list(dict.fromkeys([*known.fallbacks, *offered])),
        default=list(known.fallbacks),
        max_selections=MOST_FALLBACKS,
        accept_new_options=True,
        placeholder="provider/model",
        help="Who is asked, in this order, when it fails before its first word.",
        key=f"fallbacks_{mark}",
    )
    return picked


def _key(provider: Provider, known: Configuration) -> None:
    _new_key(provider)
    if known.credential and known.credential.source != "environment":
        with st.popover("Forget key", icon=":material/key_off:", key=f"forget_{provider.name}"):
            st.markdown(f"Forget the stored key of **{plain(provider.display_name)}**?")
            if st.button("Forget it", key=f"confirm_forget_{provider.name}", type="primary"):
                visitor.client().delete_credential(provider.name)
                changed(f"The key of {provider.display_name} is forgotten.")


def _new_key(provider: Provider) -> None:
    # Each submission is the last of its widget: what was typed is kept nowhere on this side.
    uses = f"keys_set_{provider.name}"
    mark = f"{provider.name}_{st.session_state.setdefault(uses, 0)}"
    with st.form(f"key_{mark}", border=False, clear_on_submit=True):
        key = st.text_input(
            "API key",
            key=f"api_key_{mark}",
            type="password",
            autocomplete="new-password",
            help="Kept encrypted, and never shown again.",
        )
        kept = st.form_submit_button("Set key", icon=":material/key:")
    if kept and key and key.strip():
        st.session_state[uses] += 1
        visitor.client().set_credential(provider.name, key.strip())
        changed(f"The key of {provider.display_name} is kept.")
    elif kept:
        st.warning("Type the key first.", icon=":material/edit:")


def _removal(provider: Provider) -> None:
    with st.popover("Remove provider", icon=":material/delete:", key=f"remove_{provider.name}"):
        st.markdown(f"Remove **{plain(provider.name)}**? What it cost stays on record.")
        if st.button("Remove it", key=f"confirm_remove_{provider.name}", type="primary"):
            visitor.client().delete_provider(provider.name)
            changed(f"{provider.name} is gone.")
