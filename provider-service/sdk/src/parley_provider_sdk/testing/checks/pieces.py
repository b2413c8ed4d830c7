"""What a reply holds besides text: reasoning and tool calls, and what the vendor wants back."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import Bench
from parley_provider_sdk.testing.reply import Reply
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor, VendorPeer
from parley_provider_sdk.types import (
    FinishReason,
    Logprobs,
    Message,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    TokenLogprob,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ["Pieces"]

_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array"}}}
TOOLS = (Tool("add", "Adds up.", json.dumps(_SCHEMA)), Tool("now", "Tells the time."))
# The vendor that says so has asked for these; arguments hold what JSON has to escape.
CALLS = (
    ToolCallPart("call-1", "add", '{"a": 1, "b": ["\\"ü\\"", "\\n", 2.5, null]}'),
    ToolCallPart("call-2", "now", "{}"),
)
REASONING = ("They want ", "it added.")
LIKELY = ("Grüße, ", "世界", " 👩‍🚀 ", "end.")
TOP = 2


class Pieces(Bench):
    """Reasoning and tool calls survive the way there and back."""

    @check(
        Rung.GOLD,
        "Agents call the wrong tool, or with half of the arguments.",
        "Yield ToolCallDeltas with name and arguments whole, and finish with the reason `tool`.",
        feature="tools",
    )
    async def test_tool_calls_come_whole(self, provider: Provider, peer: ScriptedVendor) -> None:
        reply = await self._called(provider, peer)
        told = [(one.name, json.loads(one.arguments or "{}")) for one in reply.tool_calls]
        assert told == [(one.name, json.loads(one.arguments)) for one in CALLS]
        assert reply.reason is FinishReason.TOOL
        ids = {one.tool_call_id for one in reply.tool_calls}
        assert len(ids - {""}) == len(CALLS), "Each call needs an id of its own."

    @check(
        Rung.GOLD,
        "The vendor does not know which call a result belongs to.",
        "Give the vendor's own id out, and back with the result.",
        feature="call_ids",
    )
    async def test_tool_calls_keep_their_ids(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        reply = await self._called(provider, peer)
        assert [call.tool_call_id for call in reply.tool_calls] == ["call-1", "call-2"]

    @check(
        Rung.GOLD,
        "The conversation breaks after the first tool call.",
        "Translate tool calls, their results and provider_metadata back to the vendor's form.",
        feature="tools",
    )
    async def test_tool_results_go_back(self, provider: Provider, peer: VendorPeer) -> None:
        reply = await self._called(provider, peer)
        results = [ToolResultPart(one.tool_call_id, f"of {one.name}") for one in reply.tool_calls]
        tail = [Message(Role.ASSISTANT, reply.parts), Message(Role.TOOL, results)]
        request = self._continued(peer.says(("It is ", "42.")), tail)
        assert (await self.reply(provider, request)).text
        self._assert_given_back(reply, peer, self.wants_back.get("tools", ()))

    @check(
        Rung.GOLD,
        "Users cannot see what the model thought, or read it as part of the answer.",
        "Yield reasoning as ReasoningDelta and never as TextDelta.",
        feature="reasoning",
    )
    async def test_reasoning_is_told_from_text(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        reply = await self._thought(provider, peer)
        assert (reply.reasoning, reply.text) == ("".join(REASONING), "It is 42.")

    @check(
        Rung.GOLD,
        "The vendor refuses the second message, or its model has forgotten what it thought.",
        "Keep signatures in provider_metadata and send them back with the reasoning.",
        feature="reasoning",
    )
    async def test_reasoning_goes_back(self, provider: Provider, peer: VendorPeer) -> None:
        reply = await self._thought(provider, peer)
        tail = [
            Message(Role.ASSISTANT, reply.parts),
            Message(Role.USER, (TextPart("And twice that?"),)),
        ]
        request = self._continued(peer.says(("It is ", "84.")), tail, model=self._thinker)
        assert (await self.reply(provider, request)).text
        self._assert_given_back(reply, peer, self.wants_back.get("reasoning", ()))

    @check(
        Rung.GOLD,
        "Whoever weighs an answer by its probabilities weighs another text, or half of it.",
        "Yield Logprobs behind the text that they belong to, each token once, when asked to.",
        feature="logprobs",
    )
    @pytest.mark.parametrize("stream", [True, False])
    async def test_probabilities_follow_their_text(
        self, provider: Provider, peer: ScriptedVendor, stream: bool
    ) -> None:
        asked = self.request(peer.says(LIKELY), top_logprobs=TOP, stream=stream)
        said = weighed = ""
        for event in await self.events(provider, asked):
            if isinstance(event, TextDelta):
                said += event.text
            elif isinstance(event, Logprobs):
                weighed += "".join(map(_weighed, event.tokens))
                assert said.startswith(weighed), "They come before their text."
        assert weighed == said == "".join(LIKELY)
        plain = await self.reply(provider, self.request(peer.says(LIKELY), stream=stream))
        assert plain.logprobs == (), "Nobody asked."

    @property
    def _thinker(self) -> str:
        return self.reasoning_model or self.model

    async def _called(self, provider: Provider, peer: ScriptedVendor) -> Reply:
        return await self.reply(provider, self.request(peer.calls(CALLS), tools=TOOLS))

    async def _thought(self, provider: Provider, peer: ScriptedVendor) -> Reply:
        told = peer.thinks(REASONING, ("It is ", "42."))
        return await self.reply(provider, self.request(told, model=self._thinker))

    def _continued(self, text: str, tail: list[Message], **changes: Any) -> ReplyRequest:
        first = self.request(text, tools=TOOLS, **changes)
        messages = [*first.messages, *tail]
        return self.request(text, tools=TOOLS, messages=messages, **changes)

    @staticmethod
    def _assert_given_back(reply: Reply, peer: VendorPeer, wanted: Sequence[str]) -> None:
        """Fails when what the vendor wants back is not in the request that it got last.

        Of each piece's metadata something has to be there; not all, as it may hold notes of the
        provider's own. Of what the contract names, all.
        """
        kept = [set(_words(_of_json(part.provider_metadata))) for part in reply.parts]
        if wanted or any(kept):
            given = set(_words(peer.received(), names=True))
            assert set(wanted) - given == set(), "Not given back."
            assert [one for one in kept if one and not one & given] == [], "Not given back."


def _weighed(token: TokenLogprob) -> str:
    assert token.logprob <= 0, "A logarithm of a probability is not above 0."
    assert len(token.top) <= TOP, "There are more than were asked for."
    assert token.top, "There are none in its place."
    assert not any(one.top for one in token.top)
    return token.token


def _of_json(metadata: bytes) -> Any:
    return json.loads(metadata) if metadata else None


def _words(value: Any, *, names: bool = False) -> Iterator[str]:
    """Yields every text in JSON, at any depth; with `names` those of fields as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value if names else ()
        yield from _words(list(value.values()), names=names)
    elif isinstance(value, list):
        for one in value:
            yield from _words(one, names=names)
