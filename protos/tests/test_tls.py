"""Connections on which both sides show a certificate."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from parley_rpc.client import Peer
from parley_rpc.faults import Unavailable
from parley_rpc.keys import IdentityError, Source, Watched, trusted_keys
from parley_rpc.server import Server
from parley_rpc.tls import Tls
from parley_rpc.tokens import Credential
from parley_rpc.trust import Trust
from parley_tests.certificates import Authority
from parley_tests.installation import Installation

from parley.prompt.v1 import prompt_pb2_grpc

from .doors import PROMPTS, REQUEST, Prompts

pytestmark = pytest.mark.unit

ADA = "0198c0de-0000-7000-8000-000000000001"
OURS = Installation()


@asynccontextmanager
async def behind(tls: Tls) -> AsyncIterator[str]:
    """Serve prompts over TLS for the length of a block; yield the address."""
    keys = Watched(Source("TRUSTED_KEYS", OURS.trusted), trusted_keys)
    server = Server("prompt.parley", Trust("prompt", keys, tls=tls))
    prompt_pb2_grpc.add_PromptServiceServicer_to_server(Prompts(), server.grpc)  # type: ignore[abstract]
    await server.start("127.0.0.1:0", [PROMPTS])
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)


async def asked(address: str, tls: Tls | None) -> str:
    """Call as the chat service, with a certificate or without."""
    peer = Peer("prompt", address, Credential(OURS.credential("chat").key, tls))
    stub = prompt_pb2_grpc.PromptServiceStub(peer.channel)
    try:
        return (await peer.call(stub.GetActivePrompt, REQUEST, OURS.caller(ADA), 5)).prompt.name
    finally:
        await peer.aclose()


def files(tls: Tls) -> tuple[Path, Path, Path]:
    return tls.certificate, tls.key, tls.authority


async def test_who_shows_a_certificate_of_the_authority_is_let_in(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    async with behind(ours.issue("prompt")) as address:
        assert ADA == await asked(address, ours.issue("chat"))


async def test_nobody_else_is_though_the_credential_is_right(tmp_path: Path) -> None:
    ours, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    stranger = foreign.issue("chat")
    async with behind(ours.issue("prompt")) as address:
        # It believes our server, and shows what a foreign authority has signed.
        for tls in (None, Tls(stranger.certificate, stranger.key, ours.file)):
            with pytest.raises(Unavailable):
                await asked(address, tls)
        # No certificate at all, over TLS.
        credentials = grpc.ssl_channel_credentials(ours.file.read_bytes())
        async with grpc.aio.secure_channel(address, credentials) as channel:
            stub = prompt_pb2_grpc.PromptServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetActivePrompt(REQUEST, timeout=5)
        assert grpc.StatusCode.UNAVAILABLE is caught.value.code()
        assert ADA == await asked(address, ours.issue("chat"))


async def test_a_client_believes_no_server_of_another_authority(tmp_path: Path) -> None:
    ours, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    async with behind(foreign.issue("prompt")) as address:
        with pytest.raises(Unavailable):
            await asked(address, ours.issue("chat"))


async def test_files_that_changed_count_from_the_next_connection_on(tmp_path: Path) -> None:
    first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    served, client = first.issue("prompt"), second.issue("chat")
    async with behind(served) as address:
        with pytest.raises(Unavailable):
            await asked(address, client)
        for new, old in zip(files(second.issue("prompt-new")), files(served), strict=True):
            shutil.copy(new, old)

        assert ADA == await asked(address, client)


def test_a_part_of_it_is_a_mistake(tmp_path: Path) -> None:
    assert Tls.of(None, None, None) is None
    with pytest.raises(IdentityError, match="belong together"):
        Tls.of(tmp_path / "a", None, None)
    with pytest.raises(IdentityError, match="cannot be read"):
        Tls.of(tmp_path / "a", tmp_path / "b", tmp_path / "c")
