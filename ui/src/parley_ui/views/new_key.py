"""A new key: what it is to be for, and itself, shown once."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType

import streamlit as st
from parley_client import NewKey, ParleyError

from parley_ui import reads, snippets, visitor
from parley_ui.markdown import plain
from parley_ui.views import quota_fields

# What a key may be for. One that is for nothing in particular may do all that its user may.
SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "chat": "Chats",
        "prompts": "System prompts",
        "keys": "Keys",
        "read": "Read only",
        "admin": "Administration",
    }
)
SHOWN = "new_key"


def form(mark: str, *, admin: bool, user_id: str | None = None) -> None:
    """Draws a form for a key of the reader's, or of the user who is named."""
    number = st.session_state.setdefault(f"keys_made_{mark}", 0)  # a made one starts a fresh form
    mark = f"{mark}_{number}"
    with st.form(f"key_form_{mark}", border=False):
        name = st.text_input("Name", key=f"key_name_{mark}", placeholder="laptop", max_chars=100)
        scopes = st.multiselect(
            "Only for",
            [scope for scope in SCOPES if admin or scope != "admin"],
            format_func=SCOPES.__getitem__,
            key=f"key_scopes_{mark}",
            placeholder="All that its user may do",
        )
        asked = st.multiselect(
            "Only these providers and models",
            _askable(),
            format_func=askable,
            key=f"key_askable_{mark}",
            placeholder="All",
        )
        last_day = st.date_input(
            "Last day (UTC)",
            None,
            min_value=datetime.now(UTC).date(),
            key=f"key_last_day_{mark}",
            help="Empty: it does not expire.",
        )
        limits, budgets = quota_fields.draw(mark, None, None)
        made = st.form_submit_button("Make key", icon=":material/key:", type="primary")
    if made and name.strip():
        end = datetime.combine(last_day, time(), UTC) + timedelta(days=1) if last_day else None
        key = visitor.client().create_key(
            name.strip(),
            user_id=user_id,
            scopes=[*scopes, *asked],
            expires_at=end,
            limits=limits if limits != quota_fields.NO_LIMITS else None,
            budgets=budgets if budgets != quota_fields.NO_BUDGETS else None,
        )
        st.session_state[f"keys_made_{mark.rpartition('_')[0]}"] += 1
        keep(key)
        st.rerun()
    elif made:
        st.warning("A key needs a name.", icon=":material/edit:")


def keep(key: NewKey) -> None:
    """Keeps a key until its reader has it."""
    st.session_state[SHOWN] = key


def forget() -> None:
    st.session_state.pop(SHOWN, None)


def show() -> None:
    """Draws the key that was just made, how to use it, and what forgets it."""
    key: NewKey | None = st.session_state.get(SHOWN)
    if key is None:
        return
    with st.container(border=True, key="shown_key"):
        st.subheader(f"Your new key: {plain(key.name)}", anchor=False)
        st.markdown("Copy it now. **It is not shown again**: of a key, only a digest is kept.")
        st.code(key.key, language=None, wrap_lines=True)
        shell, program = st.tabs(["curl", "Python"])
        url = visitor.api_url()
        shell.code(snippets.curl(url, key), language="bash", wrap_lines=True)
        program.code(snippets.python(url, key), language="python", wrap_lines=True)
        st.button("I have it", key="have_key", icon=":material/check:", on_click=forget)


def askable(scope: str) -> str:
    """Returns whom a scope allows to ask: `acme`, `acme/large`."""
    return scope.partition(":")[2]


def _askable() -> list[str]:
    try:
        providers = reads.providers()
    except ParleyError:
        return []
    return [
        scope
        for one in providers
        for scope in (f"provider:{one.name}", *(f"model:{one.name}/{name}" for name in one.models))
    ]
