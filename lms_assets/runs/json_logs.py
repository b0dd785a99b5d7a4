"""Logs as JSON, one object a line on stderr, where LMS_LOG_FORMAT asks for it: the commands' and every run's.

Dagster's own text lines stay beside them: its console logger cannot be taken off a job (1.13), only made quieter by
`python_logs: {python_log_level: ...}` in dagster.yaml. The daemon and the webserver have `--log-format json`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

VARIABLE = "LMS_LOG_FORMAT"
# Written for every week and asset of a run before it begins: what was planned, not what happened.
_PLANS = "_PLANNED"
_OF_A_RUN = {"run_id": "run_id", "job_name": "job", "step_key": "step"}


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: `at` (UTC), `level`, `logger`, `message`, and what run and step it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": meta.get("orig_message") or record.getMessage(),
        }
        told |= {ours: meta[theirs] for theirs, ours in _OF_A_RUN.items() if meta.get(theirs)}
        if event := _event_type(record):
            told["event"] = event
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
        return json.dumps(told, ensure_ascii=False)


def json_wanted() -> bool:
    """Whether this process is to log as JSON."""
    return os.environ.get(VARIABLE, "").strip().lower() == "json"


def json_handler() -> logging.Handler:
    """A handler that writes JSON to stderr, plans left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(lambda record: not (_event_type(record) or "").endswith(_PLANS))
    return handler


def log_as_json() -> None:
    """Have the loggers of this program in this process write JSON, where that is wanted; twice is the same as once."""
    ours = logging.getLogger("lms_assets")
    if json_wanted() and not any(isinstance(each.formatter, JsonFormatter) for each in ours.handlers):
        ours.addHandler(json_handler())
        ours.setLevel(logging.INFO)
        ours.propagate = False


def _event_type(record: logging.LogRecord) -> str | None:
    event = (getattr(record, "dagster_meta", None) or {}).get("dagster_event")
    kind = getattr(event, "event_type_value", None)
    return str(kind) if kind else None
