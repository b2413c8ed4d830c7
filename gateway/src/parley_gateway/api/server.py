"""The HTTP server: uvicorn, made to stop in peace and to refuse in our words."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from http import HTTPStatus

import orjson
from fastapi import FastAPI
from parley_rpc.faults import Fault, InvalidArgument
from typing_extensions import override
from uuid_utils.compat import uuid7
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from parley_gateway.api import problems
from parley_gateway.api.bodies import DROP_WITHIN_SECONDS
from parley_gateway.api.door import ALWAYS, Headers
from parley_gateway.api.health import Monitor
from parley_gateway.core.faults import HeadTooLarge, MalformedRequest

KEEP_ALIVE_SECONDS = 75
# Between the word that the gateway stops and the closing of its port. Who keeps a connection busy
# meanwhile is told with an answer that it closes, instead of losing a request to it. When all have
# gone, nothing more is waited for; the silent ones are waited for a little longer.
NOTICE_SECONDS = 0.25
LOOK_EVERY_SECONDS = 0.025
MOST_LOOKS = 30


# The head of a request, which nobody has let in yet: how long it may take, and how large it may be.
# One key may be a megabyte long and is then told that it is not valid.
HEAD_WITHIN_SECONDS = 10.0
MOST_HEAD_BYTES = 2 * 1024 * 1024
MOST_HEADERS = 200


class Connections(ServerState):
    """What all connections know in common."""

    stopping = False


class Protocol(HttpToolsProtocol):
    """HTTP/1.1, whose refusal of what is not HTTP is a problem document too.

    While the server stops, each answer says that its connection closes.
    """

    server_state: Connections
    head_bytes = 0
    in_head = True
    refused = False
    head_timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.await_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        super().data_received(data)
        if self.in_head and not self.refused:
            self.head_bytes += len(data)
            if self.head_bytes > MOST_HEAD_BYTES:
                self.refuse(HeadTooLarge(f"The head is larger than {MOST_HEAD_BYTES} bytes."))

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head = True
        if self.head_timer is None:
            self.await_head()

    @override
    def on_headers_complete(self) -> None:
        self.in_head = False
        self.head_bytes = 0
        self.stop_waiting()
        try:
            check_head(self.headers)
        except InvalidArgument as fault:
            self.refuse(fault)
            raise  # or the parser would go on to what stands behind it
        super().on_headers_complete()
        if self.server_state.stopping:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Close the connection once the request that it carries is answered."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def await_head(self) -> None:
        """Give a head some time to come."""
        self.head_timer = self.loop.call_later(HEAD_WITHIN_SECONDS, self.give_up)

    def stop_waiting(self) -> None:
        """Wait for a head no longer."""
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def give_up(self) -> None:
        """Close a connection whose head did not come."""
        self.head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self.await_head()
        elif self.in_head:
            self.transport.close()

    @override
    def send_400_response(self, msg: str) -> None:
        self.refuse(MalformedRequest(msg))

    def refuse(self, fault: Fault) -> None:
        """Answer what never becomes a request, and close the connection.

        Not at once, and what still comes is dropped: a client that is still sending would
        otherwise see the connection break instead of the answer.
        """
        if self.refused or self.transport.is_closing():
            return
        self.refused = True
        self.stop_waiting()
        if self.cut_running():
            self.transport.close()
            return
        request_id = str(uuid7())
        body = orjson.dumps(problems.document(fault, request_id))
        status = HTTPStatus(problems.row_of(fault).status)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"content-type: {problems.MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n"
        )
        said = b"".join(b"%s: %s\r\n" % pair for pair in ALWAYS)
        self.transport.write(head.encode() + said + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(DROP_WITHIN_SECONDS, self.transport.close)

    def cut_running(self) -> bool:
        """Let a request that runs see its client leave; say whether its answer has begun."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return cycle.response_started


def check_head(headers: Headers) -> None:
    """Refuse what is too much, or what nobody decodes; InvalidArgument.

    Two lengths, or a length beside chunks, the parser refuses itself.
    """
    if len(headers) > MOST_HEADERS:
        raise HeadTooLarge(f"The request has more than {MOST_HEADERS} headers.")
    for name, value in headers:
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            raise MalformedRequest("The body is transferred in a way other than in chunks.")


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
