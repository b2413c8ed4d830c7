"""Where a visit says whom it acts for."""

import streamlit as st
from parley_client import Me, ParleyError

from parley_ui import reads, visitor
from parley_ui.views import trouble
from parley_ui.visitor import Door
from parley_ui.wording import SIGNING_IN, Explanation, explain, explain_refusal, is_refusal

LONGEST_KEY = 4096
NO_KEY_TYPED = Explanation("Type the key first", "It is one line of letters, digits and signs.")


def reader() -> Me | None:
    """Returns who reads, as far as that can be told; a key that is refused leads to the door."""
    if visitor.door():
        return None
    try:
        return reads.me()
    except ParleyError as error:
        if is_refusal(error):
            visitor.refuse(error)
        return None


def page(door: Door) -> None:
    """Draws a field for a key, and why it is asked for if that is not plain."""
    st.title("Sign in", anchor=False)
    if told := st.session_state.pop("not_in", None):
        trouble.show(told)
    elif door.why:
        trouble.show(explain_refusal(door.why, own=door.was_own))
    st.caption("With a key of yours. This page keeps it until you sign out, reload or leave.")
    _form()
    if not visitor.everybody_signs_in():
        st.button(
            "Go on with the page's own key",
            key="go_on",
            type="tertiary",
            on_click=visitor.go_on_with_the_page,
        )
    if door.left:
        st.caption(":material/drafts: Your message waits until you are back.")


def _form() -> None:
    # Each submission is the last of its widget: what was typed is kept nowhere on this side.
    number = st.session_state.setdefault("tries", 0)
    with st.form(f"sign_in_{number}", clear_on_submit=True):
        st.text_input(
            "Key",
            key=f"typed_key_{number}",
            type="password",
            autocomplete="current-password",
            max_chars=LONGEST_KEY,
            placeholder="parley_…",
        )
        st.form_submit_button(
            "Sign in", icon=":material/login:", type="primary", on_click=_try, args=(number,)
        )


def _try(number: int) -> None:
    """Signs in with what was typed; what keeps it from that is told by the next drawing."""
    typed: str | None = st.session_state.pop(f"typed_key_{number}", None)
    st.session_state.tries = number + 1
    key = (typed or "").strip()
    if not key or not key.isprintable():
        st.session_state.not_in = NO_KEY_TYPED
        return
    try:
        visitor.sign_in(key)
    except ParleyError as error:
        st.session_state.not_in = explain(error, visitor.api_url(), unaccepted=SIGNING_IN)
