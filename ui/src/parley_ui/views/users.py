"""Everybody who may use the platform, for administrators."""

from dataclasses import asdict
from typing import Unpack

import streamlit as st
from parley_client import User, UserChange

from parley_ui import reads, visitor
from parley_ui.figures import moment
from parley_ui.markdown import plain
from parley_ui.views import keys, new_key, quota_fields, trouble

PAGE_SIZE = 20
ROLES = ("user", "admin")


def page() -> None:
    """Draws a form for a new user, and a card for each that there is."""
    st.title("Users", anchor=False)
    st.caption("Chats and prompts belong to their user: administrators do not see them here.")
    new_key.show()
    _new()
    me = reads.me()
    token = None
    for _ in range(st.session_state.setdefault("user_pages", 1)):
        some = visitor.client().list_users(page_size=PAGE_SIZE, page_token=token)
        for user in some.items:
            _user(user, itself=user.user_id == me.user_id)
        token = some.next_page_token
        if token is None:
            return
    st.button("More users", key="more_users", type="tertiary", on_click=_more)


def _more() -> None:
    st.session_state.user_pages += 1


def _new() -> None:
    with (
        st.expander("New user", icon=":material/person_add:", key="new_user"),
        trouble.explained(),
    ):
        number = st.session_state.setdefault("users_made", 0)  # a made one starts a fresh form
        with st.form(f"create_user_{number}", border=False):
            name = st.text_input("Name", key=f"new_user_name_{number}", max_chars=100)
            role = st.selectbox(
                "Role", ROLES, format_func=_role, key=f"new_user_role_{number}", width=240
            )
            added = st.form_submit_button("Add", type="primary")
        if added and name.strip():
            visitor.client().create_user(name.strip(), role=role)
            st.session_state.users_made += 1
            _changed(f"{name.strip()} is there, and needs a key.")
        elif added:
            st.warning("A user needs a name.", icon=":material/edit:")


def _user(user: User, *, itself: bool) -> None:
    marks = [
        " :blue-badge[Administrator]" * (user.role == "admin"),
        " :red-badge[Disabled]" * user.disabled,
        " :gray-badge[You]" * itself,
    ]
    panel = st.expander(
        f"**{plain(user.name)}**{''.join(marks)}", key=_panel(user), on_change="rerun"
    )
    if not panel.open:
        return
    with panel, trouble.explained():
        if user.created_at:
            st.caption(f"Since {moment(user.created_at)}")
        _switch(user)  # above what is loaded late, which would move it
        _form(user)
        st.subheader("Keys", anchor=False)
        _key_for(user)
        keys.listing(user.user_id, user.user_id)


def _form(user: User) -> None:
    mark = f"{user.user_id}_{hash((user.role, user.limits, user.budgets))}"
    with st.form(f"edit_user_{mark}", border=False):
        role = st.selectbox(
            "Role",
            ROLES,
            index=ROLES.index(user.role) if user.role in ROLES else 0,
            format_func=_role,
            key=f"role_{mark}",
            width=240,
        )
        limits, budgets = quota_fields.draw(mark, user.limits, user.budgets)
        saved = st.form_submit_button("Save", icon=":material/save:")
    if not saved:
        return
    change: UserChange = {}
    if role != user.role:
        change["role"] = role
    if limits != user.limits:
        change["limits"] = asdict(limits)  # what is empty is taken back
    if budgets != user.budgets:
        change["budgets"] = asdict(budgets)
    if change:
        _update(user, f"{user.name} is saved.", **change)
    st.info("Nothing has changed.", icon=":material/info:")


def _switch(user: User) -> None:
    if user.disabled:
        if st.button("Enable", key=f"enable_{user.user_id}", icon=":material/person_check:"):
            _update(user, f"{user.name} may come in again.", disabled=False)
        return
    with st.popover("Disable", icon=":material/person_off:", key=f"disable_{user.user_id}"):
        st.markdown(
            f"Disable **{plain(user.name)}**? Their keys stop working within seconds; what they "
            "have stays, and they can be enabled again."
        )
        if st.button("Disable them", key=f"confirm_disable_{user.user_id}", type="primary"):
            _update(user, f"{user.name} is disabled.", disabled=True)


def _panel(user: User) -> str:
    """Returns the key of a user's card: another label makes it another one."""
    return f"user_{user.user_id}_{user.role}_{user.disabled}"


def _update(user: User, news: str, **change: Unpack[UserChange]) -> None:
    changed = visitor.client().update_user(user.user_id, **change)
    if _panel(changed) != _panel(user):  # stays unfolded
        st.session_state[_panel(changed)] = True
    _changed(news)


def _key_for(user: User) -> None:
    with (
        # A popover would be taller than a phone, and cannot be scrolled.
        st.expander("Make a key", icon=":material/key:", key=f"make_key_{user.user_id}"),
        trouble.explained(),
    ):
        new_key.form(user.user_id, admin=user.role == "admin", user_id=user.user_id)


def _role(role: str) -> str:
    return "Administrator" if role == "admin" else role.capitalize()


def _changed(news: str) -> None:
    """Says so, and draws the page again as things are now."""
    st.toast(plain(news), icon=":material/check:")
    reads.forget_users()
    st.rerun()
