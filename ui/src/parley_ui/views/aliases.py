"""What models are called besides their own names; administrators decide it."""

import streamlit as st
from parley_client import Alias, Provider

from parley_ui import reads, visitor
from parley_ui.markdown import plain
from parley_ui.views import provider_settings, trouble


def section(providers: tuple[Provider, ...], *, by_administrator: bool) -> None:
    """Draws all of them, folded away; they are asked for when somebody looks."""
    folded = st.expander("Aliases", key="aliases", icon=":material/label:", on_change="rerun")
    if not folded.open:
        return
    with folded, trouble.explained():
        st.caption("Programs may ask for a model by these names as well.")
        known = reads.aliases()
        for alias in known:
            _row(alias, by_administrator=by_administrator)
        if not known:
            st.caption("There are none.")
        if by_administrator:
            _form(providers)


def _row(alias: Alias, *, by_administrator: bool) -> None:
    model = alias.model or "its default"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{plain(alias.alias)}** means {plain(alias.provider)} / {plain(model)}",
            width="content",
        )
        if by_administrator and st.button(
            "Remove", key=f"unalias_{alias.alias}", icon=":material/delete:"
        ):
            visitor.client().delete_alias(alias.alias)
            provider_settings.changed(f"{alias.alias} means nothing any more.")


def _form(providers: tuple[Provider, ...]) -> None:
    with st.form("set_alias", border=False, clear_on_submit=True):
        name = st.text_input("Alias", key="alias_name", placeholder="fast", max_chars=100)
        provider = st.selectbox(
            "Provider", [one.name for one in providers], key="alias_provider", index=None
        )
        model = st.text_input("Model, if not its default", key="alias_model", max_chars=200)
        wanted = st.form_submit_button("Set", type="primary")
    if wanted and name.strip() and provider:
        visitor.client().set_alias(name.strip(), provider, model.strip() or None)
        provider_settings.changed(f"{name.strip()} is set.")
    elif wanted:
        st.warning("An alias needs a name and a provider.", icon=":material/edit:")
