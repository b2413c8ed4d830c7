"""The frame of the page. Streamlit runs this file from top to bottom on every interaction."""

from pathlib import Path

import streamlit as st

from parley_ui import visitor
from parley_ui.views import (
    audit,
    chat,
    entrance,
    keys,
    new_key,
    prompts,
    providers,
    sidebar,
    trouble,
    usage,
    users,
)

MAKING_KEYS = ("keys", "users")
ICON = str(Path(__file__).parent / "icon.png")

st.set_page_config(
    page_title="Parley",
    page_icon=ICON,
    menu_items={"About": "**Parley**: all models, one page."},
)
st.logo(ICON, size="large")

me = entrance.reader()
door = visitor.door()
offered = [
    (True, chat, "Chat", "chat"),
    (visitor.may(me, "read", "prompts"), prompts, "Prompts", "psychology"),
    (True, providers, "Providers", "hub"),
    (visitor.may(me, "read"), usage, "Usage", "monitoring"),
    (visitor.may(me, "read", "keys"), keys, "Keys", "key"),
    # A link to these survives the door.
    (door or visitor.is_admin(me), users, "Users", "group"),
    (door or visitor.is_admin(me), audit, "Audit", "fact_check"),
]
pages = [
    st.Page(
        view.page,
        title=title,
        icon=f":material/{icon}:",
        url_path=title.lower(),
        default=view is chat,
    )
    for usable, view, title, icon in offered
    if usable
]
page = st.navigation(pages, position="hidden")
if page.url_path not in MAKING_KEYS:
    new_key.forget()
if door:
    entrance.page(door)
else:
    sidebar.draw(pages, me)
    with trouble.explained():
        page.run()
