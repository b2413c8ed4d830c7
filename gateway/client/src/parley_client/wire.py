"""Between calls and httpx: what both clients do alike, short of waiting."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import httpx

from parley_client.answers import Answer
from parley_client.call import Call
from parley_client.errors import GatewayUnreachable

USER_AGENT = f"parley-client/{version('parley-client')}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds.

    `connect` is for the connection, `read` for an ordinary answer, `reply` for a whole reply of a
    model, `silence` for the next sign of life in a stream: a gateway gives one every 15 seconds.

    `repeat` is how long a send that was not taken is repeated, `reread` how long any other call
    that may be, `resume` how long a stream that was lost is asked for again, each from its first
    failure on; with 0 it is not.
    """

    connect: float = 5.0
    read: float = 30.0
    reply: float = 600.0
    silence: float = 60.0
    repeat: float = 10.0
    reread: float = 2.0
    resume: float = 30.0


class Wire:
    """Puts calls into httpx's words, and httpx's answers into ours."""

    def __init__(self, base_url: str, key: str | None, timeouts: Timeouts | None) -> None:
        self._base_url = base_url
        self._key = key
        self.timeouts = timeouts or Timeouts()

    def client_options(self) -> dict[str, Any]:
        """Returns what an httpx client is made of; proxies in the environment do not count."""
        headers = {b"accept": b"application/json", b"user-agent": USER_AGENT.encode()}
        if self._key is not None:
            headers[b"authorization"] = b"Bearer " + self._key.encode()
        return {
            "base_url": self._base_url,
            "headers": headers,
            "follow_redirects": False,
            "trust_env": False,
        }

    def request(self, call: Call[Any]) -> dict[str, Any]:
        """Returns a call as the arguments of a request."""
        wait = self.timeouts.reply if call.slow else self.timeouts.read
        return self._arguments(call, wait, dict(call.headers))

    def stream(self, call: Call[Any]) -> dict[str, Any]:
        """Returns a call as the arguments of a request whose answer is a stream."""
        headers = {**call.headers, "Accept": "text/event-stream"}
        return self._arguments(call, self.timeouts.silence, headers)

    def _arguments(self, call: Call[Any], wait: float, headers: dict[str, str]) -> dict[str, Any]:
        content = None
        if call.body is not None:
            content = json.dumps(call.body, default=_encode).encode()
            headers["Content-Type"] = "application/json"
        return {
            "method": call.method,
            "url": call.path,
            "params": dict(call.query),
            "content": content,
            "headers": headers,
            "timeout": httpx.Timeout(wait, connect=self.timeouts.connect),
        }

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Says GatewayUnreachable for whatever goes wrong on the way."""
        try:
            yield
        except httpx.TimeoutException as error:
            waited = not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            words = f"{self._base_url} took too long to answer."
            raise GatewayUnreachable(words, waited=waited, arrived=waited) from error
        except httpx.LocalProtocolError:
            # It would say which header it is, and that is the key.
            words = "The request cannot be sent. Does the key hold a line break?"
            raise GatewayUnreachable(words, arrived=False, retryable=False) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            words = f"{self._base_url} cannot be reached: {error}"
            arrived = not isinstance(error, httpx.ConnectError)
            raise GatewayUnreachable(words, arrived=arrived) from error


def is_stream(response: httpx.Response) -> bool:
    """Tells whether an answer is a stream of events, by its headers."""
    return response.is_success and "text/event-stream" in response.headers.get("content-type", "")


def answer(response: httpx.Response) -> Answer:
    """Returns an answer that has been read to its end."""
    return Answer(response.status_code, response.headers, response.content)


def _encode(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"  # never 1E-9
    raise TypeError(f"{type(value).__name__} cannot be sent.")
