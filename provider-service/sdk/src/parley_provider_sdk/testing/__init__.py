"""The tests every provider must pass, and a scriptable vendor to run them against.

Needs the extra `testing`. `contract.py` says how a plugin uses it. What is named here is imported
when it is asked for, so that the command (`python -m parley_provider_sdk.testing`) and pytest's
plugin start without aiohttp, and the command without pytest as well.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley_provider_sdk.testing.contract import DELTAS, ProviderContract
    from parley_provider_sdk.testing.peer import Answer, Dialect, Peer, Received, Script, words
    from parley_provider_sdk.testing.reply import Reply, fold
    from parley_provider_sdk.testing.vendor import PeerVendor, ScriptedVendor, VendorPeer

__all__ = [
    "DELTAS",
    "Answer",
    "Dialect",
    "Peer",
    "PeerVendor",
    "ProviderContract",
    "Received",
    "Reply",
    "Script",
    "ScriptedVendor",
    "VendorPeer",
    "fold",
    "words",
]

_MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "contract": ("DELTAS", "ProviderContract"),
        "peer": ("Answer", "Dialect", "Peer", "Received", "Script", "words"),
        "reply": ("Reply", "fold"),
        "vendor": ("PeerVendor", "ScriptedVendor", "VendorPeer"),
    }
)


def __getattr__(name: str) -> Any:
    """Imports the module of a name that was asked for."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
