"""What is to be known about a port before and after something of ours listens on it."""

import errno
import socket
from http.client import HTTPConnection, HTTPException

from parley_local.faults import StartError
from parley_local.services import Service
from parley_local.settings import reachable

ANSWER_SECONDS = 2


def refuse_taken_port(service: Service) -> None:
    """Raises `StartError` when somebody listens already where the service is to listen."""
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((service.host, service.port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"fails: {error.strerror}"
            raise StartError(
                f"Port {service.port} on {service.host}, for {service.name}, {reason}. "
                f"Set {service.port_setting} to another one."
            ) from error


def gives_page(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered with 200; no proxy, no redirect."""
    connection = HTTPConnection(reachable(host), port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
