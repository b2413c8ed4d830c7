"""One JSON line per record on standard output, and one record per request."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from typing_extensions import override

access = logging.getLogger("parley.access")


class JSONFormatter(logging.Formatter):
    """Writes a record as one JSON object; fields come in `extra={"fields": {…}}`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "service": self.service,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(service: str, level: str = "INFO") -> None:
    """Send everything that is logged in this process to standard output."""
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(JSONFormatter(service))
    logging.basicConfig(level=level, handlers=[output], force=True)
