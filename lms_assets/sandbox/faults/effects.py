"""What faults do to answers: instead of them, to the rows listed, and to finished replies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lms_assets.sandbox.calls.exchange import Call, Reply, encoded, error_reply
from lms_assets.sandbox.state.timestamps import shifted

_HTML = b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
_ABSENT = object()


def instead(call: Call) -> Reply | None:
    """The answer that a fault gives in place of the real one, or None; nothing was done then."""
    faults = call.faults
    if "reset_before_status" in faults:
        return Reply(cut="before_status")
    if "throttle" in faults:
        reply = error_reply(call.vendor, 429, "Too Many Requests", "rate limit exceeded")
        seconds = faults["throttle"].get("retry_after")
        reply.headers |= {} if seconds is None else {"Retry-After": str(seconds)}
        return reply
    if "server_error" in faults:
        status = int(faults["server_error"].get("status", 500))
        return error_reply(call.vendor, status, "Server Error", "something went wrong here")
    for kind, status in (("unauthorized", 401), ("forbidden", 403), ("not_found", 404)):
        if kind in faults:
            return error_reply(call.vendor, status, kind.replace("_", " ").title(), "refused by a fault rule")
    if "redirect" in faults:
        return Reply(302, headers={"Location": faults["redirect"].get("to", "http://other.example.org/")})
    if "html_page" in faults:
        return Reply(200, _HTML, "text/html; charset=utf-8")
    return Reply(200) if "empty_body" in faults else None


def listed_rows(call: Call, rows: list[Any]) -> list[Any]:
    """The rows that a listing has: all, unless it is cut short."""
    cut = call.faults.get("cut_short")
    return rows if cut is None else rows[: int(cut.get("keep", len(rows) // 2))]


def hides_count(call: Call) -> bool:
    """Whether the count told is that of the undisturbed listing, although rows are missing or doubled."""
    return any(options.get("count") == "full" for options in call.faults.values())


def window(call: Call, rows: list[Any], start: int, limit: int) -> tuple[int, list[Any]]:
    """Where the page starts and in which rows, after duplicated pages and drift (on later pages only)."""
    if start and "duplicate_page" in call.faults:
        start -= limit
    if start and "page_drift_removed" in call.faults:
        rows = rows[1:]
    if start and "page_drift_added" in call.faults:
        rows = [*rows[:1], *rows]
    return max(start, 0), rows


def afterwards(call: Call, reply: Reply) -> Reply:
    """The real answer, damaged by the faults that hit this call."""
    faults = call.faults
    if not faults or reply.cut:
        return reply
    for kind in ("null_field", "missing_field", "wrong_type", "big_record", "clock_skew"):
        if kind in faults and reply.body:
            reply.body = encoded(_changed(kind, faults[kind], json.loads(reply.body)))
    if "truncated_json" in faults:
        reply.body = reply.body[: len(reply.body) // 2]
    if "wrong_content_type" in faults:
        reply.content_type = faults["wrong_content_type"].get("content_type", "text/plain")
    if "gzip_error" in faults:
        reply.headers["Content-Encoding"] = "gzip"
    if "reset_in_body" in faults:
        reply.cut = "in_body"
    if "answer_lost" in faults:
        reply.cut = "before_status"
    return reply


def _changed(kind: str, options: dict[str, Any], document: Any) -> Any:
    if kind == "clock_skew":
        seconds = float(options.get("seconds", 3600))
        for row in _records(document):
            _skew(row, seconds)
            _skew(row.get("attributes", {}), seconds)
        return document
    rows = list(_records(document))
    place = int(options.get("row", 0))
    if place >= len(rows):
        return document
    row = rows[place]
    if kind == "big_record":
        _put(row, "description", "x" * int(options.get("bytes", 5_000_000)))
    elif kind == "null_field":
        _put(row, options.get("field", "id"), None)
    elif kind == "missing_field":
        _put(row, options.get("field", "id"), _ABSENT)
    else:
        _put(row, options.get("field", "id"), options.get("value", {"unexpected": ["nested", 1, None]}))
    return document


def _records(document: Any) -> Iterator[dict[str, Any]]:
    """The records of an answer of either vendor: a list, `data.results`, or a single one."""
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, dict):
        data = data.get("results", [data])
    yield from (row for row in data or [] if isinstance(row, dict))


def _skew(values: Any, seconds: float) -> None:
    for name in ("updated_at", "updated"):
        if isinstance(values, dict) and isinstance(values.get(name), str):
            values[name] = shifted(values[name], seconds=seconds)


def _put(row: dict[str, Any], field: str, value: Any) -> None:
    """Set (or, with _ABSENT, remove) `field`: of the record, else of its attributes; dots lead further down."""
    *way, last = field.split(".")
    target: Any = row
    if "attributes" in row and (way or [last])[0] not in row:
        target = row["attributes"]
    for step in way:
        target = target[_spelled(target, step)]
    name = _spelled(target, last)
    if value is _ABSENT:
        target.pop(name, None)
    else:
        target[name] = value


def _spelled(values: dict[str, Any], name: str) -> str:
    """The key of `values` that is `name` but for upper and lower case, else `name` itself."""
    return next((key for key in values if key.casefold() == name.casefold()), name)
