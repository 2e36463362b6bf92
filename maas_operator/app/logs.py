"""Logs as one JSON object per line. Secrets are kept out at their source: no body of a request or answer is logged."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

_QUIET: Final = {
    # One line per event and object.
    "kopf.objects": logging.WARNING,
    # "Unresolved resources" again and again, and that signals are ours and not kopf's.
    "kopf._core.reactor": logging.ERROR,
    "kopf": logging.WARNING,
    "asyncio": logging.WARNING,
    # One line per request to 3scale.
    "httpx": logging.WARNING,
}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; what was passed as `extra` becomes fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = {
            key: value for key, value in vars(record).items() if key not in _STANDARD and record.name[:4] != "kopf"
        }
        if record.exc_info:
            extra["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | extra, default=str, ensure_ascii=False)


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all logs of the process to a stream, as JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
