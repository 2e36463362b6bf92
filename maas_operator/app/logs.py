"""Logs as one JSON object per line.

Secrets are kept out at their source: no body of a request or answer is logged. Of errors that nobody thought of the
place is told, and not the words: those may quote anything.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final, TextIO

from maas_operator.engine.errors import OperatorError
from maas_operator.engine.pass_log import pass_fields

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
    """Formats a record as one JSON object, with fields for the pass that runs and for what was passed as `extra`."""

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
            extra["exception"] = _trace(record.exc_info[1])
        return json.dumps({**line, **pass_fields(), **extra}, default=str, ensure_ascii=False)


def _trace(error: BaseException | None) -> str:
    """Return where an error was raised, and before it those that led to it."""
    if error is None:
        return ""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    words = f": {error}" if isinstance(error, OperatorError) else ""
    own = f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__qualname__}{words}"
    return "\n".join(filter(None, [_trace(before), own, *map(_trace, parts)]))


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all logs of the process to a stream, as JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
