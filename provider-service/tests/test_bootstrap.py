"""How the parts are put together."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points

import pytest
from parley_provider_sdk import ENTRY_POINT_GROUP
from parley_provider_service.adapters.secrets import Secrets
from parley_provider_service.bootstrap import load_roster

pytestmark = pytest.mark.unit


async def test_what_is_installed_is_found_by_its_entry_points() -> None:
    names = {entry_point.name for entry_point in entry_points(group=ENTRY_POINT_GROUP)}

    roster = await load_roster("", Secrets({}), 7)

    assert names
    assert names == roster.entries.keys()
    assert not [entry.name for entry in roster if entry.installed.broken]
    assert roster.entries[roster.default()].installed.free


async def test_a_default_that_cannot_be_used_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    name = "unheard-of"
    with caplog.at_level(logging.WARNING):
        roster = await load_roster(name, Secrets({}), 7)

    [fields] = [vars(record)["fields"] for record in caplog.records]
    assert "DEFAULT_PROVIDER" == fields["setting"]
    assert name in fields["reason"]
    assert name == roster.default()
