"""The contract lies in the package; here pytest finds it."""

import pytest
from parley_provider_demo.contract import TestDemo

__all__ = ["TestDemo"]

pytestmark = pytest.mark.unit
