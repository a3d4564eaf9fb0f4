"""How each of the service's processes writes its log, on stderr: as text, or with `REACTOR_LOG_FORMAT=json` as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime


def configure(level: str) -> None:
    """Log from `level` up: `debug`, `info`, `warning`. Once a process, before anything is logged."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json() else logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def say(text: str, level: str = "INFO") -> None:
    """Tell the person at the terminal: `text` as it is, or as a log record where those are JSON. Raises `OSError`."""
    print(_record(level, "reactor", text) if as_json() else text, file=sys.stderr, flush=True)


def as_json() -> bool:
    return os.environ.get("REACTOR_LOG_FORMAT", "").lower() == "json"


class _Json(logging.Formatter):
    """A line for each record: `ts`, `level`, `logger`, `msg`, `pid`, and `exception` with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info else None
        return _record(record.levelname, record.name, record.getMessage(), record.created, trace)


def _record(level: str, logger: str, text: str, created: float | None = None, trace: str | None = None) -> str:
    at = datetime.now(UTC) if created is None else datetime.fromtimestamp(created, UTC)
    record = {"ts": at.isoformat(), "level": level, "logger": logger, "msg": text, "pid": os.getpid()}
    if trace is not None:
        record["exception"] = trace
    return json.dumps(record, ensure_ascii=False)
