"""What a visit to the page remembers.

The gateway is the truth: chats are read from it on each run, and which chat is shown stands in the
URL. A visit remembers only what cannot be asked for: a message on its way, and why one failed.
"""

from dataclasses import dataclass, replace
from uuid import uuid4

import streamlit as st
from parley_client import ParleyError, ProblemError

CHAT = "chat"  # the URL's parameter
INPUT = "message"  # the key of the field for messages


@dataclass(frozen=True, slots=True)
class Submission:
    """A message that the gateway has not taken yet. Sending it again with its key is harmless."""

    chat_id: str
    text: str
    provider: str | None
    model: str | None
    key: str
    failure: ParleyError | None = None


@dataclass(frozen=True, slots=True)
class Unsent:
    """A submission of somebody who was turned out, for when they come back."""

    user_id: str
    submission: Submission


def chat_id() -> str | None:
    return st.query_params.get(CHAT)


def submit(text: str, provider: str | None, model: str | None) -> None:
    """Keeps a message until the gateway has taken it; a new chat gets its id here."""
    waiting = _written(text, provider, model)
    st.query_params[CHAT] = waiting.chat_id
    st.session_state.submission = waiting


def submission() -> Submission | None:
    """Returns the message that waits to be sent in this chat."""
    waiting: Submission | None = st.session_state.get("submission")
    return waiting if waiting and waiting.chat_id == chat_id() else None


def settle(failure: ParleyError | None = None) -> None:
    """Forgets the waiting message, or keeps it with the reason why it was not taken."""
    waiting: Submission = st.session_state.submission
    st.session_state.submission = replace(waiting, failure=failure) if failure else None


def retry() -> None:
    st.session_state.submission = replace(st.session_state.submission, failure=None)


def unsent(user_id: str) -> Unsent | None:
    """Returns what this user has not sent yet; what only their key kept back is free to go.

    That may be what they have just typed: the refusal can come before it is looked at.
    """
    waiting: Submission | None = st.session_state.get("submission")
    if typed := (st.session_state.get(INPUT) or "").strip():
        provider = st.session_state.get(f"provider_{chat_id()}")
        model = st.session_state.get(f"model_{chat_id()}_{provider}")
        waiting = _written(typed, provider, model)
    if waiting is None:
        return None
    if isinstance(waiting.failure, ProblemError) and waiting.failure.status == 401:
        waiting = replace(waiting, failure=None)
    return Unsent(user_id, waiting)


def resume(left: Unsent) -> None:
    """Puts a message back in its chat."""
    st.query_params[CHAT] = left.submission.chat_id
    st.session_state.submission = left.submission


def _written(text: str, provider: str | None, model: str | None) -> Submission:
    return Submission(chat_id() or str(uuid4()), text, provider, model, uuid4().hex)


def looks() -> dict[str, int]:
    """Returns how often was looked for what a stopped reply has used, by the message's id."""
    known: dict[str, int] = st.session_state.setdefault("looks", {})
    return known


def failures() -> dict[str, ParleyError]:
    """Returns why replies failed that began in this visit, by the message's id."""
    known: dict[str, ParleyError] = st.session_state.setdefault("failures", {})
    return known
