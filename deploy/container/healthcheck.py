#!/usr/bin/env python
"""Ends with 0 when the part in this container is well: HTTP for the two in front, gRPC behind."""

import importlib
import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

SECONDS = 4
HTTP = {"gateway": ("GATEWAY_PORT", 8000, "/readyz"), "ui": ("UI_PORT", 8501, "/")}
GRPC = {
    "chat-service": ("CHAT_PORT", 9101),
    "prompt-service": ("PROMPT_PORT", 9102),
    "provider-service": ("PROVIDER_PORT", 9103),
}


def gives_page(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", path)
    return connection.getresponse().status == 200


def serves(port: int) -> bool:
    """Asks the standard health service; the two in front have no gRPC to import."""
    grpc = importlib.import_module("grpc")
    health = importlib.import_module("grpc_health.v1.health_pb2")
    stubs = importlib.import_module("grpc_health.v1.health_pb2_grpc")
    with channel_to(grpc, f"127.0.0.1:{port}") as channel:
        answer = stubs.HealthStub(channel).Check(health.HealthCheckRequest(), timeout=SECONDS)
    return bool(answer.status == health.HealthCheckResponse.SERVING)


def channel_to(grpc: Any, address: str) -> Any:
    """Opens a channel with the part's own certificate, where it asks its callers for one."""
    names = ("GRPC_TLS_CA_FILE", "GRPC_TLS_KEY_FILE", "GRPC_TLS_CERT_FILE")
    files = [os.environ.get(name) for name in names]  # noqa: TID251 - same
    if not all(files):
        return grpc.insecure_channel(address)
    shown = (Path(file or "").read_bytes() for file in files)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*shown))


def port(name: str, default: int) -> int:
    return int(os.environ.get(name, default))  # noqa: TID251 - a program of its own, in one file


def main(part: str) -> bool:
    if part in HTTP:
        name, default, path = HTTP[part]
        return gives_page(port(name, default), path)
    return serves(port(*GRPC[part]))


if __name__ == "__main__":
    sys.exit(not main(os.environ["PARLEY_PART"]))  # noqa: TID251 - same
