"""Logs: one line for each message on stderr, as logfmt or as JSON.

In: records of the loggers below `pgw` and `gunicorn`, and warnings of everything else.
Out: `ts=2026-01-31T12:00:00.000Z level=info logger=pgw.server msg="pgw listens"`, or the same as JSON.
Never: writes more than one line for a message; a traceback is the field `error`.
Follows: the log lines of the original (Go's logfmt), without `caller`.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {logging.WARNING: "warn", logging.CRITICAL: "error"}


def configure(level: str, form: str) -> None:
    """Send all logging of this process to stderr: `level` as in --log.level, `form` as in --log.format.

    What gunicorn says at level info (each signal, each worker that boots) only shows with `debug`; its warnings
    and errors always do. So it is with every other library.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else LogfmtFormatter())
    ours = LEVELS[level]
    others = ours if ours == logging.DEBUG else max(ours, logging.WARNING)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(ours, logging.WARNING))
    logging.getLogger("pgw").setLevel(ours)
    logging.getLogger("gunicorn").setLevel(others)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        return json.dumps(self.fields(record), ensure_ascii=False)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields of one record, in order."""
        fields = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": _NAMES.get(record.levelno, record.levelname.lower()),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return fields


class LogfmtFormatter(JsonFormatter):
    """A record as `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        return " ".join(f"{name}={_quoted(value)}" for name, value in self.fields(record).items())


def _quoted(value: str) -> str:
    """A value of logfmt: in quotes where it would not be one word otherwise."""
    if value and value.isprintable() and not any(sign in value for sign in ' "='):
        return value
    return json.dumps(value, ensure_ascii=False)
