"""From an HTTP answer to a value or a typed error. Reads and judges one answer; sends nothing, retries nothing.

Text of an answer is made fit for a log or an error first: no secret, no personal data, short.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import requests
from urllib3.exceptions import DecodeError, HTTPError, IncompleteRead

from lms_assets.redaction import redact
from lms_assets.vendors.endpoints import Endpoint
from lms_assets.vendors.transport.errors import (
    AuthenticationFailed,
    RecordNotFound,
    RequestRejected,
    Throttled,
    UnexpectedAnswer,
    UnreadableAnswer,
    UnsafeLink,
    UntrustedServer,
    VendorError,
    VendorUnavailable,
)
from lms_assets.vendors.transport.retries import retry_after_seconds

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\u2018[^\u2019]*\u2019|\u201c[^\u201d]*\u201d")
_URL = re.compile(r"\b\w+://\S+")
_LONG_TOKEN = re.compile(r"\b[A-Za-z0-9_\-]{40,}\b")
MAXIMUM_LENGTH = 200


def scrub(text: object, secrets: Collection[str] = ()) -> str:
    """The text without secrets, e-mail addresses, links, long tokens and quoted values, at most 200 characters.

    Quoted values go because vendors quote what was sent, and that may be a person's name; the name of a
    custom CRM field ("..._cf") stays, since without it the message is of no use.
    """
    cleaned = "".join(character if character.isprintable() else " " for character in str(text)[:5000])
    cleaned = redact(cleaned, secrets)
    cleaned = _URL.sub("[link]", cleaned)
    cleaned = _EMAIL.sub("[e-mail]", cleaned)
    cleaned = _QUOTED.sub(_field_or_nothing, cleaned)
    cleaned = _LONG_TOKEN.sub("[token]", cleaned)
    cleaned = " ".join(cleaned.split())
    return cleaned if len(cleaned) <= MAXIMUM_LENGTH else cleaned[: MAXIMUM_LENGTH - 1] + "…"


def _field_or_nothing(match: re.Match[str]) -> str:
    return match.group() if re.fullmatch(r"\w+__cf", match.group()[1:-1]) else "'…'"


T = TypeVar("T")
_ERROR_BODY_BYTES = 65_536
_CHUNK_BYTES = 65_536
_RETRIABLE_4XX = (408, 425)


class ShapeError(ValueError):
    """The JSON has another shape than documented. The text says which part, never with its value."""


def refuse_more_than_asked_for(rows: Sequence[object], asked_for: int) -> None:
    """Raise ShapeError for a page with more rows than its limit: a server that pages otherwise is not understood.

    Args:
        asked_for: the page's limit, in rows.
    """
    if len(rows) > asked_for:
        raise ShapeError(f"the page has {len(rows):,} rows, and {asked_for} were asked for")


Refusal = Literal["authentication", "throttled", "unavailable", "not_found", "rejected"]


class RefusedInBody(Exception):
    """The HTTP status says yes and the body says no (Impartner API, transport)."""

    def __init__(self, kind: Refusal, problem: str) -> None:
        super().__init__(kind, problem)
        self.kind: Refusal = kind
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Reader:
    """Judges the answers of one vendor. `secrets` never get into an error's text."""

    vendor: str
    secrets: Collection[str]
    maximum_bytes: int
    maximum_values: int

    def read(self, response: requests.Response, endpoint: Endpoint, parse: Callable[[Any], T]) -> T:
        """What `parse` makes of the answer's JSON. Raises a VendorError, or requests' errors while reading.

        `parse` gets None for an empty body, and raises ShapeError or RefusedInBody.
        """
        if not 200 <= response.status_code < 300:
            raise self._refusal(response, endpoint)
        content = self._body(response, endpoint)
        self._refuse_too_many_values(content, response.status_code, endpoint)
        try:
            body = json.loads(content) if content.strip() else None
        except (ValueError, RecursionError):
            raise self._not_json(response, endpoint) from None
        return self._parsed(body, response.status_code, endpoint, parse)

    def _parsed(self, body: Any, status: int, endpoint: Endpoint, parse: Callable[[Any], T]) -> T:
        try:
            return parse(body)
        except ShapeError as error:
            if body is None:
                raise UnreadableAnswer(self.vendor, endpoint.label, status, "the answer is empty", _TRY_LATER) from None
            said = error_summary(body, self.secrets)
            problem = f"{error}" + (f"; it said: {said}" if said else "")
            remedy = "See whether the vendor has changed its API or another service answers at this address"
            raise UnexpectedAnswer(self.vendor, endpoint.label, status, problem, remedy) from None
        except RefusedInBody as refused:
            raise self._by_kind(refused.kind, endpoint, status, scrub(refused.problem, self.secrets)) from None

    def _body(self, response: requests.Response, endpoint: Endpoint) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > self.maximum_bytes:
                problem = f"the answer is larger than {self.maximum_bytes // 1_000_000} MB"
                raise UnexpectedAnswer(
                    self.vendor, endpoint.label, response.status_code, problem, "Ask the vendor what it sends there"
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _refuse_too_many_values(self, content: bytes, status: int, endpoint: Endpoint) -> None:
        """A tiny record takes 25 times its bytes in memory, so the bytes alone are no bound."""
        if len(content) <= self.maximum_values:
            return
        # Never less than the values and containers that it has, since text may hold these signs too.
        values = sum(content.count(sign) for sign in (b",", b"{", b"["))
        if values > self.maximum_values:
            problem = f"the answer holds more than {self.maximum_values:,} values"
            raise UnexpectedAnswer(self.vendor, endpoint.label, status, problem, "Ask the vendor what it sends there")

    def _not_json(self, response: requests.Response, endpoint: Endpoint) -> VendorError:
        kind = scrub(response.headers.get("Content-Type", "none").partition(";")[0], self.secrets)
        problem = f"the answer is not JSON (content type {kind})"
        remedy = "A maintenance page or a proxy may stand before the vendor: try again later"
        return UnreadableAnswer(self.vendor, endpoint.label, response.status_code, problem, remedy)

    def _refusal(self, response: requests.Response, endpoint: Endpoint) -> VendorError:
        status = response.status_code
        if 300 <= status < 400:
            return UnsafeLink(
                self.vendor,
                endpoint.label,
                status,
                "the vendor redirects, and redirects are never followed with the key",
                "Check the base URL",
            )
        said = error_summary(_error_body(response), self.secrets)
        if status == 429:
            error = self._by_kind("throttled", endpoint, status, said)
            assert isinstance(error, Throttled)
            error.retry_after = retry_after_seconds(
                response.headers.get("Retry-After"), response.headers.get("Date"), datetime.now(UTC)
            )
            return error
        return self._by_kind(_kind_of(status), endpoint, status, said)

    def _by_kind(self, kind: Refusal, endpoint: Endpoint, status: int, said: str) -> VendorError:
        error, problem, remedy = _REFUSALS[kind]
        return error(self.vendor, endpoint.label, status, f"{problem}: {said}" if said else problem, remedy)

    def broken(self, error: BaseException, endpoint: Endpoint) -> VendorError:
        """The typed form of an error of the connection."""
        name = type(root_cause(error)).__name__
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE" in str(error).upper():
            remedy = "Check the base URL, the clock of this machine, and REQUESTS_CA_BUNDLE if a proxy inspects traffic"
            problem = "the server's certificate cannot be verified"
            return UntrustedServer(self.vendor, endpoint.label, None, problem, remedy)
        if isinstance(error, DecodeError | requests.exceptions.ContentDecodingError):
            return UnreadableAnswer(
                self.vendor, endpoint.label, None, "the answer's compression is damaged", _TRY_LATER
            )
        if isinstance(root_cause(error), IncompleteRead) or "IncompleteRead" in name:
            return UnreadableAnswer(self.vendor, endpoint.label, None, "the answer was cut off", _TRY_LATER)
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return VendorUnavailable(self.vendor, endpoint.label, None, "no connection within the time allowed", _REACH)
        if isinstance(error, requests.exceptions.Timeout) or "Timeout" in name:
            return VendorUnavailable(self.vendor, endpoint.label, None, "no answer within the time allowed", _TRY_LATER)
        if "NameResolution" in name or name == "gaierror":
            return VendorUnavailable(self.vendor, endpoint.label, None, "the host name is not known", _REACH)
        return VendorUnavailable(self.vendor, endpoint.label, None, f"the connection failed ({name})", _REACH)


_TRY_LATER = "Try again later; if it stays, ask the vendor"
_REACH = "Check the base URL and whether this machine can reach it"
_REFUSALS: dict[Refusal, tuple[type[VendorError], str, str]] = {
    "authentication": (
        AuthenticationFailed,
        "the vendor does not accept the key",
        "Check the API key (and the tenant) and what the key may do",
    ),
    "throttled": (Throttled, "too many requests", "Lower the requests per second, or see who else uses this key"),
    "unavailable": (VendorUnavailable, "the vendor cannot answer now", _TRY_LATER),
    "not_found": (RecordNotFound, "it does not exist, or no longer", "Check the base URL if it should exist"),
    "rejected": (
        RequestRejected,
        "the vendor refuses the request",
        "Compare the request with the vendor's documentation",
    ),
}


def _kind_of(status: int) -> Refusal:
    if status in (401, 403):
        return "authentication"
    if status == 404:
        return "not_found"
    if status >= 500 or status in _RETRIABLE_4XX:
        return "unavailable"
    return "rejected"


def _error_body(response: requests.Response) -> Any:
    try:
        content = response.raw.read(_ERROR_BODY_BYTES, decode_content=True)
        return json.loads(content)
    except (ValueError, RecursionError, HTTPError, OSError):
        return None


def error_summary(body: Any, secrets: Collection[str] = ()) -> str:
    """What an error body says, scrubbed: codes, titles and messages of at most three errors; "" if nothing.

    Reads JSON:API errors (Northpass API, transport) and `message` with `errors` (Impartner API, transport).

    Args:
        secrets: texts that must not be shown.
    """
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    parts = [_one_error(error) for error in errors[:3]] if isinstance(errors, list) else []
    text = "; ".join(part for part in parts if part) or _text(body.get("message")) or _text(body.get("error"))
    return scrub(text, secrets)


def _one_error(error: Any) -> str:
    if not isinstance(error, dict):
        return _text(error)
    words = (_text(error.get(name)) for name in ("code", "title", "detail", "message"))
    return " ".join(word for word in words if word)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def root_cause(error: BaseException) -> BaseException:
    """The innermost error that requests and urllib3 wrapped."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((part for part in reversed(error.args) if isinstance(part, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error
