"""When a failed request is tried again and how long to wait: all bounds in one frozen policy. Sends nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from lms_assets.vendors.transport.errors import AuthenticationFailed, Throttled, TransientVendorError, UnexpectedAnswer

_log = logging.getLogger(__name__)


def _log_retry(details: RetryDetails) -> None:
    wait, attempt = details.wait_for, details.retry_num + 1
    _log.info("%s In %.1f seconds attempt %d follows.", details.caused_by, wait, attempt)


# Otherwise stamina prints to standard output wherever structlog is installed, in the middle of progress bars.
set_on_retry_hooks((_log_retry,))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounds of one call. Waits grow exponentially from `wait_initial` to `wait_max`, with jitter; all in seconds."""

    attempts: int = 8
    total_seconds: float = 180.0
    wait_initial: float = 0.5
    wait_max: float = 20.0
    wait_jitter: float = 1.0
    retry_after_max: float = 60.0
    """The longest wait a vendor can ask for; a longer Retry-After counts as this."""
    hiccup_attempts: int = 2
    """How often a 401 after good answers, or an answer of the wrong shape, is tried again."""
    hiccup_wait: float = 1.0

    def brief(self) -> RetryPolicy:
        """For a question whose answer somebody waits for: two attempts, 15 seconds."""
        seconds = min(15.0, self.total_seconds)
        return replace(self, attempts=min(2, self.attempts), total_seconds=seconds, hiccup_attempts=0)


@dataclass(slots=True)
class Retrying:
    """The attempts of one call: iterate, and use each attempt as a context manager (stamina's protocol)."""

    policy: RetryPolicy
    may_repeat: Callable[[Exception], bool]
    """Asked before each repetition, for example: a write is repeated only if it surely was not applied."""
    trust_key: Callable[[], bool]
    """True when the key has worked before, so that a 401 may be a hiccup of the vendor."""
    clock: Callable[[], float] = time.monotonic
    repeated: int = 0
    _hiccups: int = 0
    _ends_at: float = field(default=0.0)

    def __iter__(self) -> Iterator[stamina.Attempt]:
        policy = self.policy
        self._ends_at = self.clock() + policy.total_seconds
        return iter(
            stamina.retry_context(
                on=self._decide,
                attempts=policy.attempts,
                timeout=policy.total_seconds,
                wait_initial=policy.wait_initial,
                wait_max=policy.wait_max,
                wait_jitter=policy.wait_jitter,
            )
        )

    def remaining(self) -> float:
        """Seconds left of the call's total."""
        return self._ends_at - self.clock()

    def _decide(self, error: Exception) -> bool | float:
        wait = self._wait_before_repeating(error)
        if wait is False or not self.may_repeat(error) or float(wait) > self.remaining():
            return False
        self.repeated += 1
        return wait

    def _wait_before_repeating(self, error: Exception) -> bool | float:
        if isinstance(error, AuthenticationFailed):
            return self._hiccup() if error.status == 401 and self.trust_key() else False
        if isinstance(error, UnexpectedAnswer):
            return self._hiccup()
        if isinstance(error, Throttled) and error.retry_after is not None:
            return min(error.retry_after, self.policy.retry_after_max)
        return isinstance(error, TransientVendorError)

    def _hiccup(self) -> bool | float:
        self._hiccups += 1
        return self.policy.hiccup_wait if self._hiccups <= self.policy.hiccup_attempts else False


def retry_after_seconds(value: str | None, answered_at: str | None, now: datetime) -> float | None:
    """Seconds a Retry-After header asks for, from either of its forms; None if there is none to be read.

    A date is compared with the answer's own Date header where there is one, so that a clock that goes wrong on
    either side has no effect.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = http_date(text)
    if until is None:
        return None
    seconds = (until - (http_date(answered_at or "") or now)).total_seconds()
    return seconds if seconds > 0 else None


def http_date(text: str) -> datetime | None:
    """The instant of a `Date` header, aware; None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
