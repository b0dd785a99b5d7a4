"""Never more than so many requests in any one second: over threads, processes and machines.

pyrate-limiter decides (its sliding-window log); this module waits for the decision, one thread at a time. Where several
processes share a key, they share a `RequestLog`: a file, or what the caller has for several machines. No HTTP here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Protocol

from pyrate_limiter import InMemoryBucket, Rate, RateItem

SECOND = 1_000_000
"""The buckets count in microseconds: at ten a second, whole milliseconds would cost a tenth of the tolerance."""

WINDOW = 1.021
"""Seconds in which at most the configured number is sent. The vendor counts in windows of one second at its own
door: requests may be 10 ms early or late there, so two of them 20 ms nearer to each other than they were sent."""

MANY, MANY_SHARE = 50, 0.95
"""From MANY requests a second on, so much of the limit is used: there a stall of a few hundredths of a second anywhere
on the way lets several requests arrive at once."""

WIDER, NARROWER = 0.06, 0.01
WIDEST = 0.2
CALM_SECONDS = 50
"""After a refusal (429) the window grows by WIDER seconds, to WIDEST more at most: the way to the vendor is less even
than WINDOW allows for. It shrinks by NARROWER after as many requests without a refusal as CALM_SECONDS take at full
speed, back to WINDOW in the end."""

SPREAD, SPREAD_MANY = 0.5, 0.8
"""A burst is spread over this part of a second, so that answers do not all have to be read at once; from MANY requests
a second on over nearly all of it, so that a stall holds up fewer of them."""

LOCK_POLL_SECONDS = 0.002


RequestLogOf = Callable[[str], "RequestLog"]
"""The log of a name. Equal functions give the same logs: a process remembers its limiters by them."""


class NoFreeSlot(Exception):
    """No request could be sent within the longest wait allowed."""


class RequestLog(Protocol):
    """Where those who share a limit keep what they know."""

    def open(self, longest_wait: float) -> AbstractContextManager[tuple[array[int], int, int]]:
        """The numbers, for one at a time, to be changed in place; what was changed is kept at the end.

        They are microseconds of a clock that all share. It is ahead of this machine's by the second of the three at
        least, and by the third more at most.

        Raises:
            TimeoutError: others had it for `longest_wait` seconds, or it could not be reached.
        """


class RateLimiter:
    """At most `requests_per_second` requests (rounded down above 1) in any one second.

    All that use the same `log` share the limit and what refusals taught. The clock is the machine's monotonic one,
    so that a changed wall clock has no effect.
    """

    def __init__(
        self,
        requests_per_second: float,
        *,
        log: RequestLog | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not requests_per_second > 0:
            raise ValueError("requests_per_second must be above 0")
        self.requests_per_second = requests_per_second
        self._bucket = InMemoryBucket(_rates(requests_per_second, WINDOW))
        self._window = WINDOW
        self._state = _State()
        self._left: array[int] | None = None
        self._log = log
        self._ahead = self._unsure = 0
        self._turn = threading.Lock()
        self._clock = clock
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"RateLimiter({self.requests_per_second} requests per second)"

    @contextlib.contextmanager
    def slot(self, longest_wait: float = 300.0) -> Iterator[None]:
        """Wait for a free slot, at most `longest_wait` seconds; send inside, and nothing else.

        One request at a time is inside, over all processes, and the log holds when it left: one that is held up on its
        way out holds up those behind it, and they do not arrive together. Raises NoFreeSlot.
        """
        give_up_at = self._here() + int(longest_wait * SECOND)
        # One thread waits for the next slot and the others for their turn, so that not all wake up for one slot.
        if not self._turn.acquire(timeout=max(0.0, longest_wait)):
            raise NoFreeSlot
        try:
            while True:
                with self._shared_state(give_up_at):
                    item, wait = self._try()
                    if item is not None:
                        try:
                            yield
                        finally:
                            item.timestamp = self._now() + self._unsure
                        return
                if self._here() + wait > give_up_at:
                    raise NoFreeSlot
                self._sleep(wait / SECOND)
        finally:
            self._turn.release()

    def refused(self) -> None:
        """The vendor said that there were too many requests: keep more distance for a while."""
        with self._turn, self._shared_state(self._here() + SECOND):
            # Requests that were on their way together teach one thing.
            if self._state.admitted_since > self.requests_per_second or not self._state.wider:
                self._state = _State(min(int(WIDEST * SECOND), self._state.wider + int(WIDER * SECOND)))

    def _try(self) -> tuple[RateItem | None, int]:
        """The admitted request's place in the log, or the microseconds to wait before asking again."""
        now = self._now()
        window = WINDOW + self._state.wider / SECOND
        if window != self._window:
            self._window, self._bucket.rates = window, _rates(self.requests_per_second, window)
        self._bucket.leak(now)
        item = RateItem("", now)
        if self._bucket.put(item):
            self._state = self._state.after_one_more(CALM_SECONDS * self.requests_per_second)
            return item, 0
        wait = self._bucket.waiting(item)
        assert isinstance(wait, int)
        return None, max(1, wait)

    @contextlib.contextmanager
    def _shared_state(self, give_up_at: int) -> Iterator[None]:
        if self._log is None:
            yield
            return
        with contextlib.ExitStack() as stack:
            try:
                opened = self._log.open(max(0.01, (give_up_at - self._here()) / SECOND))
                numbers, self._ahead, self._unsure = stack.enter_context(opened)
            except TimeoutError:
                raise NoFreeSlot from None
            # Times from before a reboot, or before the shared clock was set back, lie in the future.
            latest = self._now() + SECOND
            # Where nobody else sent anything since this process did, the bucket is as the log says.
            if numbers != self._left or numbers[-1] > latest or self._unsure:
                known = _checked(numbers)
                self._state = _State(*known[:HEADER])
                times = sorted(moment for moment in known[HEADER:] if moment <= latest)
                self._bucket.items = [RateItem("", moment) for moment in times]
            try:
                yield
            finally:
                moments = [item.timestamp for item in self._bucket.items]
                self._left = array("q", [self._state.wider, self._state.admitted_since, *moments])
                numbers[:] = self._left

    def _here(self) -> int:
        return self._clock() // 1000

    def _now(self) -> int:
        return self._here() + self._ahead


