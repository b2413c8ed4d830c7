"""What a model does not take: left out where that is harmless, refused where it would mislead."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault, InvalidArgument, Violation

from parley_provider_service.core.guard import guarded
from parley_provider_service.core.model import Model
from parley_provider_service.core.roster import Entry

# Without these a reply is the same kind of answer to the same question; nobody is misled when
# one is left out. All others change what is asked for, or what the answer holds.
HARMLESS = frozenset(
    {
        # How tokens are drawn.
        "temperature",
        "top_p",
        "top_k",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        # How long it thinks; the effort is there when nobody counts the tokens of that.
        "reasoning_effort",
        "reasoning_tokens",
        "parallel_tool_calls",
    }
)
# Every field of a request that a model may not take, with the value that means nothing is asked.
DEFAULTS = MappingProxyType(
    {
        one.name: one.default if one.default is not MISSING else None
        for one in fields(sdk.ReplyRequest)
        if one.name not in {"model", "messages", "stream", "limits", "provider_options"}
    }
)


class Unsupported(StrEnum):
    """What becomes of a parameter that a model does not take."""

    DROP = "drop"
    REFUSE = "refuse"


def fitted(
    request: sdk.ReplyRequest, entry: Entry, model: Model, policy: Unsupported
) -> sdk.ReplyRequest:
    """Return a request as a model takes it; InvalidArgument names what it does not take."""
    check_length(request, model)
    changes: dict[str, Any] = {"model": model.name}
    for name in sorted(unsupported(entry, model.name)):
        if name in DEFAULTS and is_asked(request, name):
            if name not in HARMLESS or policy is Unsupported.REFUSE:
                raise refused(name, model)
            changes[name] = DEFAULTS[name]
    return combined(replace(request, **changes), entry, model, policy)


def combined(
    request: sdk.ReplyRequest, entry: Entry, model: Model, policy: Unsupported
) -> sdk.ReplyRequest:
    """Return a request without what its other parameters exclude; InvalidArgument names one."""
    names = sorted(excluded(entry, request))
    for name in names:
        if name not in HARMLESS or policy is Unsupported.REFUSE:
            rule = f"is not taken by the model '{model.name}' together with what else is asked"
            raise InvalidArgument.of(name, rule)
    changes: dict[str, Any] = {name: DEFAULTS[name] for name in names}
    return replace(request, **changes) if changes else request


def excluded(entry: Entry, request: sdk.ReplyRequest) -> frozenset[str]:
    """Return what a plugin would leave out of a request because of its other parameters."""
    provider = entry.installed.provider
    kind: type[object] = type(provider)
    if not is_combining(kind):  # type: ignore[arg-type]  # of classes, mypy takes the wrong hash
        return frozenset()
    combining = cast("sdk.Combining", provider)
    try:
        with guarded(entry.name, request.model):
            named = frozenset(combining.excluded_parameters(request))
    except Fault:  # it is logged, and the plugin does as it sees fit
        return frozenset()
    return frozenset(name for name in named & DEFAULTS.keys() if is_asked(request, name))


def is_asked(request: sdk.ReplyRequest, name: str) -> bool:
    """Say whether a request asks for something by a parameter."""
    return bool(getattr(request, name) != DEFAULTS[name])


def unsupported(entry: Entry, model: str) -> frozenset[str]:
    """Return what a model does not take: what its plugin knows, and what its vendor told us."""
    learned = entry.unsupported.get(model, frozenset())
    provider = entry.installed.provider
    kind: type[object] = type(provider)
    if not is_selective(kind):  # type: ignore[arg-type]  # likewise
        return learned
    selective = cast("sdk.Selective", provider)
    try:
        with guarded(entry.name, model):
            return learned | frozenset(selective.unsupported_parameters(model))
    except Fault:  # it is logged, and what it would have told the vendor tells
        return learned


# Asked several times for each reply, and to find it out takes Python longer than the rest.
@cache
def is_selective(kind: type[object]) -> bool:
    """Say whether providers of a kind know what their models do not take."""
    return issubclass(kind, sdk.Selective)


@cache
def is_combining(kind: type[object]) -> bool:
    """Say whether they know what excludes each other."""
    return issubclass(kind, sdk.Combining)


def takes(entry: Entry, model: Model, parameter: str) -> bool:
    """Whether a model takes a parameter, as far as is known."""
    return parameter not in unsupported(entry, model.name)


def learn(entry: Entry, model: str, parameter: str) -> bool:
    """Remember what a model does not take; False when it does not help to leave that out.

    It was known already, or it is nothing that we send: a vendor that finds fault with something
    else each time would be asked for ever.
    """
    if parameter not in DEFAULTS:
        return False
    known = entry.unsupported.get(model, frozenset())
    entry.unsupported[model] = known | {parameter}
    return parameter not in known


def speaks(entry: Entry, request: sdk.ReplyRequest, dialect: str) -> bool:
    """Whether a provider may be told the options of a request, which are in a dialect."""
    return not (dialect and request.provider_options) or entry.installed.dialect == dialect


def check_dialect(entry: Entry, request: sdk.ReplyRequest, dialect: str) -> None:
    """Refuse options that would mean nothing to a provider, or something else; InvalidArgument."""
    if speaks(entry, request, dialect):
        return
    rule = f"is not known to the provider '{entry.name}'"
    violations = [Violation(f"provider_options.{name}", rule) for name in request.provider_options]
    names = ", ".join(request.provider_options)
    sentence = f"{names}: not known to the provider '{entry.name}'"
    raise InvalidArgument(sentence, violations=violations, field=violations[0].field)


def check_length(request: sdk.ReplyRequest, model: Model) -> None:
    """Refuse more output than the model can give; InvalidArgument."""
    most, asked = model.max_output_tokens, request.max_tokens
    if most and asked is not None and asked > most:
        raise InvalidArgument.of("max_tokens", f"must be from 1 to {most} for '{model.name}'")


def refused(name: str, model: Model) -> InvalidArgument:
    """Return the fault of a parameter that a model does not take."""
    return InvalidArgument.of(name, f"is not taken by the model '{model.name}'")
