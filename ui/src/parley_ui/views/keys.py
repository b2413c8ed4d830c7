"""The reader's own keys."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import streamlit as st
from parley_client import Key

from parley_ui import reads, visitor
from parley_ui.figures import moment
from parley_ui.markdown import plain
from parley_ui.views import new_key, quota_fields, trouble
from parley_ui.views.new_key import SCOPES, askable

PAGE_SIZE = 20
SOON = timedelta(days=7)
# How long a key still works once it has a successor.
OVERLAPS: Mapping[str, int] = MappingProxyType(
    {"Not at all": 0, "For an hour": 3600, "For a day": 86_400, "For a week": 604_800}
)


def page() -> None:
    """Draws the new key, if there is one, a form for another one, and the reader's keys."""
    st.title("Keys", anchor=False)
    st.caption("A key acts in your name. Give each program its own, for no more than it needs.")
    me = reads.me()
    new_key.show()
    if visitor.may(me, "keys"):
        with st.expander("New key", icon=":material/add:", key="make_key"), trouble.explained():
            new_key.form("mine", admin=visitor.is_admin(me))
    listing("mine", me.user_id)


def listing(mark: str, user_id: str) -> None:
    """Draws a user's keys, newest first."""
    me = reads.me()
    shown = me.key.key_id if me.key else ""
    fixed = not visitor.may(me, "keys")
    token = None
    for _ in range(st.session_state.setdefault(f"key_pages_{mark}", 1)):
        some = visitor.client().list_keys(user_id=user_id, page_size=PAGE_SIZE, page_token=token)
        for key in some.items:
            with st.container(border=True), trouble.explained():
                _card(key, shown=key.key_id == shown, fixed=fixed)
        token = some.next_page_token
        if token is None:
            return
    st.button("More keys", key=f"more_keys_{mark}", type="tertiary", on_click=_more, args=(mark,))


def _more(mark: str) -> None:
    st.session_state[f"key_pages_{mark}"] += 1


def _card(key: Key, *, shown: bool, fixed: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        ending = f" `…{plain(key.last4)}`" if key.last4 else ""
        st.markdown(f"**{plain(key.name)}**{ending}", width="content")
        _badges(key, shown=shown)
    st.caption(" · ".join(_facts(key)))
    if fixed:
        return
    with st.container(horizontal=True):
        _rotation(key, shown=shown)
        _revocation(key, shown=shown)


def _badges(key: Key, *, shown: bool) -> None:
    if shown:
        st.badge("In use here", icon=":material/person:", color="blue")
    left = key.expires_at - datetime.now(UTC) if key.expires_at else None
    if left is not None and left <= timedelta():
        st.badge("Expired", icon=":material/event_busy:", color="red")
    elif left is not None and left < SOON:
        st.badge("Expires soon", icon=":material/schedule:", color="orange")


def _facts(key: Key) -> list[str]:
    kinds = [SCOPES.get(scope, scope) for scope in key.scopes if ":" not in scope]
    only = [askable(scope) for scope in key.scopes if ":" in scope]
    limited = quota_fields.summary(key.limits, key.budgets)
    facts = [
        plain(f"For {', '.join(kinds)}" if kinds else "For all that its user may do"),
        plain(f"asks only {', '.join(only)}") if only else "",
        f"expires {moment(key.expires_at)}" if key.expires_at else "does not expire",
        f"last used {moment(key.last_used_at)}" if key.last_used_at else "never used",
        f"made {moment(key.created_at)}" if key.created_at else "",
        plain(f"at most {limited}") if limited else "",
    ]
    return [fact for fact in facts if fact]


def _rotation(key: Key, *, shown: bool) -> None:
    with st.popover("Rotate", icon=":material/autorenew:", key=f"rotate_{key.key_id}"):
        st.markdown(f"Make a successor of **{plain(key.name)}** that may do the same?")
        chosen = st.selectbox(
            "The old one still works", OVERLAPS, index=2, key=f"overlap_{key.key_id}"
        )
        if shown:
            st.caption("You act with this key here: sign in with the new one before it ends.")
        if st.button("Rotate it", key=f"confirm_rotate_{key.key_id}", type="primary"):
            made = visitor.client().rotate_key(key.key_id, overlap_seconds=OVERLAPS[chosen])
            new_key.keep(made)
            st.rerun()


def _revocation(key: Key, *, shown: bool) -> None:
    with st.popover("Revoke", icon=":material/key_off:", key=f"revoke_{key.key_id}"):
        st.markdown(
            f"Revoke **{plain(key.name)}** for good? What uses it is cut off within seconds, "
            "replies that are being written too."
        )
        if shown:
            st.caption("You act with this key here: you will have to sign in with another one.")
        if st.button("Revoke it", key=f"confirm_revoke_{key.key_id}", type="primary"):
            visitor.client().delete_key(key.key_id)
            st.toast(plain(f"{key.name} is revoked."), icon=":material/check:")
            st.rerun()
