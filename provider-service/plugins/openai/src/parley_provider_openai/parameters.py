"""What the models take: the vendor's names of parameters, and who does not know them.

From the library's docstrings: types/chat/completion_create_params.py (`stop`, `max_tokens`),
types/responses/input_token_count_params.py (`reasoning` is for the gpt-5 and o-series only), and,
as release 2.14 still said it, `reasoning_effort` of the former. That sampling is not for models
that reason, the vendor's guide to reasoning says. Of newer models nothing is claimed: the vendor's
answer decides (`unsupported_value`, `unsupported_parameter`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from parley_provider_sdk import Effort, ReplyRequest, UnsupportedParameter

# The vendor's names on both wires, and ours. A name with a dot is looked up before its beginning.
OURS: Mapping[str, str] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "top_p",
        "stop": "stop",
        "seed": "seed",
        "tools": "tools",
        "tool_choice": "tool_choice",
        "parallel_tool_calls": "parallel_tool_calls",
        "response_format": "output",
        "text.format": "output",
        "reasoning_effort": "reasoning_effort",
        "reasoning": "reasoning_effort",
        "max_tokens": "max_tokens",
        "max_completion_tokens": "max_tokens",
        "max_output_tokens": "max_tokens",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
        "top_k": "top_k",
        "logprobs": "top_logprobs",
        "top_logprobs": "top_logprobs",
    }
)
_NOTHING: frozenset[str] = frozenset()
# `/responses` has no such fields, whichever the model.
NOT_ON_RESPONSES = frozenset(
    {"stop", "seed", "frequency_penalty", "presence_penalty", "top_k", "reasoning_tokens"}
)
# Nor has `/chat/completions` these; but many compatible servers know the second.
_NOT_ON_OTHERS_CHAT = frozenset({"reasoning_tokens"})
_NOT_ON_CHAT = _NOT_ON_OTHERS_CHAT | {"top_k"}
_SAMPLING = frozenset(
    {"temperature", "top_p", "stop", "frequency_penalty", "presence_penalty", "top_logprobs"}
)
# A model that was tuned is called `ft:gpt-4.1:…`.
_DO_NOT_REASON = re.compile(
    r"(ft:)?(gpt-[34]|chatgpt-|gpt-audio|gpt-5(\.\d+)?-chat|o1-(mini|preview))"
)
_REASON = re.compile(r"(ft:)?(o\d|gpt-5)")
# In order: the first that fits decides. Whoever fits none takes each, as far as is known.
_EFFORTS: tuple[tuple[re.Pattern[str], tuple[Effort, ...]], ...] = (
    (re.compile(r"gpt-5-pro"), (Effort.HIGH,)),
    (
        re.compile(r"gpt-5(-|$)"),
        (Effort.MINIMAL, Effort.LOW, Effort.MEDIUM, Effort.HIGH),
    ),
    (re.compile(r"o\d"), (Effort.LOW, Effort.MEDIUM, Effort.HIGH)),
    (
        re.compile(r"gpt-5\.1(?!-codex-max)"),
        (Effort.NONE, Effort.LOW, Effort.MEDIUM, Effort.HIGH),
    ),
)
_RANKS = MappingProxyType({effort: rank for rank, effort in enumerate(Effort)})


def check(request: ReplyRequest, fields: frozenset[str], wire: str) -> None:
    """Raises UnsupportedParameter for a field that is asked for and that a wire has no word for."""
    for name in fields:
        if getattr(request, name) not in (None, (), []):
            raise UnsupportedParameter(f"OpenAI's {wire} know no '{name}'.", name)


def our_name(parameter: object) -> str | None:
    """Returns what we call what the vendor names; None for what we do not ask for."""
    name = parameter if isinstance(parameter, str) else ""
    while name and name not in OURS:
        name = name.rpartition(".")[0]
    return OURS.get(name)


def not_on_chat(*, own: bool) -> frozenset[str]:
    """Returns the fields of ReplyRequest that `/chat/completions` has no word for."""
    return _NOT_ON_CHAT if own else _NOT_ON_OTHERS_CHAT


def unsupported(model: str) -> frozenset[str]:
    """Returns the fields of ReplyRequest that one of OpenAI's own models does not take."""
    if not may_reason(model):
        return frozenset({"reasoning_effort"})
    return _SAMPLING if _REASON.match(model) else _NOTHING


def may_reason(model: str) -> bool:
    """Says that a model may reason: it is not one of those that are known not to."""
    return not _DO_NOT_REASON.match(model)


def nearest_effort(effort: Effort | None, model: str) -> str | None:
    """Returns the effort nearest to the one asked for that a model has."""
    if effort is None:
        return None
    has = next((efforts for pattern, efforts in _EFFORTS if pattern.match(model)), tuple(Effort))
    return min(has, key=lambda one: abs(_RANKS[one] - _RANKS[effort])).value
