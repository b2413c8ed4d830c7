"""One message, as it is stored."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import streamlit as st
from parley_client import Message, ToolCall
from streamlit.delta_generator import DeltaGenerator

from parley_ui import state
from parley_ui.figures import account
from parley_ui.markdown import plain, safe_markdown
from parley_ui.views import trouble

ICON = Path(__file__).parents[1] / "icon.png"
LONGEST_ARGUMENTS = 10_000
ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        "stopped": ":material/stop_circle: Stopped before its end.",
        "failed": ":material/error: This reply failed.",
        "interrupted": ":material/power_off: Interrupted: the service that wrote it went away.",
    }
)


def draw(message: Message) -> None:
    """Draws a message, and how it ended if not as it should."""
    with bubble(message.role):
        if message.reasoning:
            with st.expander("Thoughts", type="compact"):
                st.markdown(safe_markdown(message.reasoning))
        st.markdown(safe_markdown(message.content))
        for call in message.tool_calls:
            _call(call)
        if message.role == "user" and not message.content:
            st.caption("Sent by a program, without words of its user's.")
        if message.status == "running":
            st.caption(":shimmer[Still writing]")
        elif message.role != "user":
            _footer(message)


def bubble(role: str) -> DeltaGenerator:
    """Returns the frame of a message by its author."""
    if role == "user":
        return st.chat_message("user", avatar=":material/person:")
    return st.chat_message("assistant", avatar=ICON)


def _call(call: ToolCall) -> None:
    """Draws a call of a tool, folded; nothing that it says is taken for anything but text."""
    with st.expander(f"Calls {plain(call.name)}", type="compact"):
        more = len(call.arguments) - LONGEST_ARGUMENTS
        st.code(call.arguments[:LONGEST_ARGUMENTS], language=None, wrap_lines=True)
        if more > 0:
            st.caption(f"And {more:,} more characters.")


def _footer(message: Message) -> None:
    failure = state.failures().get(message.message_id)
    if message.status in ("complete", "stopped"):
        failure = None  # we were told otherwise before it was over
    if failure:
        trouble.card(failure)
    ending = "" if failure else ENDINGS.get(message.status, "")
    lines = [ending, plain(account(message))]
    st.caption("  \n".join(line for line in lines if line))
