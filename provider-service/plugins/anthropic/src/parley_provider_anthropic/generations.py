"""What each generation of the vendor's models takes, told by the model's name.

The vendor's list of models says whether a model thinks, but is not at hand before every reply.
Where this is from: the installed library (`types/model_param.py`, `types/thinking_types.py`,
`types/output_config_param.py`, `resources/messages/messages.py`) and the vendor's pages "Thinking",
"Effort", "Structured outputs" and the migration guides of each model, as of November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from parley_provider_sdk import Effort

__all__ = ["Generation", "Thinking", "generation_of"]

_NOT_ON_THE_WIRE = frozenset({"seed", "frequency_penalty", "presence_penalty", "top_logprobs"})


class Thinking(StrEnum):
    # Not at all.
    NEVER = "never"
    # When asked to, up to so many tokens.
    BUDGET = "enabled"
    # When asked to, as much as it thinks fit and `effort` says.
    ADAPTIVE = "adaptive"
    # The same, and unless told not to.
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Generation:
    """What the models of a generation take."""

    thinking: Thinking = Thinking.DEFAULT
    # The type of `thinking` that turns it off; empty when nothing does.
    off: str = "disabled"
    # What it takes for XHIGH.
    most: str = "xhigh"
    # Whether a block of its thinking is refused after anything before it has changed.
    binds: bool = False
    # Whether it takes `temperature`, `top_p` and `top_k`.
    samples: bool = False
    # Whether it takes the first two at once.
    samples_both: bool = False
    structured: bool = True
    # What it may say at most while its own limit is not known: none of them allows less.
    max_tokens: int = 64_000

    @property
    def is_adaptive(self) -> bool:
        return self.thinking in (Thinking.ADAPTIVE, Thinking.DEFAULT)

    @property
    def unsupported(self) -> frozenset[str]:
        """The fields of ReplyRequest that its models do not take."""
        takes = {
            "temperature": self.samples,
            "top_p": self.samples,
            "top_k": self.samples,
            "reasoning_effort": self.thinking is not Thinking.NEVER,
            "reasoning_tokens": self.thinking is Thinking.BUDGET,
            "output": self.structured,
        }
        return _NOT_ON_THE_WIRE | {name for name, taken in takes.items() if not taken}


_NEWEST = Generation(binds=True)
_ALWAYS = Generation(off="")
_ADAPTIVE = Generation(Thinking.ADAPTIVE)
_SAMPLED = Generation(Thinking.ADAPTIVE, most="max", samples=True)
_BUDGET = Generation(Thinking.BUDGET, samples=True)
_EARLIER = replace(_BUDGET, structured=False, max_tokens=32_000)
_EARLY = replace(_EARLIER, samples_both=True)
_PLAIN = replace(_EARLY, thinking=Thinking.NEVER, off="", max_tokens=4_096)
# What is not known by its name is another vendor's: it takes what most compatible servers take.
_FOREIGN = replace(_BUDGET, samples_both=True, max_tokens=8_192)
# By line and first version, the newest first; a line without a name stands for all lines.
_GENERATIONS = (
    ("fable", (5, 1), replace(_ALWAYS, binds=True)),
    ("fable", (0, 0), _ALWAYS),
    ("mythos", (5, 1), replace(_ALWAYS, binds=True)),
    ("mythos", (0, 0), _ALWAYS),
    ("opus", (5, 5), replace(_ALWAYS, binds=True)),
    ("sonnet", (5, 5), replace(_NEWEST, off="between_tools")),
    ("haiku", (5, 0), _NEWEST),
    ("opus", (5, 0), Generation()),
    ("sonnet", (5, 0), Generation()),
    ("", (5, 0), _NEWEST),
    ("opus", (4, 7), _ADAPTIVE),
    ("", (4, 6), _SAMPLED),
    ("", (4, 5), _BUDGET),
    ("opus", (4, 1), _EARLIER),
    ("", (3, 7), _EARLY),
    ("", (0, 0), _PLAIN),
)
# As in claude-opus-4-5-20251101, us.anthropic.claude-sonnet-4-6-v1:0, claude-3-7-sonnet-latest.
_NAME = re.compile(r"claude-(?:([a-z]+)-?)?(?:(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?)?")
_UNNUMBERED = (99, 0)
# Our efforts in the vendor's words; XHIGH is what the generation has most of.
LEVELS: Mapping[Effort, str] = MappingProxyType(
    {
        Effort.NONE: "low",
        Effort.MINIMAL: "low",
        Effort.LOW: "low",
        Effort.MEDIUM: "medium",
        Effort.HIGH: "high",
    }
)
# Tokens to think with, where they are counted and not left to the model. At least 1,024.
BUDGETS: Mapping[Effort, int] = MappingProxyType(
    {
        Effort.MINIMAL: 1_024,
        Effort.LOW: 2_048,
        Effort.MEDIUM: 8_192,
        Effort.HIGH: 16_384,
        Effort.XHIGH: 32_768,
    }
)


def generation_of(model: str) -> Generation:
    """Returns what a model takes; a model without a number counts as its line's newest."""
    found = _NAME.search(model)
    if not found:
        return _FOREIGN
    line, major, minor = found.groups()
    version = (int(major), int(minor or 0)) if major else _UNNUMBERED
    return next(one for name, since, one in _GENERATIONS if name in ("", line) and version >= since)
