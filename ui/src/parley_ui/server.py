"""Streamlit in this process, with the headers of a careful site around it."""

import base64
import hashlib
import re
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley_ui.settings import Settings

HERE = Path(__file__).parent
LOOPBACK = ("127.0.0.1", "::1", "localhost")

OPTIONS = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "theme.base": str(HERE / "theme.toml"),
}


def run(settings: Settings) -> None:
    """Serves the page until a signal ends it."""
    app = streamlit.App(
        HERE / "app.py",
        middleware=[Middleware(SecurityHeaders)],
        secrets=settings.for_the_page(),
    )
    app.run(config=options(settings))


def options(settings: Settings) -> dict[str, object]:
    """Returns Streamlit's configuration; on loopback, no foreign name may lead here."""
    listening = {"server.address": settings.host, "server.port": settings.port}
    hosts = {"server.allowedHosts": list(LOOPBACK)} if settings.host in LOOPBACK else {}
    return {**OPTIONS, **listening, **hosts}


def content_policy() -> str:
    """Returns a policy that lets the browser talk to nobody but this server.

    Streamlit's own page holds inline scripts, which are allowed by their hashes, and styles made
    while it runs.
    """
    index = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", index, re.DOTALL)
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
        "form-action 'self'"
    )


class SecurityHeaders:
    """Adds to every answer what keeps a browser from doing more than the page needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": content_policy(),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
