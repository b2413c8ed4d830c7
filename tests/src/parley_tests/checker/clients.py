"""Clients that send, resend, leave, resume, stop, read and delete, as the plan says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import aiohttp

from parley_tests.checker.history import (
    DOUBT,
    FAILED,
    OK,
    Act,
    Attempt,
    ChatLog,
    History,
    Sent,
    View,
)
from parley_tests.checker.plan import Send, Session
from parley_tests.checker.reading import Place, Reader, take
from parley_tests.checker.wire import LOST, REFUSED, Api, document

MOST_ATTEMPTS = 8
PAUSE_SECONDS = 0.4
# Refusals before anything is stored. Of other failures nobody knows.
NOTHING_STORED = {"too_busy", "limit_exceeded"}
STOP = "/chats/{chat}/messages/{message}/stop"


class Client:
    """One client, and its chats, one after the other."""

    def __init__(self, api: Api, history: History, stop: asyncio.Event) -> None:
        self.api = api
        self.history = history
        self.stop = stop
        self.reader = Reader(api, history)

    async def run(self, sessions: Iterator[Session]) -> None:
        """Go through chats until told to stop."""
        for session in sessions:
            if self.stop.is_set():
                return
            chat = self.history.open(session)
            async with asyncio.TaskGroup() as lanes:
                for lane in session.lanes:
                    lanes.create_task(Lane(self, chat).run(lane))


class Lane:
    """One sender in a chat."""

    def __init__(self, client: Client, chat: ChatLog) -> None:
        self.client = client
        self.chat = chat
        self.user = chat.session.user
        self.chat_id = chat.session.chat_id
        self.reader = client.reader

    async def run(self, sends: tuple[Send, ...]) -> None:
        """Send one message after the other."""
        for send in sends:
            if self.client.stop.is_set():
                return
            sent = Sent(send)
            self.chat.sends.append(sent)
            deletes = self.chat.session.deleted and send is sends[-1]
            await Turn(self, sent, deletes=deletes).run()
            if send.reads_history:
                read = await self.reader.history_of(self.user, self.chat_id, send.gateway + 1)
                self.chat.reads.append(read)


class Turn:
    """One message, its repetitions, and those who read its reply."""

    def __init__(self, lane: Lane, sent: Sent, *, deletes: bool) -> None:
        self.lane = lane
        self.sent = sent
        self.send = sent.send
        self.deletes = deletes
        self.history = lane.client.history
        self.side: list[asyncio.Task[None]] = []
        self.acted = False

    async def run(self) -> None:
        """Send until it is known what became of it, and do what else is planned."""
        await asyncio.gather(*(self.attempt() for _ in range(1 + self.send.twin)))
        while self.send.key and self._unsettled() and len(self.sent.attempts) < MOST_ATTEMPTS:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.attempt()
        if self.send.again and self.sent.outcome == OK:
            await self.attempt()
        if self.send.other_body and self.sent.outcome == OK:
            await self.attempt(body="other")
        if self.side:
            await asyncio.gather(*self.side)
        if self.sent.outcome == OK:
            self.history.acknowledged += 1
        elif not self.lane.client.stop.is_set():
            await asyncio.sleep(PAUSE_SECONDS)

    def _unsettled(self) -> bool:
        last = self.sent.attempts[-1]
        return self.sent.outcome == DOUBT or (last.outcome == FAILED and last.status != 409)

    async def attempt(self, body: str = "same") -> None:
        """Send once, and read the reply to its end."""
        gateway = self.send.gateway + len(self.sent.attempts)
        attempt = Attempt(time.monotonic(), gateway, body, is_first=not self.sent.attempts)
        self.sent.attempts.append(attempt)
        view = View("", "send", attempt.began)
        try:
            async with asyncio.timeout(self.send.patience if attempt.is_first else None):
                await self._post(attempt, view)
        except REFUSED:
            attempt.outcome, attempt.reason = FAILED, "connection refused"
        except LOST as error:
            view.broken = attempt.reason = type(error).__name__
        attempt.ended = time.monotonic()
        if view.message_id:
            place = self._place(attempt.message_id)
            await self.lane.reader.follow(place, self.sent.views, view, gateway)

    async def _post(self, attempt: Attempt, view: View) -> None:
        async with self.lane.client.api.call(
            "POST",
            "/chat",
            user=self.lane.user,
            gateway=attempt.gateway,
            headers={"Idempotency-Key": self.send.key} if self.send.key else {},
            body=self._body(attempt.body),
        ) as answer:
            attempt.status = answer.status
            if answer.status == 200 and self.send.streamed:
                await take(answer, view, partial(self._watch, attempt))
            else:
                await self._whole(answer, attempt)

    async def _watch(self, attempt: Attempt, view: View) -> bool:
        """Take note of the start, and do what is planned for this point; say whether to leave."""
        if attempt.acked is None:
            self._stored(attempt, view.user_message_id, view.message_id)
            self.sent.views.append(view)
            self._accompany(view.message_id)
        return await self._midway(view)

    def _body(self, body: str) -> dict[str, Any]:
        message = self.send.ask.message
        return {
            "message": message if body == "same" else f"{message} other",
            "chat_id": self.lane.chat_id,
            "provider": "demo",
            "model": "demo",
            "stream": self.send.streamed,
        }

    def _place(self, message_id: str) -> Place:
        return Place(self.lane.user, self.lane.chat_id, message_id)

    async def _whole(self, answer: aiohttp.ClientResponse, attempt: Attempt) -> None:
        """Read an answer that is one document: a reply, or a refusal."""
        told = await document(answer)
        if answer.status == 200:
            self._stored(attempt, "", told["message_id"])
            view = View(told["message_id"], "answer", attempt.began, text=told["response"])
            view.reasoning, view.end = None, told
            self.sent.views.append(view)
            return
        attempt.reason = str(told.get("reason", ""))
        metadata = told.get("metadata") or {}
        if metadata.get("message_id") and metadata.get("chat_id"):
            self._stored(attempt, "", metadata["message_id"])
        elif attempt.status < 500 or attempt.reason in NOTHING_STORED:
            attempt.outcome = FAILED

    def _stored(self, attempt: Attempt, user_message_id: str, message_id: str) -> None:
        attempt.outcome, attempt.acked = OK, time.monotonic()
        attempt.user_message_id, attempt.message_id = user_message_id, message_id

    async def _midway(self, view: View) -> bool:
        """Stop, delete or leave, if it is time to; say whether the reader leaves."""
        said = len(view.text)
        stop_after = 40 if self.deletes else self.send.stop_after
        if not self.acted and stop_after is not None and said >= stop_after:
            self.acted = True
            act = self._delete if self.deletes else self._stop
            self.side.append(asyncio.create_task(act(view.message_id)))
        leave_after = self.send.leave_after
        first = len(self.sent.views) == 1
        return leave_after is not None and first and said >= leave_after

    def _accompany(self, message_id: str) -> None:
        """Let others read along."""
        if len(self.sent.views) == 1:
            for number, at in enumerate(self.send.readers):
                self.side.append(asyncio.create_task(self._read_along(message_id, at, number)))

    async def _read_along(self, message_id: str, at: int, number: int) -> None:
        """Read so far, leave, and go on from there: what was seen is joined by its positions."""

        async def leave(view: View) -> bool:
            return at > 0 and len(view.text) >= at

        if "resume" in self.history.missing:
            return
        place, gateway = self._place(message_id), self.send.gateway + number + 1
        view = await self.lane.reader.resume(place, "0.0", gateway, leave)
        if view is None:
            view = View(message_id, "resume", time.monotonic(), broken="nothing came")
        else:
            self.sent.views.append(view)
        await self.lane.reader.follow(place, self.sent.views, view, gateway)

    async def _stop(self, message_id: str) -> None:
        path = STOP.format(chat=self.lane.chat_id, message=message_id)
        act = await self._act("stop", "POST", path, message_id)
        if act.reason in {"route_not_found", "unimplemented"}:
            self.history.missing.add("stop")
        self.sent.acts.append(act)

    async def _delete(self, message_id: str) -> None:
        path = f"/chat/delete/{self.lane.chat_id}"
        self.lane.chat.deletions.append(await self._act("delete", "DELETE", path, message_id))
        read = await self.lane.reader.history_of(self.lane.user, self.lane.chat_id, 0)
        self.lane.chat.reads.append(read)

    async def _act(self, what: str, method: str, path: str, message_id: str) -> Act:
        """Do something until an answer comes; it may be done more than once."""
        act = Act(what, message_id, time.monotonic())
        for number in range(MOST_ATTEMPTS):
            try:
                act.status, act.answer = await self.lane.client.api.ask(
                    method, path, user=self.lane.user, gateway=self.send.gateway + number
                )
                act.reason = str(act.answer.get("reason", ""))
            except LOST as error:
                act.status, act.reason = 0, type(error).__name__
            if 0 < act.status < 500:
                break
            act.in_doubt = True
            await asyncio.sleep(PAUSE_SECONDS)
        act.ended = time.monotonic()
        return act
