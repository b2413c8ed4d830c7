"""What clients saw, operation by operation: ok, failed, or in doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from parley_tests.checker.plan import Send, Session

OK, FAILED, DOUBT = "ok", "failed", "doubt"


@dataclass(slots=True)
class View:
    """What one reader saw of a reply, from a position on; times are seconds of one clock.

    `reasoning` is None where none is shown. `end` is the event that told how it ended, `problem`
    the reason that came instead, `broken` why neither did.
    """

    message_id: str
    via: str
    began: float
    user_message_id: str = ""
    at: tuple[int, int] = (0, 0)
    reasoning: str | None = ""
    text: str = ""
    end: dict[str, Any] | None = None
    problem: str = ""
    broken: str = ""
    # Event ids that did not stand where they said.
    misplaced: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Attempt:
    """One `POST /chat`. `acked` is when it was known to be stored."""

    began: float
    gateway: int
    body: str = "same"
    is_first: bool = False
    ended: float = 0.0
    acked: float | None = None
    outcome: str = DOUBT
    status: int = 0
    reason: str = ""
    user_message_id: str = ""
    message_id: str = ""


@dataclass(slots=True)
class Act:
    """A stop or a deletion: when, and what came back."""

    what: str
    message_id: str
    began: float
    ended: float = 0.0
    status: int = 0
    reason: str = ""
    answer: dict[str, Any] | None = None
    # An answer was lost before this one came.
    in_doubt: bool = False

    @property
    def done(self) -> bool:
        """Whether it was said to be done, by this answer or one that was lost."""
        return self.status in {200, 204} or (self.status == 404 and self.in_doubt)


@dataclass(slots=True)
class Sent:
    """One message of the plan, and all that was done about it."""

    send: Send
    attempts: list[Attempt] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    @property
    def of_own_body(self) -> list[Attempt]:
        """The attempts that had the body of the plan."""
        return [attempt for attempt in self.attempts if attempt.body == "same"]

    @property
    def began(self) -> float:
        """When it was first sent."""
        return min((attempt.began for attempt in self.of_own_body), default=float("inf"))

    @property
    def acked(self) -> float | None:
        """When it was first known to be stored; None when it never was."""
        times = [attempt.acked for attempt in self.of_own_body if attempt.acked is not None]
        return min(times, default=None)

    @property
    def outcome(self) -> str:
        """What its sender knows: one that was acknowledged is ok, one that may be is in doubt."""
        outcomes = {attempt.outcome for attempt in self.of_own_body}
        return next((known for known in (OK, DOUBT) if known in outcomes), FAILED)


@dataclass(slots=True)
class Seen:
    """A message as the history told it."""

    message_id: str
    parent_id: str | None
    seq: int
    role: str
    status: str
    content: str
    reasoning: str


@dataclass(slots=True)
class Read:
    """One read of a chat's history; None when it was refused."""

    began: float
    status: int
    reason: str = ""
    messages: list[Seen] | None = None


@dataclass(slots=True)
class ChatLog:
    """All that was done in one chat."""

    session: Session
    sends: list[Sent] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    deletions: list[Act] = field(default_factory=list)

    @property
    def name(self) -> tuple[int, str]:
        """Whose chat it is, and how it is called."""
        return self.session.user, self.session.chat_id

    @property
    def deleted_at(self) -> float | None:
        """When a deletion that was told to be done began."""
        return min((act.began for act in self.deletions if act.done), default=None)


class History:
    """The logs of all chats, and figures."""

    def __init__(self) -> None:
        self.chats: list[ChatLog] = []
        self.acknowledged = 0
        # Routes that this build does not have.
        self.missing: set[str] = set()

    def open(self, session: Session) -> ChatLog:
        """Begin the log of a chat."""
        chat = ChatLog(session)
        self.chats.append(chat)
        return chat
