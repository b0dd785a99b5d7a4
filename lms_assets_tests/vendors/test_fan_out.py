"""Many calls, a few at a time: what comes back, what ends it, and that nothing piles up."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lms_assets.vendors.listing import Reading
from lms_assets.vendors.transport.errors import (
    AuthenticationFailed,
    RecordNotFound,
    UnexpectedAnswer,
    VendorError,
    VendorUnavailable,
)
from lms_assets.vendors.transport.parallel import for_each
from lms_assets_tests.harness.waits import LONGEST_SECONDS
from lms_assets_tests.vendors.scripted import Reply, ScriptedServer, Seen, gone, northpass, resource


def error(kind: type[VendorError]) -> VendorError:
    return kind("Northpass", "GET /people/{id}", None, "a problem", "A remedy")


def test_every_id_has_a_result() -> None:
    got = dict(for_each(range(100), lambda number: number * 2, workers=8, give_up_after=9))
    assert got == {number: number * 2 for number in range(100)}


def test_no_ids_have_no_results() -> None:
    assert list(for_each([], str, workers=8, give_up_after=9)) == []


def test_one_id_that_fails_does_not_stop_the_others() -> None:
    def fetch(number: int) -> int:
        if number in (3, 4):
            raise error(RecordNotFound if number == 3 else UnexpectedAnswer)
        return number

    got = dict(for_each(range(20), fetch, workers=4, give_up_after=9))
    assert isinstance(got[3], RecordNotFound)
    assert isinstance(got[4], UnexpectedAnswer)
    assert len(got) == 20


def test_an_error_that_every_call_will_meet_ends_it() -> None:
    asked: list[int] = []

    def fetch(number: int) -> int:
        asked.append(number)
        raise error(AuthenticationFailed)

    with pytest.raises(AuthenticationFailed):
        list(for_each(range(1000), fetch, workers=4, give_up_after=9))
    assert len(asked) <= 4


def test_a_vendor_that_is_down_is_not_asked_for_everything() -> None:
    asked: list[int] = []

    def fetch(number: int) -> int:
        asked.append(number)
        raise error(VendorUnavailable)

    with pytest.raises(VendorUnavailable):
        list(for_each(range(1000), fetch, workers=4, give_up_after=9))
    assert len(asked) <= 9 + 4


def test_failures_that_are_not_in_a_row_do_not_end_it() -> None:
    def fetch(number: int) -> int:
        if number % 2:
            raise error(VendorUnavailable)
        return number

    assert len(list(for_each(range(200), fetch, workers=1, give_up_after=2))) == 200


def test_any_other_exception_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        list(for_each(range(10), lambda number: 1 // number, workers=2, give_up_after=9))


def test_ids_are_taken_as_results_are_taken() -> None:
    taken: list[int] = []

    def ids() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = for_each(ids(), str, workers=4, give_up_after=9)
    next(results)
    next(results)
    assert len(taken) <= 6
    results.close()


def test_no_more_than_the_workers_are_under_way() -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    all_busy = threading.Barrier(4, timeout=LONGEST_SECONDS)

    def fetch(number: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        if number < 4:
            all_busy.wait()
        with lock:
            under_way -= 1
        return number

    assert len(list(for_each(range(40), fetch, workers=4, give_up_after=9))) == 40
    assert most == 4


def test_closing_early_ends_the_threads() -> None:
    before = threading.active_count()
    results = for_each(range(1000), str, workers=4, give_up_after=9)
    next(results)
    results.close()
    for thread in threading.enumerate():
        if thread.name.endswith("(_work)"):
            thread.join(timeout=LONGEST_SECONDS)
    assert threading.active_count() <= before


def test_a_listing_is_read_and_resolved_by_the_worker(server: ScriptedServer) -> None:
    def answer(seen: Seen) -> Reply:
        return gone() if seen.path.endswith("/p3") else Reply({"data": [resource(seen.path)]})

    server.answer = answer
    client = northpass(server)
    got = dict(client.for_each(["p1", "p2", "p3"], client.transcript))
    first = got["p1"]
    assert isinstance(first, Reading)
    assert first.complete
    assert [record["id"] for record in first.records] == ["/v2/transcripts/p1"]
    assert isinstance(got["p3"], RecordNotFound)


def test_a_drifted_listing_is_read_twice_by_the_worker(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"data": [resource(1), resource(1)] if seen.number == 1 else [resource(1)]})
    client = northpass(server)
    [(_, reading)] = client.for_each(["p1"], client.transcript)
    assert isinstance(reading, Reading)
    assert (reading.complete, reading.passes) == (True, 2)
