"""What may be asked of a provider at all; the rest its vendor judges."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from parley_provider_sdk import EmbeddingRequest, ReplyRequest
from parley_rpc.faults import InvalidArgument, Violation

from parley_provider_service.core.marks import broken_marks
from parley_provider_service.core.model import Ask

UUID_VERSION = 7
NAME_CHARACTERS = 200
HIGHEST_TEMPERATURE = 2.0
MOST_STOPS = 16
LARGEST_PENALTY = 2.0
MOST_LOGPROBS = 20
LONGEST_URL = 8_192
MOST_TEXTS = 2_048
MOST_TEXT_CHARACTERS = 2_000_000
MOST_FALLBACKS = 8


def check(ask: Ask) -> None:
    """Raise InvalidArgument with every field that breaks its rule."""
    violations = list(broken_rules(ask))
    if violations:
        sentence = "; ".join(f"{one.field}: {one.description}" for one in violations)
        raise InvalidArgument(sentence, violations=violations, field=violations[0].field)


def broken_rules(ask: Ask) -> Iterator[Violation]:
    """Yield what is wrong with a request for a reply."""
    request = ask.request
    if ask.usage_id.version != UUID_VERSION:
        yield Violation("usage_id", "must be a UUIDv7")
    if not is_name(request.model):
        yield Violation("model", f"must have 1 to {NAME_CHARACTERS} characters and no NUL")
    if ask.embedding is not None:
        yield from broken_texts(ask.embedding)
        return
    if not request.messages:
        yield Violation("messages", "must not be empty")
    yield from broken_parameters(request)
    yield from broken_fallbacks(ask)


def broken_texts(request: EmbeddingRequest) -> Iterator[Violation]:
    """Yield what is wrong with texts that are to be made vectors of."""
    if not 1 <= len(request.texts) <= MOST_TEXTS or not all(request.texts):
        yield Violation("texts", f"must be 1 to {MOST_TEXTS} texts, none of them empty")
    elif sum(map(len, request.texts)) > MOST_TEXT_CHARACTERS:
        rule = f"must have at most {MOST_TEXT_CHARACTERS} characters together"
        yield Violation("texts", rule)
    if request.dimensions is not None and request.dimensions < 1:
        yield Violation("dimensions", "must be at least 1")


def broken_parameters(request: ReplyRequest) -> Iterator[Violation]:
    """Yield what is wrong with the parameters of a request."""
    if request.temperature is not None and not 0 <= request.temperature <= HIGHEST_TEMPERATURE:
        yield Violation("temperature", "must be from 0 to 2")
    if request.max_tokens is not None and request.max_tokens < 1:
        yield Violation("max_tokens", "must be at least 1")
    if request.top_p is not None and not 0 <= request.top_p <= 1:
        yield Violation("top_p", "must be from 0 to 1")
    if len(request.stop) > MOST_STOPS or not all(request.stop):
        yield Violation("stop", f"must be at most {MOST_STOPS} texts, none of them empty")
    yield from broken_choices(request)
    yield from broken_marks(request)


def broken_choices(request: ReplyRequest) -> Iterator[Violation]:
    """Yield what is wrong with how tokens are to be chosen and counted."""
    for name in ("frequency_penalty", "presence_penalty"):
        penalty = getattr(request, name)
        if penalty is not None and not -LARGEST_PENALTY <= penalty <= LARGEST_PENALTY:
            yield Violation(name, "must be from -2 to 2")
    for name in ("top_k", "reasoning_tokens"):
        number = getattr(request, name)
        if number is not None and number < 1:
            yield Violation(name, "must be at least 1")
    if request.top_logprobs is not None and not 0 <= request.top_logprobs <= MOST_LOGPROBS:
        yield Violation("top_logprobs", f"must be from 0 to {MOST_LOGPROBS}")


def broken_fallbacks(ask: Ask) -> Iterator[Violation]:
    """Yield what is wrong with the names of those who are asked instead."""
    if len(ask.fallbacks) > MOST_FALLBACKS:
        yield Violation("fallbacks", f"must be at most {MOST_FALLBACKS}")
    for number, choice in enumerate(ask.fallbacks):
        if not choice.provider or not is_name(choice.model or "any"):
            rule = "must name a provider, and a model or none"
            yield Violation(f"fallbacks[{number}]", rule)


def is_address(url: str) -> bool:
    """Say whether a vendor may be told to fetch something there; nobody here does."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def is_name(name: object) -> bool:
    """Say whether something can be the name of a model."""
    return isinstance(name, str) and 0 < len(name) <= NAME_CHARACTERS and "\0" not in name
