"""One vendor over HTTP: pooled connections, paced, retried, bounded, and never anywhere but at its origin.

What the answers mean is for the clients; how an answer is judged lives in `responses`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from math import ceil
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
from requests.utils import default_headers
from urllib3.exceptions import HTTPError

from lms_assets.vendors.endpoints import Endpoint
from lms_assets.vendors.transport.connection import Exchange, PacedAdapter, PacedSender
from lms_assets.vendors.transport.errors import (
    AuthenticationFailed,
    PermanentVendorError,
    Throttled,
    UnexpectedAnswer,
    UnsafeLink,
    VendorError,
    VendorUnavailable,
    WriteOutcomeUnknown,
)
from lms_assets.vendors.transport.origin import ForeignLink, Origin, certificate_bundle
from lms_assets.vendors.transport.rate_limit import NoFreeSlot, RateLimiter
from lms_assets.vendors.transport.responses import Reader
from lms_assets.vendors.transport.retries import Retrying, RetryPolicy, http_date

KEPT = 1000


class ClockComparison:
    """Collects comparisons of one client; safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets: deque[float] = deque(maxlen=KEPT)

    def note(self, headers: Mapping[str, str], now: datetime) -> None:
        """Compare one answer's `Date` (and the `Age` that a cache adds) with `now`, aware; without one nothing.

        Args:
            headers: those of the answer.
        """
        date = http_date(headers.get("Date") or "")
        if date is None:
            return
        age = (headers.get("Age") or "").strip()
        seconds = (date - now).total_seconds() + (float(age[:9]) if age.isascii() and age.isdigit() else 0.0)
        with self._lock:
            self._offsets.append(seconds)

    @property
    def seconds_ahead(self) -> float | None:
        """How far the vendor is ahead of this machine, below 0 for behind; None without any `Date`.

        The median of the answers, so that one odd answer says nothing.
        """
        with self._lock:
            found = sorted(self._offsets, key=abs)
        return found[(len(found) - 1) // 2] if found else None


T = TypeVar("T")

SPARE = 2
"""Requests under way beyond what the rate and the time of an answer ask for: answers do not come evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Every bound of a client. Times in seconds."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    """The longest silence within an answer."""
    answer_seconds: float = 120.0
    """The total time limit for one answer: from sending to the last byte."""
    answer_bytes: int = 50_000_000
    answer_values: int = 500_000
    """Numbers, texts, lists and objects in one answer: a page of 100 rows has a few thousand."""
    slot_seconds: float = 300.0
    """The longest wait for the rate limiter."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask: `url` is absolute; `params` are added to it; `body` is sent as JSON."""

    url: str
    params: Mapping[str, str] | None = None
    body: Any = None


class VendorHttp:
    """Safe for use by many threads. Counters: `calls` (requests sent), `retries`, `throttled` (429 received).

    `clock` compares this machine's clock with the vendor's.

    Nothing from the environment adds credentials: no .netrc, no cookies, no user names in proxy addresses.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        headers: Mapping[str, str],
        *,
        limiter: RateLimiter,
        limits: HttpLimits,
        secret: str,
        workers: int,
    ) -> None:
        self.vendor = vendor
        self.origin = Origin.of(base_url)
        self.retries = 0
        self.throttled = 0
        self.clock = ClockComparison()
        self._limits = limits
        self._workers = workers
        self._rate = limiter.requests_per_second
        self._answer_seconds = 0.0
        self._sender = PacedSender(limiter, limits.slot_seconds)
        self._reader = Reader(vendor, (secret,), limits.answer_bytes, limits.answer_values)
        self._count_lock = threading.Lock()
        self._answered = False
        # Not a session: nothing may add cookies or credentials, or follow a redirect.
        self._adapter = PacedAdapter(self._sender, workers)
        self._verify = certificate_bundle()
        self._proxies = self.origin.proxies()
        self._headers = default_headers()
        self._headers.update({"Accept": "application/json", "User-Agent": "lms-assets", **headers})

    def __repr__(self) -> str:
        return f"VendorHttp({self.vendor}, {self.origin.base})"

    @property
    def calls(self) -> int:
        """Requests sent so far, every attempt counted: what the vendor's rate limit counts."""
        return self._sender.calls

    @property
    def in_flight(self) -> int:
        """How many requests have to be under way so that the rate is reached: what answers take, and some to spare."""
        return min(self._workers, ceil(self._rate * self._answer_seconds) + SPARE)

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()
        self._sender.close()

    def call(
        self, endpoint: Endpoint, request: Request, parse: Callable[[Any], T], *, retry: RetryPolicy | None = None
    ) -> T:
        """What `parse` makes of the answer's JSON (None for an empty body).

        Raises a VendorError when the retries are used up or cannot help; WriteOutcomeUnknown for a request
        that is not repeatable and whose answer was lost. Raises UnsafeLink before anything is sent when the
        URL is not at the vendor's origin.
        """
        prepared = self._prepared(endpoint, request)
        exchange = Exchange(0)
        attempts = Retrying(
            policy=retry or self._limits.retry,
            may_repeat=lambda error: endpoint.repeatable or not _maybe_applied(exchange, error),
            trust_key=lambda: self._answered,
        )
        try:
            for attempt in attempts:
                with attempt:
                    self._count(retries=int(attempt.num > 1))
                    seconds = max(0.001, min(self._limits.answer_seconds, attempts.remaining()))
                    with self._sender.exchange(seconds) as exchange:
                        value = self._attempt(endpoint, prepared, exchange, parse)
                        self._count(answered_after=exchange.passed)
                        return value
        except VendorError as error:
            if not endpoint.repeatable and _maybe_applied(exchange, error):
                problem = f"the answer to a write was lost: {error.problem}"
                remedy = "Read the records back before sending again"
                raise WriteOutcomeUnknown(self.vendor, endpoint.label, error.status, problem, remedy) from None
            raise
        raise AssertionError("a retry loop ends with an answer or an error")

    def _prepared(self, endpoint: Endpoint, request: Request) -> requests.PreparedRequest:
        try:
            url = self.origin.pinned(request.url)
        except ForeignLink as error:
            problem = f"a link of the answer is not followed: {error}"
            remedy = "Check the base URL; if it is right, tell the vendor"
            raise UnsafeLink(self.vendor, endpoint.label, None, problem, remedy) from None
        if endpoint.method != "GET":
            return requests.Request(
                endpoint.method, url, self._headers, params=dict(request.params or {}), json=request.body
            ).prepare()
        # What `prepare` makes of it, too; a full read has many thousands, and that costs as much as sending them.
        prepared = requests.PreparedRequest()
        prepared.method, prepared.headers = endpoint.method, self._headers
        separator = "&" if "?" in url else "?"
        prepared.url = f"{url}{separator}{urlencode(request.params)}" if request.params else url
        return prepared

    def _attempt(
        self,
        endpoint: Endpoint,
        prepared: requests.PreparedRequest,
        exchange: Exchange,
        parse: Callable[[Any], T],
    ) -> T:
        try:
            response = self._adapter.send(
                prepared,
                stream=True,
                timeout=(self._limits.connect_seconds, self._limits.read_seconds),
                verify=self._verify,
                proxies=self._proxies,
            )
            self.clock.note(response.headers, datetime.now(UTC))
            try:
                value = self._reader.read(response, endpoint, parse)
            finally:
                response.close()
        except NoFreeSlot:
            raise self._no_slot(endpoint) from None
        except Throttled:
            self._count(throttled=1)
            self._sender.refused()
            raise
        except VendorError as error:
            # A cut connection can look like a short answer.
            raise self._broken(endpoint, exchange, error) if exchange.cut else error from None
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            raise self._broken(endpoint, exchange, error) from None
        self._answered = True
        return value

    def _broken(self, endpoint: Endpoint, exchange: Exchange, error: BaseException) -> VendorError:
        if exchange.cut:
            problem = f"the answer was not complete after {exchange.seconds:.0f} seconds"
            return VendorUnavailable(
                self.vendor, endpoint.label, None, problem, "Try again later; if it stays, ask the vendor"
            )
        return self._reader.broken(error, endpoint)

    def _no_slot(self, endpoint: Endpoint) -> VendorError:
        return VendorUnavailable(
            self.vendor,
            endpoint.label,
            None,
            f"no free slot of the rate limit within {self._limits.slot_seconds:.0f} seconds",
            "See what else uses this key on this machine, or raise the requests per second",
        )

    def _count(self, *, retries: int = 0, throttled: int = 0, answered_after: float | None = None) -> None:
        with self._count_lock:
            self.retries += retries
            self.throttled += throttled
            if answered_after is not None:
                known = self._answer_seconds or answered_after
                self._answer_seconds = known + (answered_after - known) / 8


def _maybe_applied(exchange: Exchange, error: Exception) -> bool:
    """Whether the vendor may have carried out the request although no usable answer came."""
    if not exchange.sent or isinstance(error, Throttled | AuthenticationFailed):
        return False
    return isinstance(error, UnexpectedAnswer) or not isinstance(error, PermanentVendorError)


def checked_key(api_key: str, vendor: str) -> str:
    """The key, fit for a header. ValueError without the key in it if it is not."""
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError(f"the API key of {vendor} is empty or holds blanks or characters that no key has")
    return api_key


SECONDS = 10


def beat(url: str) -> str | None:
    """Call the URL; None when it answered well, else what went wrong, without the URL, which is a secret."""
    try:
        answer = requests.get(url, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return f"the heartbeat URL could not be called ({type(error).__name__})"
    return None if answer.ok else f"the heartbeat URL answered {answer.status_code}"
