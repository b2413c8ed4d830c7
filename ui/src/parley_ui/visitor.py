"""Who reads the page: the owner of the key that a visit acts with.

That is the key of the page's settings, unless somebody signed in with a key of their own. Such a
key is kept in the memory of its visit and nowhere else: it goes when the visit ends, when its
reader signs out, and when the gateway refuses it. What the visit remembered goes with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any
from weakref import finalize

import streamlit as st
from parley_client import Client, Me, ParleyError, Timeouts

from parley_ui import state

# Somebody is looking: what fails is shown, and they try again.
AT_ONCE = Timeouts(reread=0)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Access:
    """A key at work. `mark` tells it from others without telling it: caches know it by that."""

    mark: str
    key: str = field(repr=False)
    client: Client = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A key, and to which gateway it is shown."""

    url: str
    key: str = field(repr=False)

    @property
    def mark(self) -> str:
        return sha256(f"{self.url}\n{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who signed in."""

    user_id: str
    access: Access


@dataclass(frozen=True, slots=True)
class Door:
    """Where a visit stands that has to say first whom it acts for, and why it has to."""

    why: ParleyError | None = None
    was_own: bool = False  # it was a visitor's own key that was refused
    left: state.Unsent | None = None  # what its reader had not sent yet


def api_url() -> str:
    return str(st.secrets["api_url"])


def access() -> Access:
    """Returns what this visit acts with: its own key, or the one that all visits share."""
    visitor = _visitor()
    return visitor.access if visitor else _shared(Shown(api_url(), _key_of_the_page()))


def api_key() -> str:
    """Returns the key that this visit shows; empty when it has none."""
    return access().key


def client() -> Client:
    return access().client


def signed_in() -> bool:
    return _visitor() is not None


def everybody_signs_in() -> bool:
    """Tells whether the page has no key of its own."""
    return bool(st.secrets["sign_in"])


def door() -> Door | None:
    """Returns where a visit stands that is not in; None once it may go on."""
    known: Door | None = st.session_state.get("door")
    return known or (Door() if everybody_signs_in() and not signed_in() else None)


def may(me: Me | None, *scopes: str) -> bool:
    """Tells whether somebody's key is for one of these; who is not known may try."""
    named = me.key.scopes if me and me.key else ()
    kinds = {scope for scope in named if ":" not in scope}
    return not kinds or not kinds.isdisjoint(scopes)


def is_admin(me: Me | None) -> bool:
    """Tells whether somebody may administer."""
    return me is not None and me.role == "admin" and may(me, "admin")


def sign_in(key: str) -> Me:
    """Lets the owner of a key in; raises ParleyError when the gateway does not know it."""
    own = _opened(Shown(api_url(), key))
    me = own.client.me()
    before = door()
    _forget()
    st.session_state.visitor = Visitor(me.user_id, own)
    if before and before.left and before.left.user_id == me.user_id:
        state.resume(before.left)
    return me


def leave() -> None:
    """Puts the visit before the door, with nothing of what it remembered."""
    _leave_for(Door())


def go_on_with_the_page() -> None:
    """Lets the visit act with the page's key."""
    _forget()


def refuse(why: ParleyError) -> None:
    """Puts the visit before the door: its key is not accepted any more."""
    visitor = _visitor()
    left = state.unsent(visitor.user_id) if visitor else None
    _leave_for(Door(why, visitor is not None, left))


def _visitor() -> Visitor | None:
    known: Visitor | None = st.session_state.get("visitor")
    return known


def _leave_for(door: Door) -> None:
    _forget()
    st.query_params.pop(state.CHAT, None)
    st.session_state.door = door


def _forget() -> None:
    st.session_state.clear()
    st.cache_data.clear()


def _key_of_the_page() -> str:
    """Returns the key of the settings, or else of the file that the gateway keeps it in."""
    file = Path(st.secrets["key_file"])
    return st.secrets["api_key"] or (file.read_text().strip() if file.is_file() else "")


def _opened(shown: Shown) -> Access:
    """Returns an access whose connections end with it, and so with the visit that holds it."""
    access = Access(shown.mark, shown.key, Client(shown.url, shown.key or None, timeouts=AT_ONCE))
    finalize(access, access.client.close)
    return access


# What a cache knows of a key.
MARKED: dict[str | type, Callable[[Any], Any]] = {
    Access: attrgetter("mark"),
    Shown: attrgetter("mark"),
}


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=MARKED)
def _shared(shown: Shown) -> Access:
    return _opened(shown)
