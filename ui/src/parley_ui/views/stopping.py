"""The button that stops a reply."""

import streamlit as st
from parley_client import ParleyError

from parley_ui import visitor

WIDTH = 82  # pixels: its label, and what to press on the keyboard


class StopButton:
    """Always in its place, so that nothing moves; it can be pressed while a reply is made.

    One button and drawn once in a run: two that take turns are seen side by side for a moment.
    Until it is drawn, what the last run drew is seen.
    """

    def __init__(self) -> None:
        """Takes its place here."""
        self._place = st.container(width=WIDTH)

    def rest(self) -> None:
        """Shows that there is nothing to stop."""
        self._place.button("Stop", key="stop", shortcut="Esc", width="stretch", disabled=True)

    def arm(self, chat_id: str, message_id: str) -> None:
        """Makes it stop this reply."""
        self._place.button(
            "Stop",
            key="stop",
            help="Stops the reply for everybody who reads it. What is there already stays.",
            shortcut="Esc",
            width="stretch",
            on_click=_stop,
            args=(chat_id, message_id),
        )


def not_stopped() -> ParleyError | None:
    """Returns why the last reply could not be stopped, once."""
    why: ParleyError | None = st.session_state.pop("not_stopped", None)
    return why


def _stop(chat_id: str, message_id: str) -> None:
    """Stops a reply; what keeps it from stopping is told once, by the next drawing of the chat."""
    try:
        visitor.client().stop_message(chat_id, message_id)
    except ParleyError as error:
        st.session_state.not_stopped = error
