"""Failures, as people should see them."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from parley_client import ParleyError

from parley_ui import visitor
from parley_ui.markdown import plain
from parley_ui.wording import Explanation, explain, is_refusal


@contextmanager
def explained() -> Iterator[None]:
    """Shows a card instead of what could not be drawn."""
    try:
        yield
    except ParleyError as error:
        card(error)


def card(error: ParleyError) -> None:
    """Draws what happened, what to do about it, and the request's id.

    Whoever has a key that is not accepted is shown the door instead.
    """
    if is_refusal(error):
        visitor.refuse(error)
        st.rerun()
    show(explain(error, visitor.api_url()))


def show(what: Explanation) -> None:
    """Draws a card."""
    facts = " · ".join(f"`{fact.replace('`', '')}`" for fact in what.facts)
    lines = [f"**{plain(what.title)}**", what.advice, facts]
    st.error("\n\n".join(line for line in lines if line), icon=":material/error:")
