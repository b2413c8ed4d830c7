"""What can go wrong before anything is sent."""

import traceback

import pytest
from parley_client import Client, GatewayUnreachable
from parley_tests.fake_gateway import FakeGateway

pytestmark = pytest.mark.unit


def test_a_key_that_cannot_be_sent_is_not_told(gateway: FakeGateway) -> None:
    with (
        Client(gateway.url, "parley_secret\nx") as client,
        pytest.raises(GatewayUnreachable, match="line break") as caught,
    ):
        client.me()
    with Client(gateway.url) as other:
        assert other.is_live()
    assert [one.path for one in gateway.received] == ["/livez"]
    assert "parley_secret" not in "".join(traceback.format_exception(caught.value))
