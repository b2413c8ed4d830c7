"""The button that stops a reply."""

from streamlit.delta_generator import DeltaGenerator

from parley_ui import state


class StopButton:
    """Always in its place, so that nothing moves; it can be pressed while a reply is made."""

    def __init__(self, slot: DeltaGenerator) -> None:
        self._slot = slot
        slot.button("Stop", key="stop_nothing", shortcut="Esc", width="content", disabled=True)

    def arm(self, chat_id: str, message_id: str) -> None:
        """Makes it stop this reply, for the rest of the run."""
        self._slot.button(
            "Stop",
            key=f"stop_{message_id}",
            help="Stops the reply for everybody who reads it. What is there already stays.",
            shortcut="Esc",
            width="content",
            on_click=state.stop,
            args=(chat_id, message_id),
        )
