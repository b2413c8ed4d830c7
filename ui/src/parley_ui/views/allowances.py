"""What the reader may use, and how much of it is gone."""

import streamlit as st

from parley_ui import quotas, visitor
from parley_ui.markdown import plain


def draw() -> None:
    """Draws a bar for each limit and budget of the reader and of their key, as they are now."""
    allowances = visitor.client().me().allowances
    if not allowances:
        return
    st.subheader("Limits and budgets", anchor=False)
    for one in allowances:
        st.progress(quotas.share(one), text=_marked(plain(quotas.standing(one)), one.left))


def _marked(words: str, left: object) -> str:
    return words if left else f":material/block: {words}"
