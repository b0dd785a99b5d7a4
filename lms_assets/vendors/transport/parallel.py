"""Calls under way at the same time: one for each of many ids, or answers asked for ahead. No HTTP here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from math import ceil
from queue import SimpleQueue
from typing import Generic, TypeVar

from lms_assets.vendors.transport.errors import TransientVendorError, VendorError

K = TypeVar("K")
H = TypeVar("H", bound=Hashable)
T = TypeVar("T")

FEWEST_WORKERS, MOST_WORKERS = 8, 24
SLOW_ANSWER = 0.25


def workers_for(requests_per_second: float) -> int:
    """How many threads reach a rate when answers take SLOW_ANSWER seconds (8 threads, at 10 a second: 0.8)."""
    return max(FEWEST_WORKERS, min(MOST_WORKERS, ceil(requests_per_second * SLOW_ANSWER)))


@dataclass(frozen=True, slots=True)
class _Crash:
    error: BaseException


class _Stop:
    pass


def for_each(
    ids: Iterable[K], fetch: Callable[[K], T], *, workers: int, give_up_after: int
) -> Generator[tuple[K, T | VendorError], None, None]:
    """(id, what `fetch` gave) in the order of arrival, `fetch` running in at most `workers` threads.

    A VendorError of one id is given in place of its result, and the others go on. Two things end it by raising
    that error: one that every further call will meet (`stops_everything`), and `give_up_after` transient errors
    in a row, since a vendor that is down is not asked thousands of times. Any other exception is raised as it is.

    `ids` is consumed as it goes; never more than `workers` are under way or waiting to be taken. The caller can
    close the generator at any time: what is under way ends by itself and is dropped.
    """
    todo: SimpleQueue[K | _Stop] = SimpleQueue()
    done: SimpleQueue[tuple[K, T | VendorError | _Crash]] = SimpleQueue()
    threads: list[threading.Thread] = []
    under_way = 0
    failures = _FailuresInARow(give_up_after)
    try:
        for item in ids:
            if len(threads) < workers:
                # Daemons, so that an interrupted program need not wait for answers that nobody wants any more.
                threads.append(threading.Thread(target=_work, args=(fetch, todo, done), daemon=True))
                threads[-1].start()
            todo.put(item)
            under_way += 1
            if under_way == workers:
                yield failures.judged(done.get())
                under_way -= 1
        while under_way:
            yield failures.judged(done.get())
            under_way -= 1
    finally:
        for _ in threads:
            todo.put(_Stop())


class _FailuresInARow:
    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._count = 0

    def judged(self, item: tuple[K, T | VendorError | _Crash]) -> tuple[K, T | VendorError]:
        key, outcome = item
        if isinstance(outcome, _Crash):
            raise outcome.error
        self._count = self._count + 1 if isinstance(outcome, TransientVendorError) else 0
        if isinstance(outcome, VendorError) and (outcome.stops_everything or self._count >= self._allowed):
            raise outcome
        return key, outcome


def _work(
    fetch: Callable[[K], T],
    todo: SimpleQueue[K | _Stop],
    done: SimpleQueue[tuple[K, T | VendorError | _Crash]],
) -> None:
    while not isinstance(item := todo.get(), _Stop):
        outcome: T | VendorError | _Crash
        try:
            outcome = fetch(item)
        except VendorError as error:
            outcome = error
        except BaseException as error:  # noqa: BLE001  it is raised again where the results are taken
            outcome = _Crash(error)
        done.put((item, outcome))


class Ahead(Generic[H, T]):
    """Answers asked for before they are wanted, each key once; the caller bounds how many. Used by one thread.

    Nothing is concluded from an answer that nobody takes, be it rows or an error. As soon as another key is taken than
    those asked for ahead, they are forgotten and none is asked for any more.
    """

    def __init__(self, fetch: Callable[[H], T]) -> None:
        self._fetch = fetch
        self._asked: dict[H, Future[T]] = {}
        self._misled = False

    def __contains__(self, key: H) -> bool:
        return key in self._asked

    def ask(self, keys: Iterable[H]) -> None:
        """Start what was not asked for yet, each in a thread of its own."""
        for key in keys:
            if key not in self._asked and not self._misled:
                self._asked[key] = Future()
                threading.Thread(target=self._answer, args=(key, self._asked[key]), daemon=True).start()

    def take(self, key: H) -> T:
        """What `fetch` gives for the key, asked for now if nobody did before; raises what it raises."""
        asked = self._asked.pop(key, None)
        if asked is not None:
            return asked.result()
        self._misled = self._misled or bool(self._asked)
        self._asked.clear()
        return self._fetch(key)

    def _answer(self, key: H, future: Future[T]) -> None:
        try:
            future.set_result(self._fetch(key))
        except BaseException as error:  # noqa: BLE001  it is raised again where the answer is taken
            future.set_exception(error)
