"""Cuts the vendor's streams, which may break off into an error that is no event."""

from __future__ import annotations

from parley_provider_sdk.reading import EVENT_LIMIT, EventTooLarge, SSECutter
from typing_extensions import override


class StreamCutter(SSECutter):
    """Cuts server-sent events, and takes JSON that stands between them for the stream's last.

    The vendor reports a failure of its own front in the middle of a stream as bare JSON, over
    several lines; its library reads it so too (`_api_client.HttpResponse._aiter_response_stream`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._bare = bytearray()
        self._is_line = True
        self._is_over = False

    @override
    def feed(self, chunk: bytes) -> list[bytes] | None:
        if self._is_over:
            return [bytes(self._bare)]
        if self._bare or (self._is_line and chunk[:1] in (b"{", b"[")):
            self._bare += chunk
            if len(self._bare) > EVENT_LIMIT:
                raise EventTooLarge
            return None
        self._is_line = chunk.endswith(b"\n")
        return super().feed(chunk)

    @override
    def rest(self) -> bytes:
        """Returns the bare JSON, which is whole when the stream is over."""
        self._is_over = bool(self._bare)
        return bytes(self._bare)
