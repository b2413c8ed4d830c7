"""The tests every provider must pass, and a scriptable vendor to run them against.

Needs the extra `testing`. `contract.py` says how a plugin uses it.
"""

from parley_provider_sdk.testing.contract import DELTAS, ProviderContract, Reply, fold
from parley_provider_sdk.testing.peer import Answer, Dialect, Peer, Received, Script, words
from parley_provider_sdk.testing.vendor import PeerVendor, VendorPeer

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
    "VendorPeer",
    "fold",
    "words",
]
