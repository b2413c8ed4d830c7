"""The frame of the page. Streamlit runs this file from top to bottom on every interaction."""

from pathlib import Path

import streamlit as st

from parley_ui import visitor
from parley_ui.views import chat, entrance, prompts, providers, sidebar, trouble, usage

ICON = str(Path(__file__).parent / "icon.png")

st.set_page_config(
    page_title="Parley",
    page_icon=ICON,
    menu_items={"About": "**Parley**: all models, one page."},
)
st.logo(ICON, size="large")

me = entrance.reader()
door = visitor.door()
pages = [
    st.Page(chat.page, title="Chat", icon=":material/chat:", default=True),
    st.Page(prompts.page, title="Prompts", icon=":material/psychology:", url_path="prompts"),
    st.Page(providers.page, title="Providers", icon=":material/hub:", url_path="providers"),
    st.Page(usage.page, title="Usage", icon=":material/monitoring:", url_path="usage"),
]
page = st.navigation(pages, position="hidden")
if door:
    entrance.page(door)
else:
    sidebar.draw(pages, me)
    with trouble.explained():
        page.run()
