"""A PostgreSQL of its own that can be stopped, killed, frozen, and cut off without a word."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
from parley_local.postgres import EmbeddedPostgres

STARTED_WITHIN_SECONDS = 30.0
CHUNK = 64 * 1024


class BreakablePostgres:
    """The embedded server with data of its own. All of it is for the main thread.

    The kernel ends the server with the thread that started it.
    """

    def __init__(self, home: Path) -> None:
        self.postgres = EmbeddedPostgres(home)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where its owner connects."""
        return self.postgres.url

    def start(self) -> None:
        """Start it, again when need be, and return when it answers.

        Backends of a server that was killed may hold its memory for a moment longer.
        """
        give_up = time.monotonic() + STARTED_WITHIN_SECONDS
        while time.monotonic() < give_up:
            if self.process is None or self.process.poll() is not None:
                self.process = self.postgres.launch()
            if self.postgres.answers():
                return
            time.sleep(0.02)
        raise RuntimeError("PostgreSQL does not start.")

    def stop(self) -> None:
        """Shut it down fast: open transactions are rolled back, connections ended."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the postmaster; its backends end by themselves."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every process of the server where it stands."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # A backend that has just ended.
                process.suspend()

    def thaw(self) -> None:
        """Let every process go on."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def set(self, **settings: str) -> None:
        """Set what may change while it runs, and nothing else; for all connections."""
        # The owner of the databases may not: nobody is the superuser.
        file = self.postgres._placement.data / "postgresql.auto.conf"
        file.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        self._running.send_signal(signal.SIGHUP)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it for the length of a block, whatever is done to it."""
        try:
            self.start()
            yield
        finally:
            if self.process is not None and self.process.poll() is None:
                self.thaw()
                self.postgres.stop(self.process)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("PostgreSQL was not started.")
        return self.process

    def _end(self, number: signal.Signals) -> None:
        self._running.send_signal(number)
        self._running.wait(STARTED_WITHIN_SECONDS)

    def _processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self._running.pid)
        return [postmaster, *postmaster.children(recursive=True)]


class Wire:
    """A way to a server's socket, over TCP, that can fall silent: nothing passes, nothing ends."""

    def __init__(self, url: str) -> None:
        given = urlsplit(url)
        folder = parse_qs(given.query)["host"][0]
        self.socket = f"{folder}/.s.PGSQL.5432"
        self._given = given
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where its owner connects through the wire."""
        given = self._given
        where = f"{given.username}:{given.password}@127.0.0.1:{self._port}"
        return given._replace(netloc=where, query="").geturl()

    def fall_silent(self) -> None:
        """Let nothing pass from now on; connections are still taken, as by a firewall's proxy."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def speak(self) -> None:
        """Let everything pass, also what has waited."""
        self._loop.call_soon_threadsafe(self._open.set)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Forward for the length of a block."""
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._stop(server), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _listen(self) -> asyncio.Server:
        self._open.set()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            await self._open.wait()
            inner_reader, inner_writer = await asyncio.open_unix_connection(self.socket)
            writers.append(inner_writer)
            await asyncio.gather(self._pump(reader, inner_writer), self._pump(inner_reader, writer))
        except OSError:  # The server is not there.
            pass
        finally:
            for one in writers:
                one.transport.abort()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(chunk)
                await writer.drain()
            await self._open.wait()
            writer.close()
