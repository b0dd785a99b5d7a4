"""When a Northpass listing is complete, when it drifted, and when it is only a part."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lms_assets.vendors.listing import Completeness, Listing
from lms_assets.vendors.transport.errors import RecordNotFound, UnexpectedAnswer, VendorUnavailable
from lms_assets_tests.vendors.scripted import (
    Raw,
    Reply,
    ScriptedServer,
    Seen,
    gone,
    northpass,
    northpass_pages,
    resource,
)

Page = list[dict[str, Any]]


def rows(first: int, last: int) -> Page:
    return [resource(number, name=f"n{number}") for number in range(first, last + 1)]


def ids(listing: Listing) -> list[str]:
    return [record["id"] for record in listing]


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def test_a_listing_read_to_its_end_without_drift_is_complete(server: ScriptedServer) -> None:
    northpass_pages(server, [rows(1, 100), rows(101, 200), rows(201, 230)])
    listing = northpass(server).people()
    assert ids(listing) == numbers(1, 230)
    assert (listing.completeness, listing.reasons, listing.pages, listing.rows) == (Completeness.COMPLETE, [], 3, 230)
    assert server.seen[0].query == {"page": "1", "limit": "100"}


def test_pages_are_fetched_as_they_are_read(server: ScriptedServer) -> None:
    northpass_pages(server, [rows(1, 100), rows(101, 200), rows(201, 230)])
    listing = northpass(server).people()
    records = iter(listing)
    next(records)
    assert len(server.seen) == 1
    assert listing.completeness is Completeness.PARTIAL


def test_a_listing_can_be_read_only_once(server: ScriptedServer) -> None:
    listing = northpass(server).groups()
    list(listing)
    with pytest.raises(RuntimeError, match="read once"):
        list(listing)


@pytest.mark.parametrize("name", ["n100", "other"])
def test_a_row_that_comes_twice_is_given_once_and_is_drift(server: ScriptedServer, name: str) -> None:
    northpass_pages(server, [rows(1, 100), [resource(100, name=name), *rows(101, 150)]])
    listing = northpass(server).people()
    assert ids(listing) == numbers(1, 150)
    assert (listing.completeness, listing.reasons) == (Completeness.DRIFTED, ["an id came twice (page 2)"])


def test_a_page_that_comes_twice_is_drift(server: ScriptedServer) -> None:
    northpass_pages(server, [rows(1, 100), rows(1, 100), rows(101, 150)])
    listing = northpass(server).people()
    assert ids(listing) == numbers(1, 150)
    assert listing.completeness is Completeness.DRIFTED


@pytest.mark.parametrize("sizes", [(100, 99, 50), (99, 100, 50)])
def test_a_short_page_before_the_last_is_drift(server: ScriptedServer, sizes: tuple[int, ...]) -> None:
    bounds = [sum(sizes[:place]) for place in range(len(sizes) + 1)]
    northpass_pages(server, [rows(bounds[place] + 1, bounds[place + 1]) for place in range(len(sizes))])
    listing = northpass(server).people()
    assert len(ids(listing)) == sum(sizes)
    assert listing.completeness is Completeness.DRIFTED


def test_a_vendor_with_smaller_pages_than_asked_for_is_believed(server: ScriptedServer) -> None:
    northpass_pages(server, [rows(1, 50), rows(51, 100), rows(101, 120)])
    listing = northpass(server).people()
    assert len(ids(listing)) == 120
    assert listing.complete


@pytest.mark.parametrize("end", [gone(), Reply({"data": []})], ids=["404", "empty"])
def test_a_full_last_page_is_the_end_when_the_next_one_does_not_exist(server: ScriptedServer, end: Reply) -> None:
    server.answer = lambda seen: Reply({"data": rows(1, 100)}) if seen.query["page"] == "1" else end
    listing = northpass(server).people()
    assert len(ids(listing)) == 100
    assert listing.complete


def test_a_list_cut_off_after_a_full_page_is_noticed_and_read_on(server: ScriptedServer) -> None:
    pages = [rows(1, 100), rows(101, 200), rows(201, 230)]
    northpass_pages(server, pages)
    whole = server.answer

    def cut(seen: Seen) -> Reply | Raw:
        return Reply({"data": pages[0], "links": {}}) if seen.number == 1 else whole(seen)

    server.answer = cut
    listing = northpass(server).people()
    assert ids(listing) == numbers(1, 230)
    assert (listing.completeness, listing.reasons) == (Completeness.DRIFTED, ["the list went on after its end"])


def test_a_404_on_a_later_page_is_not_a_clean_end(server: ScriptedServer) -> None:
    pages = [rows(1, 100), rows(101, 200)]
    northpass_pages(server, pages)
    whole = server.answer
    server.answer = lambda seen: whole(seen) if seen.number == 1 else gone()
    listing = northpass(server).people()
    assert len(ids(listing)) == 100
    assert listing.completeness is Completeness.DRIFTED


def test_an_error_in_the_middle_is_raised_and_the_listing_partial(server: ScriptedServer) -> None:
    northpass_pages(server, [rows(1, 100), rows(101, 200)])
    whole = server.answer
    server.answer = lambda seen: whole(seen) if seen.number == 1 else Reply({}, 503)
    listing = northpass(server).people()
    got = []
    with pytest.raises(VendorUnavailable):
        got.extend(listing)
    assert len(got) == 100
    assert listing.completeness is Completeness.PARTIAL


def test_a_404_for_members_is_an_empty_list_that_says_so(server: ScriptedServer) -> None:
    server.answer = lambda seen: gone()
    listing = northpass(server).memberships("g1")
    assert ids(listing) == []
    assert listing.complete
    assert listing.not_found


@pytest.mark.parametrize("name", ["courses", "course_properties", "people", "groups"])
def test_a_404_for_a_whole_list_is_an_error_and_never_empty(server: ScriptedServer, name: str) -> None:
    server.answer = lambda seen: gone()
    with pytest.raises(RecordNotFound):
        list(getattr(northpass(server), name)())


def test_a_404_for_a_transcript_says_that_there_is_none_or_nobody(server: ScriptedServer) -> None:
    server.answer = lambda seen: gone()
    with pytest.raises(RecordNotFound):
        list(northpass(server).transcript("p1"))


def test_only_a_real_404_means_that_a_person_or_group_is_gone(server: ScriptedServer) -> None:
    server.answer = lambda seen: gone()
    assert northpass(server).person("p1") is None
    assert northpass(server).group("g1") is None
    server.answer = lambda seen: Reply({"errors": [{"status": "404", "title": "Not found"}]})
    with pytest.raises(UnexpectedAnswer):
        northpass(server).person("p1")


@pytest.mark.parametrize(
    "body", [{}, {"links": {}}, {"data": None}, {"data": {}}, {"data": [1]}, {"data": [None]}, [], 3, "x"]
)
def test_an_answer_without_a_list_is_an_error_and_never_empty(server: ScriptedServer, body: Any) -> None:
    server.answer = lambda seen: Reply(body)
    with pytest.raises(UnexpectedAnswer):
        list(northpass(server).people())


def test_a_next_link_that_leads_back_ends_with_an_error(server: ScriptedServer) -> None:
    def answer(seen: Seen) -> Reply:
        page = int(seen.query["page"])
        return Reply(
            {
                "data": rows(page * 100 - 99, page * 100),
                "links": {"next": f"{server.url}/v2/people?page={page % 3 + 1}"},
            }
        )

    server.answer = answer
    with pytest.raises(UnexpectedAnswer, match="leads back"):
        list(northpass(server).people())
    assert len(server.seen) <= 5 + 8  # those under way ahead of the last one, too


@pytest.mark.parametrize("content", [rows(1, 100), []], ids=["the same rows", "no rows"])
def test_next_links_that_never_end_end_with_an_error(server: ScriptedServer, content: Page) -> None:
    server.answer = lambda seen: Reply(
        {"data": content, "links": {"next": f"{server.url}/v2/people?page={seen.number + 1}"}}
    )
    with pytest.raises(UnexpectedAnswer, match="nothing new"):
        list(northpass(server).people())
    assert len(server.seen) <= 5 + 8  # those under way ahead of the last one, too


@pytest.mark.parametrize("end", [None, ""])
def test_an_empty_next_link_is_the_end(server: ScriptedServer, end: str | None) -> None:
    server.answer = lambda seen: Reply({"data": rows(1, 3), "links": {"next": end}})
    listing = northpass(server).people()
    assert len(ids(listing)) == 3
    assert listing.complete


def test_records_without_an_id_are_given_and_prove_no_absence(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"data": [{"type": "people"}, {"id": None}, {"id": {}}, *rows(1, 2)]})
    listing = northpass(server).people()
    assert len(list(listing)) == 5
    assert listing.without_id == 3
    assert listing.completeness is Completeness.DRIFTED


def test_people_changed_since_a_moment_are_asked_for_in_utc(server: ScriptedServer) -> None:
    fresh = resource(1, updated_at="2026-03-31T17:15:17Z")
    server.answer = lambda seen: Reply({"data": [fresh]})
    since = datetime.fromisoformat("2026-03-31T19:15:17.9+02:00")
    listing = northpass(server).people(updated_since=since)
    assert list(listing) == [fresh]
    assert server.seen[0].query["filter[updated_at][gteq]"] == "2026-03-31T17:15:17Z"
    assert not listing.filter_ignored


def test_an_ignored_time_filter_is_noticed(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply(
        {"data": [resource(1, updated_at="2026-03-31T17:15:17Z"), resource(2, updated_at="2020-01-01T00:00:00Z")]}
    )
    listing = northpass(server).people(updated_since=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(list(listing)) == 2
    assert listing.filter_ignored


def test_nobody_changed_may_be_a_404(server: ScriptedServer) -> None:
    server.answer = lambda seen: gone()
    assert list(northpass(server).people(updated_since=datetime(2026, 1, 1, tzinfo=UTC))) == []


def test_transcripts_are_asked_for_by_course_unless_all_are_wanted(server: ScriptedServer) -> None:
    client = northpass(server)
    list(client.transcript("p1"))
    list(client.transcript("p1", alternate_paging=True))
    assert server.seen[0].path == "/v2/transcripts/p1"
    assert server.seen[0].query["filter[resource_type][eq]"] == "course"
    assert set(server.seen[1].query) == {"page", "limit"}


def test_webhooks_come_fifty_a_page_by_type(server: ScriptedServer) -> None:
    list(northpass(server).webhooks(["course_completed_events", "x"], datetime(2026, 1, 1, tzinfo=UTC)))
    assert server.seen[0].query == {
        "filter[type][in]": "course_completed_events,x",
        "filter[created_at][gteq]": "2026-01-01T00:00:00Z",
        "page": "1",
        "limit": "50",
    }
