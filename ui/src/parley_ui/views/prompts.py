"""The library of system prompts."""

import streamlit as st
from parley_client import Prompt

from parley_ui import reads, visitor
from parley_ui.markdown import plain


def page() -> None:
    """Draws all prompts, each with what can be done to it, and a form for a new one."""
    st.title("System prompts", anchor=False)
    st.caption("A system prompt tells the model who it is. Your next message uses the active one.")
    _new()
    for prompt in reads.prompts():
        _prompt(prompt)


def _new() -> None:
    with st.expander("New prompt", icon=":material/add:", key="new_prompt"):
        with st.form("create_prompt", border=False, clear_on_submit=True):
            name = st.text_input("Name", key="new_name", max_chars=100)
            description = st.text_input("Description", key="new_description")
            content = st.text_area("Text", key="new_content", height=160)
            created = st.form_submit_button("Create", type="primary")
        if created and name.strip() and content.strip():
            visitor.client().create_prompt(name.strip(), content, description.strip() or None)
            _changed(f"{name.strip()} is in the library.")
        elif created:
            st.warning("A prompt needs a name and a text.", icon=":material/edit:")


def _prompt(prompt: Prompt) -> None:
    marks = [" :green-badge[Active]"] * prompt.is_active + [" :gray-badge[Shared]"] * prompt.shared
    with st.expander(f"**{plain(prompt.name)}**{''.join(marks)}", key=f"prompt_{prompt.prompt_id}"):
        if prompt.shared:
            _read_only(prompt)
        else:
            _editor(prompt)
        with st.container(horizontal=True):
            _activation(prompt)
            if not prompt.shared:
                _deletion(prompt)


def _read_only(prompt: Prompt) -> None:
    if prompt.description:
        st.caption(plain(prompt.description))
    st.code(prompt.content, language=None, wrap_lines=True)


def _editor(prompt: Prompt) -> None:
    mark = f"{prompt.prompt_id}_{prompt.version}"  # another version starts a fresh form
    with st.form(f"edit_{mark}", border=False):
        name = st.text_input("Name", prompt.name, key=f"name_{mark}")
        description = st.text_input(
            "Description", prompt.description or "", key=f"description_{mark}"
        )
        content = st.text_area("Text", prompt.content, key=f"content_{mark}", height=160)
        saved = st.form_submit_button("Save", icon=":material/save:")
    if saved:
        visitor.client().update_prompt(
            prompt.prompt_id, name=name, description=description, content=content
        )
        _changed(f"{name} is saved.")


def _activation(prompt: Prompt) -> None:
    pressed = st.button(
        "In use" if prompt.is_active else "Use this prompt",
        key=f"activate_{prompt.prompt_id}",
        icon=":material/check:",
        disabled=prompt.is_active,
    )
    if pressed:
        visitor.client().activate_prompt(prompt.prompt_id)
        _changed(f"{prompt.name} is active.")


def _deletion(prompt: Prompt) -> None:
    with st.popover("Delete", icon=":material/delete:", key=f"delete_{prompt.prompt_id}"):
        st.markdown(f"Delete **{plain(prompt.name)}** for good?")
        if st.button("Delete prompt", key=f"confirm_{prompt.prompt_id}", type="primary"):
            visitor.client().delete_prompt(prompt.prompt_id)
            _changed(f"{prompt.name} is deleted.")


def _changed(news: str) -> None:
    """Says so, and draws the page again as things are now."""
    st.toast(plain(news), icon=":material/check:")
    reads.forget_prompts()
    st.rerun()
