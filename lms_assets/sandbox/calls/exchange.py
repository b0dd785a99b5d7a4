"""One call and its reply, as the two APIs, the faults and the endpoint pass them on. No sockets and no data here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Vendor = Literal["northpass", "impartner"]


@dataclass(slots=True)
class Call:
    """A vendor call that passed the limit and the key.

    * `endpoint`: method and template, e.g. `GET /people/{id}`; for Impartner with the object: `PATCH /Account`.
    * `path`: the path actually asked for, after the vendor's base, e.g. `/people/123`.
    * `base_url`: scheme, host and vendor base as the caller addressed them, for absolute links.
    * `faults`: kind -> options of the faults that hit this call.
    """

    vendor: Vendor
    endpoint: str
    method: str
    path: str
    base_url: str
    params: Mapping[str, str]
    query: list[tuple[str, str]]
    body: bytes = b""
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """The last value of a query parameter, None if it is not there."""
        found = [value for key, value in self.query if key == name]
        return found[-1] if found else None

    def json(self) -> Any:
        """The body as JSON; raises ValueError if it is none."""
        return json.loads(self.body)


@dataclass(slots=True)
class Reply:
    """What goes back. `cut`: None, or how the connection breaks: before the status line, or within the body."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: Literal["before_status", "in_body"] | None = None


class Refused(Exception):
    """Raised by a handler to answer an error of its vendor."""

    def __init__(self, status: int, title: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.pointer = pointer


def encoded(value: Any) -> bytes:
    """JSON as the vendors send it: UTF-8, other scripts not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_reply(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, encoded(value))


def error_reply(vendor: Vendor, status: int, title: str, detail: str, pointer: str | None = None) -> Reply:
    """An error in the vendor's own shape (Northpass API, errors; Impartner API, errors)."""
    if vendor == "impartner":
        errors = [{"code": title.replace(" ", ""), "message": detail}]
        return json_reply({"success": False, "message": detail, "errors": errors}, status)
    error: dict[str, Any] = {"status": str(status), "title": title, "detail": detail}
    if pointer:
        error["source"] = {"pointer": pointer}
    return json_reply({"errors": [error]}, status)
