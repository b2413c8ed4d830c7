"""Reads a reply of `/responses`, streamed or whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from parley_provider_sdk import (
    FinishReason,
    ReasoningDelta,
    ReplyRequest,
    TextDelta,
)
from parley_provider_sdk.failures import bad_response
from parley_provider_sdk.reading import Reading, SSECutter
from typing_extensions import override

from parley_provider_openai import errors
from parley_provider_openai.responses import translate
from parley_provider_openai.wire import DONE, parsed, token

# Stands between two parts of a summary, each of which is a paragraph with a title.
_BETWEEN = "\n\n"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
# How events begin that hold all of a text again: to understand them would cost as much as the text.
_REPEATED = (
    DONE,
    b'{"type":"response.output_text.done"',
    b'{"type":"response.content_part.done"',
)


class ResponseReading(Reading):
    """The state of one reply. Its items are told by their `output_index`."""

    def __init__(self, request: ReplyRequest, secret: str) -> None:
        super().__init__(request, SSECutter())
        self._secret = secret
        self._reason: FinishReason | None = None
        self._refused = False
        self._called = False
        # The items of which something was read, and the part of a summary that is being read.
        self._begun: set[int] = set()
        self._part: tuple[int, int] = (-1, 0)

    @override
    def read(self, event: bytes) -> None:
        if event.startswith(_REPEATED):
            return
        answer = parsed(event)
        read = self._READERS.get(answer.get("type"))
        if read:
            read(self, answer)
        elif error := errors.error_of(answer):
            raise errors.from_event(error, self._secret)

    @override
    def read_whole(self, body: bytes) -> None:
        response = parsed(body)
        if "output" not in response and (error := errors.error_of(response)):
            raise errors.from_event(error, self._secret)
        for index, item in enumerate(response["output"]):
            self._read_item(index, item)
        self._read_response(response)

    @override
    def reason(self) -> FinishReason | None:
        return self._reason

    def _read_added(self, answer: Mapping[str, Any]) -> None:
        item = answer["item"]
        if item["type"] == "function_call":
            self._read_call(answer["output_index"], item, "")

    def _read_text(self, answer: Mapping[str, Any]) -> None:
        self._begun.add(answer["output_index"])
        self.say(answer["delta"])
        if answer.get("logprobs"):
            self.weigh([token(one) for one in answer["logprobs"]])

    def _read_refusal(self, answer: Mapping[str, Any]) -> None:
        self._refused = True
        self._read_text(answer)

    def _read_summary(self, answer: Mapping[str, Any]) -> None:
        part = (answer["output_index"], answer["summary_index"])
        if part != self._part:
            self._part = part
            self.think(_BETWEEN if part[1] else "")
        self._read_reasoning(answer)

    def _read_reasoning(self, answer: Mapping[str, Any]) -> None:
        self._begun.add(answer["output_index"])
        self.think(answer["delta"])

    def _read_arguments(self, answer: Mapping[str, Any]) -> None:
        self._begun.add(answer["output_index"])
        self.call(answer["output_index"], arguments=answer["delta"])

    def _read_done(self, answer: Mapping[str, Any]) -> None:
        """What came in deltas only lacks what goes back with it."""
        index, item = answer["output_index"], answer["item"]
        if index in self._begun:
            self._attach(item)
        else:
            self._begun.add(index)
            self._read_item(index, item)

    def _read_end(self, answer: Mapping[str, Any]) -> None:
        response = answer["response"]
        if not self._called and not self._begun:
            # Some servers stream nothing and say all of it at the end.
            for index, item in enumerate(response.get("output") or ()):
                self._read_item(index, item)
        self._read_response(response)

    def _read_error(self, answer: Mapping[str, Any]) -> None:
        # Its fields stand in the event itself, or in an object as on the other wire.
        raise errors.from_event(errors.error_of(answer) or {**answer, "type": None}, self._secret)

    def _read_item(self, index: int, item: Mapping[str, Any]) -> None:
        match item["type"]:
            case "message":
                for part in item["content"]:
                    self._read_content(part)
            case "reasoning":
                self.think(_BETWEEN.join(part["text"] for part in item.get("summary") or ()))
            case "function_call":
                self._read_call(index, item, item["arguments"])
        self._attach(item)

    def _read_content(self, part: Mapping[str, Any]) -> None:
        if part["type"] == "output_text":
            self.say(part["text"])
            self.weigh([token(one) for one in part.get("logprobs") or ()])
        elif part["type"] == "refusal":
            self._refused = True
            self.say(part["refusal"])

    def _read_call(self, index: int, item: Mapping[str, Any], arguments: str) -> None:
        self._called = True
        self.call(index, call_id=item["call_id"], name=item["name"], arguments=arguments)

    def _attach(self, item: Mapping[str, Any]) -> None:
        metadata = translate.kept(item)
        if metadata:
            is_text = item["type"] == "message"
            self.attach(TextDelta if is_text else ReasoningDelta, metadata)

    def _read_response(self, response: Mapping[str, Any]) -> None:
        self.usage = translate.usage(response.get("usage"))
        status = response["status"]
        if status == "failed":
            raise errors.from_event(response.get("error") or _NOTHING, self._secret)
        if status not in ("completed", "incomplete"):
            # One that is made in the background, say: nobody would come back for it.
            raise bad_response()
        refused, called = self._refused, self._called
        self._reason = translate.finish_reason(response, refused=refused, called=called)
        self.done = True

    # Every other event repeats what these have said, or belongs to tools that we do not ask for.
    _READERS: ClassVar[Mapping[str, Callable[[ResponseReading, Mapping[str, Any]], None]]] = (
        MappingProxyType(
            {
                "response.output_item.added": _read_added,
                "response.output_item.done": _read_done,
                "response.output_text.delta": _read_text,
                "response.refusal.delta": _read_refusal,
                "response.reasoning_summary_text.delta": _read_summary,
                "response.reasoning_text.delta": _read_reasoning,
                "response.function_call_arguments.delta": _read_arguments,
                "response.completed": _read_end,
                "response.incomplete": _read_end,
                "response.failed": _read_end,
                "error": _read_error,
            }
        )
    )
