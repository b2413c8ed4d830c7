"""Where a request comes from: what proxies say counts when they are trusted, and only then."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from parley_gateway.api.addresses import Proxies, household

pytestmark = pytest.mark.unit

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def scope(peer: str | None, *forwarded: str) -> Any:
    named = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"client": (peer, 1234) if peer is not None else None, "headers": named}


@pytest.mark.parametrize("forwarded", [[], ["1.2.3.4"], ["1.2.3.4, 10.0.0.1"]])
def test_nobody_is_believed_unless_told_so(forwarded: list[str]) -> None:
    assert "127.0.0.1" == Proxies().client_of(scope("127.0.0.1", *forwarded))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["1.2.3.4:5678"], "1.2.3.4"),
        ("10.0.0.1", ["[2001:db8::1]:5678"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("fd00::1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["1.2.3.4, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("8.8.8.8", ["1.2.3.4"], "8.8.8.8"),
        ("", ["1.2.3.4"], "1.2.3.4"),
        (None, ["1.2.3.4"], "1.2.3.4"),
    ],
)
def test_the_last_one_that_is_no_proxy_is_the_client(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    assert client == PROXIES.client_of(scope(peer, *forwarded))


def test_nobody_is_nobody() -> None:
    assert "" == Proxies().client_of(scope(None))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("1.2.3.4", "1.2.3.5", False),
    ],
)
def test_a_machine_has_many_addresses_of_the_new_kind(one: str, other: str, same: bool) -> None:
    assert same == (household(one) == household(other))