@dataclass(frozen=True, slots=True)
class _State:
    """What refusals taught: microseconds by which the window is wider, and requests admitted since that changed."""

    wider: int = 0
    admitted_since: int = 0

    def after_one_more(self, calm: float) -> _State:
        if self.wider and self.admitted_since + 1 >= calm:
            return _State(max(0, self.wider - int(NARROWER * SECOND)))
        return _State(self.wider, self.admitted_since + 1)


HEADER = 2


class FileRequestLog:
    """The log of one machine's processes: a file under a lock of the operating system, readable by its owner only.

    One write call replaces the content, so that a killed process leaves the old numbers or the new ones.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path

    @contextlib.contextmanager
    def open(self, longest_wait: float) -> Iterator[tuple[array[int], int, int]]:
        """See RequestLog."""
        give_up_at = time.monotonic() + longest_wait
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(handle):
                if time.monotonic() > give_up_at:
                    raise TimeoutError
                time.sleep(LOCK_POLL_SECONDS)
            numbers = _numbers(os.pread(handle, min(os.fstat(handle).st_size, 1 << 20), 0))
            before = numbers.tobytes()
            try:
                yield numbers, 0, 0
            finally:
                after = numbers.tobytes()
                if after != before:
                    os.pwrite(handle, after, 0)
                    os.ftruncate(handle, len(after))
                # Closing is not enough: a process forked meanwhile has the file open, too.
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _numbers(content: bytes) -> array[int]:
    numbers = array("q")
    if len(content) % numbers.itemsize == 0:
        numbers.frombytes(content)
    return numbers


def _checked(numbers: array[int]) -> array[int]:
    """The numbers of a log; anything that no log holds counts as an empty one."""
    sound = len(numbers) >= HEADER and 0 <= numbers[0] <= WIDEST * SECOND and numbers[1] >= 0
    return numbers if sound else array("q", [0] * HEADER)


def _rates(requests_per_second: float, window: float) -> list[Rate]:
    if requests_per_second < 1:
        return [Rate(1, ceil(SECOND * window / requests_per_second))]
    share, spread = (MANY_SHARE, SPREAD_MANY) if requests_per_second >= MANY else (1, SPREAD)
    limit = int(requests_per_second * share)
    whole = Rate(limit, ceil(SECOND * window))
    return [whole] if limit == 1 else [Rate(1, ceil(SECOND * spread / limit)), whole]


_limiters: dict[tuple[str, str, float, RequestLogOf | None], RateLimiter] = {}
_limiters_lock = threading.Lock()


def shared_limiter(
    origin: str, api_key: str, requests_per_second: float, *, log_of: RequestLogOf | None = None
) -> RateLimiter:
    """The limiter of this process for one key at one vendor: every client of the same key shares it.

    With `log_of` it is also shared with all others who get the log of the same name there. Neither the key nor
    anything it could be guessed from is in that name: it is a keyed hash.
    """
    digest = hashlib.blake2b(origin.encode(), key=_short(api_key), digest_size=12).hexdigest()
    name = (origin, digest, float(requests_per_second), log_of)
    with _limiters_lock:
        if name not in _limiters:
            log = None if log_of is None else log_of(f"requests-{digest}")
            _limiters[name] = RateLimiter(requests_per_second, log=log)
        return _limiters[name]


def _short(api_key: str) -> bytes:
    return hashlib.sha256(api_key.encode()).digest()
