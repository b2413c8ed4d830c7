"""A small run in which everything is right, for tests to spoil."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from parley_tests.checker.aftermath import Found, Quiet
from parley_tests.checker.cluster import Exit
from parley_tests.checker.history import OK, Act, Attempt, ChatLog, History, Read, Seen, Sent, View
from parley_tests.checker.plan import Send, Session
from parley_tests.checker.rules.world import World
from parley_tests.checker.words import Ask

OWNER = UUID(int=1)
QUIET = Quiet(clients_done=1.0, nothing_runs=0.1, nothing_held=2.0, all_told=2.0, healthy=1.0)


class Run:
    """Two chats of one user: in the first a plain turn and a streamed one, the second deleted."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ledger: dict[UUID, dict[str, Any]] = {}
        self.history = History()
        self.keys: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        first = Send(Ask("m1", "echo", 3), streamed=False, gateway=0, key="key-m1")
        second = Send(Ask("m2", "think", 6), streamed=True, gateway=1)
        self.chat = self.history.open(Session("c", 0, ((first, second),)))
        self.plain = self._turn(self.chat, first, 1.0)
        self.streamed = self._turn(self.chat, second, 3.0)
        self._watch()
        self.chat.reads.append(self.read(self.chat, 5.0))
        gone = Send(Ask("m3", "echo", 9), streamed=True, gateway=0)
        self.gone = self.history.open(Session("d", 0, ((gone,),), deleted=True))
        self._turn(self.gone, gone, 1.0)
        deletion = Act("delete", "", began=2.0, ended=2.5, status=204)
        self.gone.deletions.append(deletion)
        for row in self.rows(self.gone):
            row["deleted"] = True
        self.rows(self.gone)[1]["status"] = "stopped"
        self.exits = [Exit("chat0", -9, wanted=True, at=3.0)]
        self.trouble: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.quiet = QUIET
        self.final: dict[tuple[int, str], Read] = {}

    @property
    def world(self) -> World:
        """The run as the rules see it."""
        chats = {
            self.chat.name: self.read(self.chat, 9.0),
            self.gone.name: Read(9.0, 404, "chat_not_found"),
        }
        found = Found(
            quiet=self.quiet,
            owners=[OWNER],
            chats=chats | self.final,
            messages=self.messages,
            ledger=self.ledger,
            days=self.days(),
            keys=self.keys,
            events=self.events,
            records=self.records,
            trouble=self.trouble,
            exits=self.exits,
        )
        return World(self.history, found)

    def rows(self, chat: ChatLog) -> list[dict[str, Any]]:
        """The stored messages of a chat."""
        return [row for row in self.messages if row["chat_id"] == chat.session.chat_id]

    def read(self, chat: ChatLog, began: float) -> Read:
        """Read a chat as it is stored."""
        shown = [
            Seen(
                str(row["message_id"]),
                str(row["parent_id"]) if row["parent_id"] else None,
                *(row[name] for name in ("seq", "role", "status", "content", "reasoning")),
            )
            for row in self.rows(chat)
        ]
        return Read(began, 200, messages=shown)

    def days(self) -> dict[UUID, dict[str, Any]]:
        """Sum up the ledger as it was made."""
        count = len(self.records)
        sums = {"input_tokens": 7 * count, "output_tokens": 5 * count, "requests": count}
        zeros = dict.fromkeys(("cached_input_tokens", "reasoning_tokens", "cost_nano_usd"), 0)
        return {OWNER: {"owner_id": OWNER, **sums, **zeros}}

    def add(self, chat: ChatLog, role: str, content: str, **columns: Any) -> dict[str, Any]:
        """Store one more message at the end of a chat."""
        before = self.rows(chat)
        row: dict[str, Any] = {
            "message_id": uuid4(),
            "chat_uid": before[0]["chat_uid"] if before else uuid4(),
            "owner_id": OWNER,
            "chat_id": chat.session.chat_id,
            "parent_id": before[-1]["message_id"] if before else None,
            "seq": len(before) + 1,
            "role": role,
            "status": "complete",
            "content": content,
            "reasoning": "",
            "deleted": False,
            **dict.fromkeys(("input_tokens", "output_tokens", "cached_input_tokens")),
            **dict.fromkeys(("reasoning_tokens", "usage_source", "cost_nano_usd")),
            **columns,
        }
        self.messages.append(row)
        for one in self.rows(chat):
            one["message_count"] = one["last_seq"] = len(before) + 1
        return row

    def _turn(self, chat: ChatLog, send: Send, began: float) -> Sent:
        figures = {"input_tokens": 7, "output_tokens": 5, "cached_input_tokens": 0}
        figures |= {"reasoning_tokens": 0, "cost_nano_usd": 0}
        user = self.add(chat, "user", send.ask.message)
        text, reasoning = send.ask.text, send.ask.reasoning
        reply = self.add(chat, "assistant", text, reasoning=reasoning, **figures)
        reply["usage_source"] = "reported"
        usage_id = reply["message_id"]
        row = {"usage_id": usage_id, "owner_id": OWNER, "status": "settled", "outcome": "stop"}
        row |= {"started_at": began}
        self.ledger[usage_id] = row | figures | {"source": "reported", "output_chars": len(text)}
        usage = {"output_tokens": 5}
        self.records.append({"usage_id": str(usage_id), "settled": True, "usage": usage})
        if send.key:
            key = {"owner_id": OWNER, "key": send.key, "message_id": usage_id, "found": True}
            self.keys.append(key)
        attempt = Attempt(began, 0, ended=began + 1, acked=began + 0.5, outcome=OK, status=200)
        attempt.message_id = str(usage_id)
        attempt.user_message_id = str(user["message_id"]) if send.streamed else ""
        sent = Sent(send, [attempt])
        if not send.streamed:
            end = {"status": "complete", "usage": usage}
            view = View(str(usage_id), "answer", began, reasoning=None, text=text, end=end)
            sent.views.append(view)
        chat.sends.append(sent)
        return sent

    def _watch(self) -> None:
        """Let one reader leave in the middle of the streamed turn, and go on."""
        ask, attempt = self.streamed.send.ask, self.streamed.attempts[0]
        left = View(attempt.message_id, "send", 3.0, broken="left")
        left.reasoning, left.text = ask.reasoning, ask.text[:10]
        on = View(attempt.message_id, "resume", 3.5, at=(len(ask.reasoning), 10))
        on.text, on.end = ask.text[10:], {"status": "complete", "usage": None}
        self.streamed.views += [left, on]
        stop = Act("stop", attempt.message_id, began=3.8, ended=3.9, status=200)
        stop.answer = {"status": "complete"}
        self.streamed.acts.append(stop)
