"""Runs the peer as a process of its own, with the options of the SDK's `serve`."""

from __future__ import annotations

import sys

from parley_provider_sdk.testing.serve import main

if __name__ == "__main__":
    main(["parley_tests.google_peer.wire:GoogleDialect", *sys.argv[1:]])
