"""Whatever becomes of a stream, the ledger has one row for it, with what was produced."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from parley_tests.endurance import Endurance, differences, planned, settled_rows
from parley_tests.peers import running_peer
from parley_tests.platform import running_provider_service

pytestmark = pytest.mark.integration

STREAMS, WORDS, SEED = 150, 200, 3


async def test_every_stream_is_billed_once_for_what_it_produced(
    database_url: str, tmp_path: Path
) -> None:
    streams = planned(STREAMS, WORDS, random.Random(SEED))  # noqa: S311  (no secret)
    with (
        running_peer("google", "--instant") as vendor,
        running_provider_service(database_url, tmp_path, vendor.settings) as platform,
    ):
        endurance = Endurance(platform, "google", "gemini-3-flash-peer")
        await endurance.run(streams, at_once=16)
        rows = await settled_rows(database_url, STREAMS)
        await endurance.aclose()

    assert [] == differences(streams, rows, endurance.seen)
