"""Pages of a listing are asked for ahead, several at a time, and prove as much as pages read one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lms_assets.vendors.listing import Completeness, Listing, as_it_is, read_until_stable
from lms_assets.vendors.transport.errors import VendorUnavailable
from lms_assets.vendors.transport.parallel import Ahead
from lms_assets_tests.vendors.scripted import (
    Raw,
    Reply,
    ScriptedServer,
    Seen,
    impartner,
    northpass,
    northpass_pages,
    resource,
)

PAGES = 12
LONG = 20.0


def accounts(server: ScriptedServer, total: int = PAGES * 100) -> None:
    """Serve so many accounts by `skip`."""

    def answer(seen: Seen) -> Reply:
        skip = int(seen.query["skip"])
        rows = [{"id": number, "name": str(number)} for number in range(skip + 1, min(skip + 100, total) + 1)]
        return Reply({"success": True, "data": {"count": total, "entity": "Account", "results": rows}})

    server.answer = answer


def people(server: ScriptedServer) -> None:
    """Serve as many people by `page`."""
    northpass_pages(server, [[resource(page * 100 + row) for row in range(100)] for page in range(PAGES)])


LISTS: dict[str, tuple[Callable[[ScriptedServer], None], Callable[[ScriptedServer], Listing]]] = {
    "northpass": (people, lambda server: northpass(server).people()),
    "impartner": (accounts, lambda server: impartner(server).list("Account", ["Name"])),
}
either = pytest.mark.parametrize("vendor", LISTS)


def place_of(seen: Seen) -> int:
    """The number of the page that a request asks for, from 1."""
    return int(seen.query["page"]) if "page" in seen.query else int(seen.query["skip"]) // 100 + 1


class Order:
    """Lets the test say that one page is answered after another, and counts how many are under way at once."""

    def __init__(self, server: ScriptedServer, after: dict[int, int] | None = None) -> None:
        self._answer, self._after = server.answer, after or {}
        self._under_way, self.most_at_once = 0, 0
        self._changed = threading.Condition()
        self._asked: set[int] = set()
        self._done: set[int] = set()
        server.answer = self.answer

    def answer(self, seen: Seen) -> Reply | Raw:
        place = place_of(seen)
        with self._changed:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            self._asked.add(place)
            self._changed.notify_all()
            # The later one waits until both are asked for, so that both are under way however busy the machine is.
            later_than = {after: each for each, after in self._after.items()}.get(place, place)
            self._changed.wait_for(lambda: later_than in self._asked, LONG)
            self._changed.wait_for(lambda: self._after.get(place, place) in (*self._done, place), LONG)
            reply = self._answer(seen)
            self._done.add(place)
            self._under_way -= 1
            self._changed.notify_all()
        return reply


@either
def test_several_pages_are_under_way_at_once_and_all_of_them_prove_the_whole_list(
    vendor: str, server: ScriptedServer
) -> None:
    serve, listed = LISTS[vendor]
    serve(server)
    # Each page is answered only when the one after it was, so one at a time would never end.
    order = Order(server, after={4: 5, 6: 7, 8: 9})
    listing = listed(server)
    records = [str(listing.identity(record)) for record in listing]
    assert len(records) == len(set(records)) == PAGES * 100
    assert records == sorted(records, key=int)
    assert (listing.completeness, listing.reasons, listing.pages) == (Completeness.COMPLETE, [], PAGES)
    assert 1 < order.most_at_once <= 8


@either
def test_an_error_on_a_page_under_way_ends_the_listing_before_the_pages_after_it(
    vendor: str, server: ScriptedServer
) -> None:
    serve, listed = LISTS[vendor]
    serve(server)
    whole = server.answer
    server.answer = lambda seen: Reply({}, 503) if place_of(seen) == 5 else whole(seen)
    listing, got = listed(server), []
    with pytest.raises(VendorUnavailable):
        got.extend(listing)
    assert len(got) == 400
    assert listing.completeness is Completeness.PARTIAL
    with pytest.raises(VendorUnavailable):
        read_until_stable(lambda: listed(server), convert=as_it_is)


@either
def test_an_error_on_a_page_that_nobody_needs_says_nothing(vendor: str, server: ScriptedServer) -> None:
    serve, listed = LISTS[vendor]
    serve(server)
    whole = server.answer
    server.answer = lambda seen: Reply({}, 503) if place_of(seen) > PAGES + 1 else whole(seen)
    listing = listed(server)
    assert len(list(listing)) == PAGES * 100
    assert listing.complete


@pytest.mark.parametrize("early", range(3, 8))
def test_a_row_that_comes_in_between_two_pages_under_way_is_drift(early: int, server: ScriptedServer) -> None:
    """Page `early` + 1 was answered before the row came, page `early` after it: a row between them is in neither."""
    rows = [resource(number) for number in range(1, PAGES * 100 + 1)]

    def answer(seen: Seen) -> Reply:
        place = place_of(seen)
        if place == early and len(rows) == PAGES * 100:
            rows.insert(0, resource("new"))
        links = {"next": f"{server.url}{seen.path}?page={place + 1}&limit=100"} if place * 100 < len(rows) else {}
        return Reply({"data": rows[place * 100 - 100 : place * 100], "links": links})

    server.answer = answer
    Order(server, after={early: early + 1})
    listing = northpass(server).people()
    listed = {record["id"] for record in listing}
    assert str(early * 100) not in listed
    assert listing.completeness is Completeness.DRIFTED


def test_a_count_that_changes_on_one_of_the_pages_under_way_is_drift(server: ScriptedServer) -> None:
    accounts(server)
    whole = server.answer

    def answer(seen: Seen) -> Reply | Raw:
        reply = whole(seen)
        if place_of(seen) == 6 and isinstance(reply, Reply):
            reply.body["data"]["count"] -= 1
        return reply

    server.answer = answer
    listing = impartner(server).list("Account", ["Name"])
    list(listing)
    assert listing.reasons == ["the vendor's own count changed while paging"]


def test_a_short_page_among_those_under_way_leaves_no_gap(server: ScriptedServer) -> None:
    def answer(seen: Seen) -> Reply:
        skip = int(seen.query["skip"])
        most = 60 if skip == 300 else 100
        rows = [{"id": number} for number in range(skip + 1, min(skip + most, 1000) + 1)]
        return Reply({"success": True, "data": {"count": 1000, "entity": "Account", "results": rows}})

    server.answer = answer
    listing = impartner(server).list("Account", ["Name"])
    assert [record["Id"] for record in listing] == list(range(1, 1001))
    assert listing.completeness is Completeness.DRIFTED


def test_a_link_that_leads_elsewhere_is_followed(server: ScriptedServer) -> None:
    def answer(seen: Seen) -> Reply:
        cursor = seen.query.get("cursor", "")
        place = 5 if cursor == "b" else int(seen.query["page"])
        following = {3: "page=4&cursor=b", 5: ""}.get(place, f"page={place + 1}")
        links = {"next": f"{server.url}/v2/people?{following}"} if following else {}
        return Reply({"data": [resource(place * 100 + row) for row in range(100 - place // 5)], "links": links})

    server.answer = answer
    listing = northpass(server).people()
    assert {int(record["id"]) // 100 for record in listing} == {1, 2, 3, 5}
    assert listing.complete


@either
def test_only_so_many_pages_wait_for_a_reader_who_takes_his_time(vendor: str, server: ScriptedServer) -> None:
    serve, listed = LISTS[vendor]
    serve(server)
    records: Iterator[dict[str, Any]] = iter(listed(server))
    for _ in range(501):
        next(records)
    assert len(server.seen) <= 6 + 8


def test_answers_asked_for_ahead_are_forgotten_as_soon_as_another_one_is_taken() -> None:
    calls: list[int] = []
    ahead = Ahead[int, int](lambda key: (calls.append(key), key)[1])
    ahead.ask([1, 2])
    assert ahead.take(1) == 1
    assert ahead.take(7) == 7
    ahead.ask([8])
    assert 2 not in ahead
    assert ahead.take(8) == 8
    assert sorted(calls) == [1, 2, 7, 8]
