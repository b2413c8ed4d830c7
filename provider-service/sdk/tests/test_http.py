"""What the connection to a vendor may do, and what becomes of its failures."""

import asyncio
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from parley_provider_sdk import (
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadResponse,
    Message,
    ProviderError,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
)
from parley_provider_sdk.failures import Refusal
from parley_provider_sdk.http import PIECE, Call, Vendor, from_exception
from parley_provider_sdk.testing import Peer
from yarl import URL

from .toy import KEY, Toy, ToyDialect

pytestmark = pytest.mark.unit

SECRET = "sk-secret"


async def test_a_small_question_has_a_limit() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    vendor = Vendor(url, headers={}, failure=Refusal.failure)
    with pytest.raises(BackendTimeout):
        await vendor.ask(Call("/models"), seconds=0.1)
    await vendor.aclose()
    server.close()
    await server.wait_closed()


async def test_who_is_away_is_unreachable_with_advice() -> None:
    vendor = Vendor(
        "http://127.0.0.1:9", headers={}, failure=Refusal.failure, unreachable="Start it."
    )
    with pytest.raises(BackendUnreachable, match=r"Start it\."):
        await vendor.ask(Call("/models"))
    await vendor.aclose()


def _connector_error(cls: Any = aiohttp.ClientConnectorError) -> BaseException:
    key = ConnectionKey("host", 1, False, True, None, None, None)
    error: BaseException = cls(key, OSError(111, "refused"))
    return error


def _response_error() -> BaseException:
    headers: Any = MappingProxyType({"Authorization": SECRET})
    info = aiohttp.RequestInfo(URL("http://x"), "POST", headers, URL("http://x"))
    return aiohttp.ClientResponseError(info, (), message="bad status line")


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (_connector_error(), BackendUnreachable),
        (_connector_error(aiohttp.ClientConnectorDNSError), BackendUnreachable),
        (_connector_error(aiohttp.ClientConnectorSSLError), BackendUnreachable),
        (aiohttp.ConnectionTimeoutError(), BackendUnreachable),
        (aiohttp.ServerDisconnectedError(), BackendUnreachable),
        (aiohttp.ClientPayloadError(), BadResponse),
        (TimeoutError(), BackendTimeout),
        (_response_error(), BadResponse),
        (ConnectionResetError(), BackendUnreachable),
        (RuntimeError(), BackendError),
    ],
)
def test_exceptions_have_their_class(error: BaseException, failure: type[ProviderError]) -> None:
    made = from_exception(error)
    assert type(made) is failure
    assert SECRET not in repr(made)


async def test_a_burst_lets_others_run_in_between() -> None:
    async with Peer(ToyDialect(), key=KEY) as peer:
        toy = Toy(peer.base_url)
        peer.script(count=20_000)
        request = ReplyRequest("toy-1", [Message(Role.USER, [TextPart("Go.")])])
        reply = toy.chat_completion(request)
        texts = [one.text async for one in reply if isinstance(one, TextDelta)]
        await toy.aclose()
    assert "".join(texts).count(" ") == 20_000
    assert max(len(text.encode()) for text in texts) < PIECE
