"""What a model is known to take, by the generation that its name tells.

Names, levels and budgets are those in the vendor's library (`types.ThinkingConfig`,
`types.ThinkingLevel`, the list of models in `_gaos/types/interactions/model.py`). The vendor's list
of models does not say them. A model that is not known takes everything, until the vendor refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import Effort

# The main line, such as `gemini-2.5-pro` and `gemini-3-flash-preview`. Others go their own way.
_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?(?=-|$)")
_NEWEST = re.compile(r"gemini-[a-z-]+-latest")
_OLD_GEMMA = re.compile(r"gemma-[123](?!\d)")
# No model of this vendor has it.
_NEVER = frozenset({"parallel_tool_calls"})
_THINKING = frozenset({"reasoning_effort", "reasoning_tokens"})
_PLAIN = frozenset({"system", "tools", "tool_choice", "output"}) | _THINKING

# Tokens, as the vendor itself translates these efforts for those who speak another's wire.
_BUDGETS: Mapping[Effort, int] = MappingProxyType(
    {
        Effort.NONE: 0,
        Effort.MINIMAL: 1024,
        Effort.LOW: 1024,
        Effort.MEDIUM: 8192,
        Effort.HIGH: 24576,
        Effort.XHIGH: 24576,
    }
)
# The larger model cannot leave it be, and may think longer.
_PRO_BUDGETS: Mapping[Effort, int] = MappingProxyType(
    {**_BUDGETS, Effort.NONE: 128, Effort.XHIGH: 32768}
)
# Levels that every model has which has levels.
_LEVELS: Mapping[Effort, str] = MappingProxyType(
    {
        Effort.NONE: "LOW",
        Effort.MINIMAL: "LOW",
        Effort.LOW: "LOW",
        Effort.MEDIUM: "MEDIUM",
        Effort.HIGH: "HIGH",
        Effort.XHIGH: "HIGH",
    }
)
_FLASH_LEVELS = MappingProxyType({**_LEVELS, Effort.NONE: "MINIMAL", Effort.MINIMAL: "MINIMAL"})
_FIRST_PRO_LEVELS = MappingProxyType({**_LEVELS, Effort.MEDIUM: "HIGH"})
_LONG_LEVELS = MappingProxyType({**_LEVELS, Effort.XHIGH: "XHIGH"})


@lru_cache(maxsize=1024)
def unsupported(model: str) -> frozenset[str]:
    """Returns the fields of a ReplyRequest that a model is known not to take."""
    if _OLD_GEMMA.match(model.removeprefix("models/")):
        return _NEVER | _PLAIN
    version = _version(model)
    return _NEVER | _THINKING if version and version < (2, 5) else _NEVER


@lru_cache(maxsize=1024)
def is_signed(model: str) -> bool:
    """Says that a model refuses a tool call of its own without its signature."""
    version = _version(model)
    is_newest = bool(_NEWEST.fullmatch(model.removeprefix("models/")))
    return is_newest or (version is not None and version >= (3, 0))


def thinking(model: str, effort: Effort | None, tokens: int | None = None) -> dict[str, Any]:
    """Returns the `thinkingConfig` that is nearest to an effort, or holds so many tokens.

    Where a generation has levels, those are preferred: the vendor takes one of the two.
    """
    version = _version(model)
    made: dict[str, Any] = {}
    counts = version is not None and version < (3, 0)
    if effort is None or (tokens is not None and counts and effort is not Effort.NONE):
        made["thinkingBudget"] = _budget(model, tokens or 0) if counts else tokens
    elif counts:
        made["thinkingBudget"] = (_PRO_BUDGETS if "-pro" in model else _BUDGETS)[effort]
    else:
        made["thinkingLevel"] = _levels(model, version)[effort]
    # Asking for the thoughts of a model that is told not to think is an error.
    if effort is not Effort.NONE:
        made["includeThoughts"] = True
    return made


def _budget(model: str, tokens: int) -> int:
    is_pro = "-pro" in model
    least = 128 if is_pro else 512 if "-lite" in model else 1
    most = (_PRO_BUDGETS if is_pro else _BUDGETS)[Effort.XHIGH]
    return min(max(tokens, least), most)


def _levels(model: str, version: tuple[int, int] | None) -> Mapping[Effort, str]:
    if version is None:
        return _LEVELS
    if version >= (4, 0):
        return _LONG_LEVELS
    if version == (3, 0) and "-pro" in model:
        return _FIRST_PRO_LEVELS
    return _FLASH_LEVELS if "-flash" in model and version <= (3, 6) else _LEVELS


def _version(model: str) -> tuple[int, int] | None:
    found = _VERSION.match(model.removeprefix("models/"))
    return (int(found[1]), int(found[2] or 0)) if found else None
