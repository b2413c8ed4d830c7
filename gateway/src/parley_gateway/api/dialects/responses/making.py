"""A response while it is made: from what is asked, over its events, to its end."""

from __future__ import annotations

from typing import Any

from parley_rpc.faults import Fault, reason_of

from parley.provider.v1.reply_pb2 import (
    FINISH_REASON_REFUSAL,
    Finished,
    GenerateReplyResponse,
    ModelChoice,
    Usage,
)
from parley_gateway.api.dialects.bodies import json_of
from parley_gateway.api.dialects.failures import Dialect, parameter, word_of
from parley_gateway.api.dialects.responses import answers, names
from parley_gateway.api.dialects.responses.answers import Ending
from parley_gateway.api.dialects.responses.asked import Question, wants_logprobs
from parley_gateway.api.dialects.responses.output import COMPLETED, Events, Output, Silence

Document = dict[str, Any]
# What an output knows how to take, by the same names.
PIECES = frozenset(
    {"text", "reasoning", "tool_call", "text_metadata", "reasoning_metadata", "logprobs"}
)


class Making:
    """One response, and the events that tell of it."""

    def __init__(self, question: Question, of: str, model: str) -> None:
        body = question.body
        self.streamed = body.stream is True
        self.events = Events() if self.streamed else Silence()
        self.document = answers.begun(question, names.response_id(of), model)
        self.output = Output(of, self.events, logprobs=self.streamed and wants_logprobs(body))

    def begin(self) -> None:
        """Tell that it is under way."""
        self.events.add("response.created", {"response": self.document})
        self.events.add("response.in_progress", {"response": self.document})

    def take(self, event: GenerateReplyResponse) -> None:
        """Add what came of a reply that is kept nowhere."""
        kind = event.WhichOneof("event")
        if kind in PIECES:
            getattr(self.output, kind)(getattr(event, kind))
        elif kind == "answerer":
            self.answered_by(event.answerer)
        elif kind == "finished":
            finished = event.finished
            self.answered_by(finished)
            ending = answers.ending_of(finished.reason)
            refused = finished.reason == FINISH_REASON_REFUSAL
            self.end(ending, finished.usage, refused=refused)

    def answered_by(self, who: ModelChoice | Finished) -> None:
        """Say who answers."""
        if who.provider:
            self.document["model"] = answers.model_name(who.provider, who.model)

    def end(self, ending: Ending, used: Usage | None, *, refused: bool = False) -> None:
        """End it, and tell how."""
        whole = ending.status == COMPLETED
        self.output.end(COMPLETED if whole else "incomplete")
        if refused and not self.streamed:
            self.output.refuse()
        counted = answers.usage(used) if used is not None else None
        answers.ended(self.document, ending, self.output.items, counted)
        kind = "response.completed" if whole else "response.incomplete"
        self.events.add(kind, {"response": self.document})

    def fail(self, fault: Fault) -> bytes:
        """End it with a failure; return what there is to be sent."""
        self.output.close("incomplete")
        answers.ended(self.document, Ending("failed"), self.output.items, None)
        self.document["error"] = answers.error(fault)
        self.events.add("response.failed", {"response": self.document})
        return self.events.taken()

    def problem(self, fault: Fault) -> bytes:
        """Return the last event of a stream that is cut."""
        word = word_of(fault, Dialect.OPENAI)
        told = {
            "code": word.code or reason_of(fault),
            "message": fault.sentence,
            "param": parameter(fault),
        }
        self.events.add("error", told)
        return self.events.taken()

    def written(self) -> bytes:
        """Return it as it is."""
        return json_of(self.document)
