"""A gateway to call, and a client for it."""

from collections.abc import Iterator

import pytest
from parley_client import Client
from parley_tests.fake_gateway import FakeGateway, fake_gateway


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.url, gateway.key) as client:
        yield client
