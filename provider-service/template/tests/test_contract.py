"""The contract lies in the package; here pytest finds it."""

from parley_provider_acme.contract import TestAcme

__all__ = ["TestAcme"]
