"""Where a provider may be connected to (F16, F17): decided by the address, at the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx2
import pytest
from parley_provider_sdk import BackendUnreachable, ProviderError
from parley_provider_sdk.addresses import (
    ForbiddenAddress,
    check,
    looked_up,
    private_allowed,
    reach,
    resolved,
)
from parley_provider_sdk.failures import Refusal
from parley_provider_sdk.http import Call, Vendor
from parley_provider_sdk.library import Library
from parley_provider_sdk.pinning import PinnedTransport
from typing_extensions import override

pytestmark = pytest.mark.unit

NEVER = [
    "169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "0.0.0.0",  # noqa: S104  (not bound to)
    "::",
    "224.0.0.1",
    "a name",
    "",
]
PRIVATE = ["127.0.0.1", "::1", "10.0.0.1", "192.168.0.1", "fd12::1", "::ffff:7f00:1", "100.64.0.1"]
PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:808:808"]


class Names:
    """A resolver whose answers change with each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class Inside:
    """A server in here that must not be reached by accident; it notes what it is asked."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    inside = Inside()
    server = await asyncio.start_server(inside.serve, "127.0.0.1", 0)
    inside.port = server.sockets[0].getsockname()[1]
    yield inside
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("host", NEVER)
def test_where_secrets_are_kept_is_known_in_every_form(host: str, private: bool) -> None:
    with pytest.raises(ForbiddenAddress):
        check(host, private=private)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_for_the_operator_to_allow(host: str) -> None:
    check(host, private=True)
    with pytest.raises(ForbiddenAddress):
        check(host, private=False)


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_open(host: str) -> None:
    check(host, private=False)


async def test_of_a_names_addresses_those_that_are_allowed_are_used() -> None:
    names = Names(["169.254.169.254", "10.0.0.1", "8.8.8.8"])

    assert ["10.0.0.1", "8.8.8.8"] == await resolved("x", 443, private=True, lookup=names)
    assert ["8.8.8.8"] == await resolved("x", 443, private=False, lookup=names)


@pytest.mark.parametrize("host", ["0xa9.254.43518", "2852039166", "0251.0376.0251.0376"])
async def test_odd_forms_of_a_number_are_read_as_the_system_reads_them(host: str) -> None:
    with pytest.raises(OSError, match=r"No vendor is|not known|No address|not supported"):
        await resolved(host, 80, private=True)


async def test_the_system_is_asked_for_names() -> None:
    assert set(await looked_up("localhost", 80)) <= {"127.0.0.1", "::1"}


def test_the_word_is_for_what_is_made_meanwhile() -> None:
    assert private_allowed()
    with reach(private=False):
        assert not private_allowed()
    assert private_allowed()


class Made:
    def __init__(self) -> None:
        self.private = private_allowed()

    async def aclose(self) -> None:
        pass


async def test_a_library_that_is_loaded_later_keeps_to_the_word() -> None:
    with reach(private=False):
        library: Library[Made] = Library(__name__, "Made")

    assert not (await library.get()).private


def vendor(url: str, names: Names, *, private: bool = True) -> Vendor:
    with reach(private=private):
        return Vendor(url, headers={}, failure=Refusal.failure, lookup=names)


def client(names: Names, *, private: bool = True) -> httpx2.AsyncClient:
    with reach(private=private):
        return httpx2.AsyncClient(transport=PinnedTransport(lookup=names), trust_env=False)


async def test_a_vendor_is_connected_to_where_its_name_led(inside: Inside) -> None:
    names = Names(["127.0.0.1"])
    one = vendor(f"http://vendor.test:{inside.port}", names)

    assert b"{}" == await one.ask(Call("/models"))
    await one.aclose()
    assert f"Host: vendor.test:{inside.port}".encode() in inside.heads[0]


@pytest.mark.parametrize(
    ("answer", "private"), [(["169.254.169.254"], True), (["127.0.0.1"], False)]
)
async def test_a_name_that_changes_its_answer_leads_nowhere(
    inside: Inside, answer: Sequence[str], private: bool
) -> None:
    # Public when the setting was checked; the next answer is what would be connected to.
    names = Names(["8.8.8.8"], answer)
    assert ["8.8.8.8"] == await resolved("vendor.test", 80, private=private, lookup=names)
    one = vendor(f"http://vendor.test:{inside.port}", names, private=private)
    other = client(names, private=private)

    with pytest.raises(BackendUnreachable, match="PRIVATE_ADDRESSES"):
        await one.ask(Call("/models"))
    with pytest.raises(httpx2.ConnectError):
        await other.get(f"http://vendor.test:{inside.port}/models")
    await one.aclose()
    await other.aclose()
    assert [] == inside.heads


@pytest.mark.parametrize(
    ("literal", "private"),
    [
        ("169.254.169.254", True),
        ("[::ffff:a9fe:a9fe]", True),
        ("127.0.0.1", False),
        ("[::ffff:7f00:1]", False),
        ("2130706433", False),
    ],
)
async def test_an_address_instead_of_a_name_is_checked_as_well(
    inside: Inside, literal: str, private: bool
) -> None:
    names = Names(["127.0.0.1"])
    one = vendor(f"http://{literal}:{inside.port}", names, private=private)
    other = client(names, private=private)

    with pytest.raises(ProviderError):
        await one.ask(Call("/models"), seconds=2)
    with pytest.raises(httpx2.TransportError):
        await other.get(f"http://{literal}:{inside.port}/models", timeout=2)
    await one.aclose()
    await other.aclose()
    assert [] == inside.heads


async def test_a_library_is_pinned_to_what_was_checked(inside: Inside) -> None:
    # Asked again, the resolver would name another one: nobody may ask again.
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    async with client(names) as one:
        answer = await one.get(f"http://vendor.test:{inside.port}/models")

    assert (200, ["vendor.test"]) == (answer.status_code, names.asked)
    assert f"host: vendor.test:{inside.port}".encode() in inside.heads[0].lower()
    assert "vendor.test" == answer.request.url.host


async def test_the_next_address_is_tried_when_one_is_away(inside: Inside) -> None:
    async with client(Names(["127.0.0.2", "127.0.0.1"])) as one:
        answer = await one.get(f"http://vendor.test:{inside.port}/models")

    assert 200 == answer.status_code


async def test_a_name_of_nobody_cannot_be_connected_to() -> None:
    async with client(Names([])) as one:
        with pytest.raises(httpx2.ConnectError):
            await one.get("http://vendor.test/models")


async def test_the_certificate_must_hold_the_name() -> None:
    seen: list[httpx2.Request] = []

    class Noting(httpx2.AsyncBaseTransport):
        @override
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            return httpx2.Response(200)

    transport = PinnedTransport(lookup=Names(["127.0.0.1"]))
    transport._transport = Noting()  # type: ignore[assignment]
    async with httpx2.AsyncClient(transport=transport) as one:
        await one.post("https://vendor.test/v1?x=1", content=b"body")

    assert "https://127.0.0.1/v1?x=1" == str(seen[0].url)
    assert ("vendor.test", "vendor.test") == (
        seen[0].extensions["sni_hostname"],
        seen[0].headers["host"],
    )
    assert b"body" == await seen[0].aread()
