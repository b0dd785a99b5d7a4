"""Never more than so many requests in any one second: over threads, and over processes of one machine.

pyrate-limiter decides (its sliding-window log); this module waits for the decision, one thread at a time, and
keeps the log in a small file when several processes share a key. No HTTP here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from filelock import FileLock, Timeout
from pyrate_limiter import InMemoryBucket, Rate, RateItem

SECOND = 1_000_000
"""The buckets count in microseconds: at ten a second, whole milliseconds would cost a tenth of the tolerance."""

WINDOW = 1.015
"""Seconds in which at most the configured number is sent. The vendor counts in windows of one second at its own
door: 15 ms is what two requests may differ in their way there, and leaves 98.5 % of the rate."""

WIDER = 0.02
WIDEST = 0.2
CALM = 200
"""After a refusal (429) the window grows by WIDER seconds, to WIDEST more at most: the way to the vendor is less even
than WINDOW allows for. After CALM requests without one it shrinks by as much, back to WINDOW in the end."""

SPREAD = 0.5
"""A burst is spread over this part of a second, so that answers do not all have to be read at once."""

SENT_LATE = SECOND // 2000
LOCK_POLL_SECONDS = 0.002


class NoFreeSlot(Exception):
    """No request could be sent within the longest wait allowed."""


@dataclass(frozen=True, slots=True)
class Permit:
    """One request may be sent now. Holds the moment of admission in microseconds of the monotonic clock."""

    admitted: int


class RateLimiter:
    """At most `requests_per_second` requests (rounded down above 1) in any one second.

    With `state_file` all processes that name the same file share the limit; the file is only readable by its
    owner and holds nothing but times. The clock is the machine's monotonic one, the same in every process, so
    that a changed wall clock has no effect; times from before a reboot lie in the future and are dropped.
    """

    def __init__(
        self,
        requests_per_second: float,
        *,
        state_file: Path | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not requests_per_second > 0:
            raise ValueError("requests_per_second must be above 0")
        self.requests_per_second = requests_per_second
        self._bucket = InMemoryBucket(_rates(requests_per_second, WINDOW))
        self._wider = 0.0
        self._since_refusal = 0
        self._ledger = None if state_file is None else _Ledger(state_file)
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._clock = clock
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"RateLimiter({self.requests_per_second} requests per second)"

    def acquire(self, longest_wait: float = 300.0) -> Permit:
        """Wait for a free slot, at most `longest_wait` seconds, and take it.

        Call it immediately before sending, then `sent` immediately after. Raises NoFreeSlot.
        """
        give_up_at = self._now() + int(longest_wait * SECOND)
        # One thread waits for the next slot and the others for their turn: avoids a thundering herd.
        if not self._turn.acquire(timeout=max(0.0, longest_wait)):
            raise NoFreeSlot
        try:
            while True:
                admitted, wait = self._try(give_up_at)
                if wait == 0:
                    return Permit(admitted)
                if self._now() + wait > give_up_at:
                    raise NoFreeSlot
                self._sleep(wait / SECOND)
        finally:
            self._turn.release()

    def sent(self, permit: Permit) -> None:
        """The request has left. If the thread was held up on the way, its place in the log moves accordingly."""
        now = self._now()
        if now - permit.admitted <= SENT_LATE:
            return
        with self._shared_state(now + SECOND):
            items = self._bucket.items
            for item in items:
                if item.timestamp == permit.admitted:
                    item.timestamp = now
                    break
            items.sort(key=_timestamp)

    def refused(self) -> None:
        """The vendor said that there were too many requests: keep more distance for a while."""
        with self._state:
            self._widen(min(WIDEST, self._wider + WIDER))

    def _widen(self, seconds: float) -> None:
        self._wider = seconds
        self._since_refusal = 0
        self._bucket.rates = _rates(self.requests_per_second, WINDOW + seconds)

    def _try(self, give_up_at: int) -> tuple[int, int]:
        """(moment of admission, 0), or (now, microseconds to wait before asking again)."""
        with self._shared_state(give_up_at):
            now = self._now()
            self._bucket.leak(now)
            item = RateItem("", now)
            if self._bucket.put(item):
                self._since_refusal += 1
                if self._wider and self._since_refusal >= CALM:
                    self._widen(max(0.0, self._wider - WIDER))
                return now, 0
            wait = self._bucket.waiting(item)
            assert isinstance(wait, int)
            return now, max(1, wait)

    @contextlib.contextmanager
    def _shared_state(self, give_up_at: int) -> Iterator[None]:
        with self._state:
            if self._ledger is None:
                yield
                return
            with self._ledger.open(max(0.01, (give_up_at - self._now()) / SECOND)) as times:
                now = self._now()
                self._bucket.items = [RateItem("", moment) for moment in sorted(times) if moment <= now]
                yield
                times[:] = array("q", (item.timestamp for item in self._bucket.items))

    def _now(self) -> int:
        return self._clock() // 1000


class _Ledger:
    """The moments of the last requests of every process, in a file, under a lock of the operating system.

    One write call replaces the content, so that a killed process leaves the old moments or the new ones. A
    file of any other content counts as empty.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._lock = FileLock(
            path.with_suffix(".lock"), mode=0o600, thread_local=False, poll_interval=LOCK_POLL_SECONDS
        )

    @contextlib.contextmanager
    def open(self, longest_wait: float) -> Iterator[array[int]]:
        """The moments, to be changed in place; what was changed is written at the end."""
        try:
            self._lock.acquire(timeout=longest_wait)
        except Timeout:
            raise NoFreeSlot from None
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                times = _moments(os.pread(handle, 1 << 20, 0))
                before = times.tobytes()
                yield times
                after = times.tobytes()
                if after != before:
                    os.pwrite(handle, after, 0)
                    os.ftruncate(handle, len(after))
            finally:
                os.close(handle)
        finally:
            self._lock.release()


def _moments(content: bytes) -> array[int]:
    times = array("q")
    if len(content) % times.itemsize == 0:
        times.frombytes(content)
    return times


def _timestamp(item: RateItem) -> int:
    return item.timestamp


def _rates(requests_per_second: float, window: float) -> list[Rate]:
    if requests_per_second < 1:
        return [Rate(1, ceil(SECOND * window / requests_per_second))]
    limit = int(requests_per_second)
    whole = Rate(limit, ceil(SECOND * window))
    return [whole] if limit == 1 else [Rate(1, ceil(SECOND * SPREAD / limit)), whole]


_limiters: dict[tuple[str, str, float, Path | None], RateLimiter] = {}
_limiters_lock = threading.Lock()


def shared_limiter(
    origin: str, api_key: str, requests_per_second: float, *, state_dir: Path | None = None
) -> RateLimiter:
    """The limiter of this process for one key at one vendor: every client of the same key shares it.

    With `state_dir` it is also shared with the other processes of the machine that name the same directory.
    Neither the key nor anything it could be guessed from is in the file's name: it is a keyed hash.
    """
    digest = hashlib.blake2b(origin.encode(), key=_short(api_key), digest_size=12).hexdigest()
    name = (origin, digest, float(requests_per_second), state_dir)
    with _limiters_lock:
        if name not in _limiters:
            file = None if state_dir is None else state_dir / f"requests-{digest}.log"
            _limiters[name] = RateLimiter(requests_per_second, state_file=file)
        return _limiters[name]


def _short(api_key: str) -> bytes:
    return hashlib.sha256(api_key.encode()).digest()
