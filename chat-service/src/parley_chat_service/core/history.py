"""What a model is shown of a conversation, and whom what of it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from uuid import UUID

from parley_rpc.faults import InvalidArgument

from parley_chat_service.core.inputs import (
    Call,
    Part,
    Result,
    Said,
    bare,
    instructions_of,
    parts_of,
    spoken,
)
from parley_chat_service.core.model import Role
from parley_chat_service.core.outline import Kind, Span
from parley_chat_service.core.rules import LARGEST_ATTACHMENTS
from parley_chat_service.core.turn import Past

# Bytes of vendors' metadata in one call, so that they fit into it with files and text.
LARGEST_RETURNED = 4 << 20
NOT_ANSWERED = "This call was not answered."


def system_of(prompt: str, path: Iterable[Past]) -> str:
    """Return the system prompt: the turn's own, then what the inputs on its path add to it."""
    added = (text for message in path for text in instructions_of(message.said))
    return "\n\n".join(filter(None, [prompt, *added]))


def without_instructions(path: Iterable[Past]) -> list[Past]:
    """Return a path without what is part of the system prompt."""
    return [message._replace(said=spoken(message.said)) for message in path]


def shown(path: Sequence[Past], provider: str) -> list[Past]:
    """Return what a model is shown of a path: all that has text, or calls tools.

    What vendors want back goes to nobody but the provider that wanted it, with the newest of its
    replies that fit into one call.
    """
    kept: list[Past] = []
    room = LARGEST_RETURNED
    for message in reversed(path):
        if not message.content and not message.tool_calls and not message.said:
            continue
        if not message.spans and not message.said:
            kept.append(message)
            continue
        own = message.provider == provider
        if own:
            room -= metadata_size(message)
        kept.append(message if own and room >= 0 else plain(message))
    kept.reverse()
    return kept


def metadata_size(message: Past) -> int:
    """Count the bytes that a vendor wants back with a message."""
    size = sum(len(span.metadata) for span in message.spans)
    return size + sum(len(part.metadata) for part in parts_of(message.said))


def plain(message: Past) -> Past:
    """Return a message as others are shown it than who made it: its words and its calls."""
    spans: Sequence[Span] = ()
    if message.tool_calls:
        kinds = (span for span in message.spans if span.kind is not Kind.REASONING)
        spans = tuple(Span(span.kind, span.length) for span in kinds)
    return message._replace(spans=spans, said=bare(message.said))


def answered(past: Sequence[Past], asked: UUID) -> Sequence[Past]:
    """Return a conversation in which every call of a tool is followed by its one result.

    Vendors refuse any other, and a chat must go on whatever was said in it. A call that nobody
    answered is answered so; of two results the newer one counts; results of what was never called
    are left out, but refused in the message `asked` that is new: InvalidArgument.
    """
    if not any(message.tool_calls or message.said for message in past):
        return past
    known: list[Past] = []
    calls: list[str] = []
    for is_reply, group in groupby(singly(past), key=is_reply_of):
        messages = list(group)
        if is_reply:
            calls = [name for message in messages for name in calls_of(message)]
            known += messages
        else:
            known += matched(messages, calls, asked)
            calls = []
    return known + unanswered(calls)


def singly(past: Iterable[Past]) -> Iterator[Past]:
    """Yield a conversation message by message, those that make up one of the user's too."""
    for message in past:
        if len(message.said) > 1:
            for said in message.said:
                yield message._replace(said=(said,))
        else:
            yield message


def is_reply_of(message: Past) -> bool:
    """Say whether a model said a message."""
    return (message.said[0].role if message.said else message.role) == Role.ASSISTANT


def calls_of(message: Past) -> Iterator[str]:
    """Yield the names of the calls that a message makes."""
    yield from (call.tool_call_id for call in message.tool_calls)
    calls = (part.call for part in parts_of(message.said) if isinstance(part, Call))
    yield from (call.tool_call_id for call in calls)


def matched(messages: list[Past], calls: Sequence[str], asked: UUID) -> list[Past]:
    """Return what was said after a reply so that it answers each of the reply's calls once."""
    results = [
        (message.message_id, part)
        for message in messages
        for part in parts_of(message.said)
        if isinstance(part, Result)
    ]
    for message_id, result in results:
        if message_id == asked and result.tool_call_id not in calls:
            rule = f"answers the call {result.tool_call_id!r}, which the reply before did not make"
            raise InvalidArgument.of("input", rule)
    if sorted(result.tool_call_id for _, result in results) == sorted(calls):
        return messages
    newest = {result.tool_call_id: result for _, result in results}
    rest = [message for one in messages if (message := without_results(one)) is not None]
    return [*results_of(calls, newest), *rest]


def unanswered(calls: Sequence[str]) -> list[Past]:
    """Return what answers the calls at the very end of a conversation."""
    return results_of(calls, {})


def results_of(calls: Sequence[str], newest: Mapping[str, Result]) -> list[Past]:
    """Return one message with a result of each call; none when there is none."""
    if not calls:
        return []
    parts: list[Part] = [
        newest.get(name, Result(name, NOT_ANSWERED, is_error=True)) for name in calls
    ]
    said = (Said(Role.TOOL, tuple(parts)),)
    return [Past(UUID(int=0), Role.USER, "complete", "", said=said)]


def without_results(message: Past) -> Past | None:
    """Return a message without what it says of tools; None when nothing is left."""
    if not message.said:
        return message
    (said,) = message.said
    parts = tuple(part for part in said.parts if not isinstance(part, Result))
    return message._replace(said=(Said(said.role, parts),)) if parts else None


def newest_files(path: Sequence[Past], size: int) -> list[str]:
    """Name the newest files on a path that, after `size` bytes, still fit into one call."""
    names: list[str] = []
    for message in reversed(path):
        for info in message.attachments:
            size += info.size
            if size > LARGEST_ATTACHMENTS:
                return names
            names.append(info.sha256)
    return names
