"""Parameters that the contract has no place for: what becomes of each, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from parley_rpc.faults import InvalidArgument

from parley_gateway.api.dialects.completions.body import CompletionBody

# Not handed on: without them a reply is the same.
IGNORED: Mapping[str, str] = MappingProxyType(
    {
        "user": "names the client's own user, who is nobody's business but the client's",
        "safety_identifier": "likewise",
        "metadata": "labels what OpenAI would store, and nothing is stored",
        "prompt_cache_key": "helps to find what is cached; vendors find it without",
        "prompt_cache_options": "likewise",
        "prompt_cache_retention": "likewise",
        "stream_options.include_obfuscation": "pads chunks to one length; nothing is padded here",
        "messages[].name": "tells speakers of one role apart; our contract has no word for it",
        "messages[].content[].image_url.detail": "a hint at the size that an image is looked at",
        "messages[].content[].prompt_cache_breakpoint": "helps to cache, as above",
    }
)
# What these ask for is what is done anyway.
HARMLESS: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "service_tier": ("auto", "default"),
        "store": (False,),
        "modalities": (["text"],),
        "logit_bias": ({},),
    }
)
# Refused with anything else: what they ask for could not be given back.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "modalities": "Replies are text: leave it out, or ask for `text` alone.",
        "audio": "Replies are text: nothing is spoken here.",
        "moderation": "Nothing is judged here: use a service that does, beside this one.",
    }
)
# Handed on as options of this dialect: a provider that does not speak it refuses them by name.
PASSED = ("logit_bias", "prediction", "service_tier", "store", "verbosity", "web_search_options")


def options(body: CompletionBody, unknown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is handed on as options; InvalidArgument for what is refused here."""
    for name, sentence in REFUSED.items():
        if is_asked(name, getattr(body, name)):
            raise InvalidArgument.of(name, sentence)
    given = {name: getattr(body, name) for name in PASSED}
    asked = {name: value for name, value in given.items() if is_asked(name, value)}
    return asked | {name: value for name, value in unknown.items() if value is not None}


def is_asked(name: str, value: object) -> bool:
    """Say whether a parameter asks for something that is not done anyway."""
    return value is not None and value not in HARMLESS.get(name, ())
