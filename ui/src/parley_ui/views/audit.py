"""Who did what, for administrators."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import streamlit as st
from parley_client import AuditEntry

from parley_ui import reads, visitor
from parley_ui.figures import moment

PAGE_SIZE = 50
ALL = ""
# What is offered to look for; others can be typed.
ACTIONS = (
    "login",
    "create_user",
    "update_user",
    "create_key",
    "rotate_key",
    "delete_key",
    "update_provider",
    "set_credential",
)


@dataclass(frozen=True, slots=True)
class Places:
    """What was asked for, and where its pages begin, as far as we have come."""

    asked: dict[str, Any]
    starts: list[str | None] = field(default_factory=lambda: [None])


def page() -> None:
    """Draws one page of the log, newest first, and what leads to others."""
    st.title("Audit", anchor=False)
    st.caption("Who did what, to what, from where. Nobody can change it, administrators neither.")
    names = reads.names()
    asked = _asked(names)
    places = _places(asked)
    some = visitor.client().list_audit(**asked, page_size=PAGE_SIZE, page_token=places[-1])
    if not some.items:
        st.info("Nothing of that kind happened.", icon=":material/info:")
    else:
        st.dataframe(
            [_row(entry, names) for entry in some.items],
            hide_index=True,
            alt="Entries of the audit log, the newest first",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Newer",
            key="newer",
            icon=":material/chevron_left:",
            disabled=len(places) == 1,
            on_click=places.__delitem__,
            args=(-1,),
        )
        st.button(
            "Older",
            key="older",
            icon=":material/chevron_right:",
            disabled=some.next_page_token is None,
            on_click=places.append,
            args=(some.next_page_token,),
        )
        st.caption(f"Page {len(places)}")


def _asked(names: dict[str, str]) -> dict[str, Any]:
    """Draws the filters; returns what is asked for."""
    with st.container(horizontal=True):
        actor = st.selectbox(
            "By whom",
            [ALL, *names],
            format_func=lambda user_id: names.get(user_id, "Everybody"),
            key="audit_actor",
            width=200,
        )
        action = st.selectbox(
            "Action",
            [ALL, *ACTIONS],
            format_func=lambda action: action.replace("_", " ").capitalize() or "All",
            accept_new_options=True,
            key="audit_action",
            width=200,
        )
        since = st.date_input("From (UTC)", None, key="audit_since", width=150)
        last = st.date_input("To (UTC)", None, key="audit_last", width=150)
    return {
        "actor": actor or None,
        "action": (action or "").strip().lower().replace(" ", "_") or None,
        "since": since,
        "until": _day_after(last),
    }


def _day_after(day: date | None) -> date | None:
    return day + timedelta(days=1) if day else None


def _places(asked: dict[str, Any]) -> list[str | None]:
    """Returns where the pages up to the shown one begin; another question begins anew."""
    known: Places | None = st.session_state.get("audit_places")
    if known is None or known.asked != asked:
        known = st.session_state.audit_places = Places(asked)
    return known.starts


def _row(entry: AuditEntry, names: dict[str, str]) -> dict[str, str]:
    return {
        "When": moment(entry.at),
        "Who": names.get(entry.actor or "", entry.actor or "nobody"),
        "Did": entry.action,
        "To": names.get(entry.target, entry.target),
        "Outcome": entry.outcome,
        "From": entry.ip,
        "Key": entry.key_id or "",
        "Request": entry.request_id,
        "More": ", ".join(f"{name}: {value}" for name, value in entry.details.items()),
    }
