"""The button that stops a reply."""

import streamlit as st

from parley_ui import state

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
            on_click=state.stop,
            args=(chat_id, message_id),
        )
