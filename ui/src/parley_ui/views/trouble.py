"""Failures, as people should see them."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from parley_client import ParleyError

from parley_ui import state
from parley_ui.markdown import plain
from parley_ui.wording import explain


@contextmanager
def explained() -> Iterator[None]:
    """Shows a card instead of what could not be drawn."""
    try:
        yield
    except ParleyError as error:
        card(error)


def card(error: ParleyError) -> None:
    """Draws what happened, what to do about it, and the request's id."""
    what = explain(error, state.api_url())
    facts = " · ".join(f"`{fact.replace('`', '')}`" for fact in what.facts)
    lines = [f"**{plain(what.title)}**", what.advice, facts]
    st.error("\n\n".join(line for line in lines if line), icon=":material/error:")
