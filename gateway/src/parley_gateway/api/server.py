"""The HTTP server: uvicorn, made to stop in peace and to refuse in our words."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import orjson
from fastapi import FastAPI
from typing_extensions import override
from uuid_utils.compat import uuid7
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parley_gateway.api import problems
from parley_gateway.core.faults import MalformedBody

KEEP_ALIVE_SECONDS = 75


class Protocol(HttpToolsProtocol):
    """HTTP/1.1, whose refusal of what is not HTTP is a problem document too."""

    @override
    def send_400_response(self, msg: str) -> None:
        request_id = str(uuid7())
        body = orjson.dumps(problems.document(MalformedBody(msg), request_id))
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"content-type: {problems.MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class GracefulServer(Server):
    """Serves until SIGTERM or SIGINT, and then lets what runs end.

    Uvicorn would raise the signal again afterwards, so that the exit code told of it.
    """

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def build_server(app: FastAPI, host: str, port: int, grace: float) -> GracefulServer:
    """Make a server; what still runs `grace` seconds after a signal is cancelled."""
    return GracefulServer(
        Config(
            app,
            host=host,
            port=port,
            http=Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(grace)),
        )
    )
