"""What plugins need to know, from one frozen copy of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parley_provider_sdk import ProviderInfo, fill_settings


@dataclass(frozen=True, slots=True)
class Secrets:
    """Fills a plugin's settings; a plugin sees the names that it declared and no others."""

    environment: Mapping[str, str] = field(repr=False)

    def fill(self, info: ProviderInfo) -> Any:
        """Return the settings of a provider; InvalidSettings when a value does not fit."""
        return fill_settings(info.settings, self.environment)
