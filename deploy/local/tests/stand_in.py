"""Poses as any of the services: `migrate` makes a schema, `serve` answers HTTP until SIGTERM.

The supervisor knows no more of a service than this. STAND_IN_FAILS names those that
fail; what one was given it answers to anybody, and that it stopped it writes down.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg

SETTINGS = os.environ  # noqa: TID251 - it is as good as a settings.py


def main(name: str) -> None:
    if name in SETTINGS.get("STAND_IN_FAILS", ""):
        sys.exit(f"{name} was told to fail")
    if sys.argv[1] == "migrate":
        with psycopg.connect(SETTINGS["DATABASE_URL"]) as connection:
            connection.execute(f"create schema if not exists {name}")
    else:
        serve(name)


def serve(name: str) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(dict(SETTINGS)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    # Before it listens: who listens is ready, and may be stopped.
    signal.signal(signal.SIGTERM, lambda *_: farewell(name))
    port = int(SETTINGS[f"{name.upper()}_PORT"])
    ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()


def farewell(name: str) -> None:
    with Path("stopped").open("a") as file:
        file.write(f"{name}\n")
    os._exit(0)
