"""The HTTP server: uvicorn, made to stop in peace and to refuse in our words."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import orjson
from fastapi import FastAPI
from typing_extensions import override
from uuid_utils.compat import uuid7
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from parley_gateway.api import problems
from parley_gateway.api.health import Monitor
from parley_gateway.core.faults import MalformedBody

KEEP_ALIVE_SECONDS = 75
# Between the word that the gateway stops and the closing of its port. Who keeps a connection busy
# meanwhile is told with an answer that it closes, instead of losing a request to it. When all have
# gone, nothing more is waited for; the silent ones are waited for a little longer.
NOTICE_SECONDS = 0.25
LOOK_EVERY_SECONDS = 0.025
MOST_LOOKS = 30


class Connections(ServerState):
    """What all connections know in common."""

    stopping = False


class Protocol(HttpToolsProtocol):
    """HTTP/1.1, whose refusal of what is not HTTP is a problem document too.

    While the server stops, each answer says that its connection closes.
    """

    server_state: Connections

    @override
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.server_state.stopping:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Close the connection once the request that it carries is answered."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

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

    server_state: Connections

    def __init__(self, config: Config, monitor: Monitor) -> None:
        super().__init__(config)
        self.server_state = Connections()
        self.monitor = monitor

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the gateway stops, let who is connected hear it, and stop."""
        self.monitor.stopping = self.server_state.stopping = True
        for connection in self.server_state.connections:
            if isinstance(connection, Protocol):
                connection.close_after_answer()
        await asyncio.sleep(NOTICE_SECONDS)
        for _ in range(MOST_LOOKS):
            if not any(map(is_idle, self.server_state.connections)):
                break
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        await super().shutdown(sockets)

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def is_idle(connection: object) -> bool:
    """Say whether a connection may still bring a request: nobody has told it of the end."""
    cycle = getattr(connection, "cycle", None)
    return cycle is None or cycle.response_complete


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
        ),
        app.state.monitor,
    )
