"""When an Impartner listing is complete, and how its records are given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lms_assets.vendors.impartner.filters import differs, equals
from lms_assets.vendors.listing import Completeness
from lms_assets.vendors.transport.errors import (
    AuthenticationFailed,
    RecordNotFound,
    RequestRejected,
    Throttled,
    UnexpectedAnswer,
    VendorUnavailable,
)
from lms_assets_tests.harness.limits import QUICK
from lms_assets_tests.vendors.scripted import Reply, ScriptedServer, Seen, first_then, impartner


def answer(rows: list[dict[str, Any]], count: Any) -> Reply:
    return Reply({"success": True, "data": {"count": count, "entity": "Account", "results": rows}})


def accounts(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"Partner {number}"} for number in range(first, last + 1)]


def serve(
    server: ScriptedServer, rows: list[dict[str, Any]], count: Callable[[Seen], Any] | None = None, take: int = 100
) -> None:
    def reply(seen: Seen) -> Reply:
        skip = int(seen.query["skip"])
        return answer(rows[skip : skip + take], count(seen) if count else len(rows))

    server.answer = reply


def test_a_listing_of_as_many_rows_as_the_vendor_counts_is_complete(server: ScriptedServer) -> None:
    serve(server, accounts(1, 230))
    listing = impartner(server).list("Account", ["Name"], equals("IsActive", True))
    assert [record["Id"] for record in listing] == list(range(1, 231))
    assert (listing.completeness, listing.reported_count, listing.pages) == (Completeness.COMPLETE, 230, 3)
    # Pages are asked for ahead, so the later ones arrive in any order.
    asked = next(seen.query for seen in server.seen if seen.query.get("skip") == "100")
    assert asked == {
        "fields": "Id,Name",
        "filter": "IsActive = true",
        "orderby": "Id",
        "skip": "100",
        "take": "100",
    }


def test_an_empty_listing_is_complete(server: ScriptedServer) -> None:
    serve(server, [])
    listing = impartner(server).list("Account", ["Name"])
    assert list(listing) == []
    assert listing.complete


def test_names_are_given_as_asked_for_whatever_the_vendor_writes(server: ScriptedServer) -> None:
    serve(server, [{"Id": "7", "partner_Tier__cf": "Premier", "CRMID": "001", "extra": 1}])
    records = list(impartner(server).list("Account", ["Partner_Tier__cf", "CrmId", "Website"]))
    assert records == [{"Id": 7, "Partner_Tier__cf": "Premier", "CrmId": "001", "Website": None}]


def test_a_vendor_with_smaller_pages_than_asked_for_leaves_no_gap(server: ScriptedServer) -> None:
    serve(server, accounts(1, 120), take=50)
    listing = impartner(server).list("Account", ["Name"])
    assert len(list(listing)) == 120
    assert listing.complete


def test_fewer_rows_than_the_vendor_counts_is_drift(server: ScriptedServer) -> None:
    serve(server, accounts(1, 130), count=lambda seen: 140)
    listing = impartner(server).list("Account", ["Name"])
    assert len(list(listing)) == 130
    assert listing.completeness is Completeness.DRIFTED
    assert "130 rows came, and the vendor counts 140" in listing.reasons


def test_more_rows_than_the_vendor_counts_is_drift(server: ScriptedServer) -> None:
    serve(server, accounts(1, 30), count=lambda seen: 20)
    listing = impartner(server).list("Account", ["Name"])
    list(listing)
    assert listing.completeness is Completeness.DRIFTED


def test_a_count_that_changes_while_paging_is_drift(server: ScriptedServer) -> None:
    serve(server, accounts(1, 230), count=lambda seen: 231 if seen.number == 1 else 230)
    listing = impartner(server).list("Account", ["Name"])
    list(listing)
    assert listing.reasons == ["the vendor's own count changed while paging"]


def test_ids_that_do_not_ascend_are_drift(server: ScriptedServer) -> None:
    serve(server, [*accounts(5, 9), *accounts(1, 4)])
    listing = impartner(server).list("Account", ["Name"])
    assert len(list(listing)) == 9
    assert listing.completeness is Completeness.DRIFTED


@pytest.mark.parametrize("count", [None, "many", [], 1.5])
def test_a_listing_that_the_vendor_did_not_count_is_not_proven(server: ScriptedServer, count: Any) -> None:
    serve(server, accounts(1, 130), count=lambda seen: count)
    listing = impartner(server).list("Account", ["Name"])
    assert len(list(listing)) == 130
    assert listing.completeness is Completeness.DRIFTED


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"success": True},
        {"success": True, "data": []},
        {"success": True, "data": {"count": 0}},
        {"success": True, "data": {"count": 1, "results": [None]}},
        {"success": True, "data": {"count": -1, "results": []}},
        [],
        "x",
    ],
)
def test_an_answer_without_results_is_an_error_and_never_empty(server: ScriptedServer, body: Any) -> None:
    server.answer = lambda seen: Reply(body)
    with pytest.raises(UnexpectedAnswer):
        list(impartner(server).list("Account", ["Name"]))


@pytest.mark.parametrize(
    ("code", "message", "kind", "calls"),
    [
        ("Unauthorized", "", AuthenticationFailed, 1),
        ("X", "Access denied", AuthenticationFailed, 1),
        ("RateLimitExceeded", "", Throttled, QUICK.retry.attempts),
        ("InternalServerError", "", VendorUnavailable, QUICK.retry.attempts),
        ("NotFound", "", RecordNotFound, 1),
        ("InvalidField", "Field 'Tier__cf' is not known", RequestRejected, 1),
    ],
)
def test_a_refusal_with_status_200_is_typed_by_its_code(
    server: ScriptedServer, code: str, message: str, kind: type[Exception], calls: int
) -> None:
    server.answer = lambda seen: Reply({"success": False, "errors": [{"code": code, "message": message}]})
    with pytest.raises(kind, match=f"Impartner, GET /Account .*{code}"):
        list(impartner(server).list("Account", ["Name"]))
    assert len(server.seen) == calls


def test_a_refusal_names_the_custom_field_it_is_about(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"success": False, "message": "Field 'Tier__cf' of 'Ann' is not known"})
    with pytest.raises(RequestRejected, match="'Tier__cf' of '…'"):
        list(impartner(server).list("Account", ["Tier__cf"]))


def test_records_by_id_come_in_parts_of_a_hundred(server: ScriptedServer) -> None:
    def reply(seen: Seen) -> Reply:
        asked = seen.query["filter"].removeprefix("Id in (").removesuffix(")").split(",")
        rows = [{"id": int(number), "name": "x"} for number in asked if int(number) % 2]
        return answer(rows, len(rows))

    server.answer = reply
    found = impartner(server).by_ids("Account", [*range(1, 251), 7, 7], ["Name"])
    assert sorted(found) == list(range(1, 251, 2))
    assert found[7] == {"Id": 7, "Name": "x"}
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([{"id": 9}], 1),
        ([{"id": 1}, {"id": 1}], 2),
        ([{"id": 1}, {"name": "no id"}], 2),
        ([{"id": 1}], 2),
    ],
    ids=["nobody asked for it", "twice", "without id", "fewer than counted"],
)
def test_an_answer_that_could_hide_a_record_does_not_prove_that_it_is_gone(
    server: ScriptedServer, rows: list[dict[str, Any]], count: int
) -> None:
    server.answer = lambda seen: answer(rows, count)
    with pytest.raises(UnexpectedAnswer, match="asked for by id"):
        impartner(server).by_ids("Account", [1, 2], [])


def test_a_passing_wrong_answer_by_id_is_read_again(server: ScriptedServer) -> None:
    server.answer = first_then(answer([{"id": 9}], 1), then=answer([{"id": 1}], 1))
    assert list(impartner(server).by_ids("Account", [1, 2], [])) == [1]


def test_no_ids_need_no_call(server: ScriptedServer) -> None:
    assert impartner(server).by_ids("Account", [], ["Name"]) == {}
    assert server.seen == []


def test_deleted_ids_are_asked_for_in_utc(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"success": True, "data": [3, "5"]})
    since, until = datetime.fromisoformat("2026-01-31T04:00:00+02:00"), datetime(2026, 2, 1, tzinfo=UTC)
    assert impartner(server).deleted_ids("Lead", since, until) == {3, 5}
    assert server.seen[0].path == "/api/objects/v1/Lead/_deleted"
    assert server.seen[0].query == {"fromUtc": "2026-01-31T02:00:00", "toUtc": "2026-02-01T00:00:00"}


@pytest.mark.parametrize("data", [None, {}, [None], ["x"], [1.5], [True], 3])
def test_deleted_ids_that_cannot_be_read_are_an_error(server: ScriptedServer, data: Any) -> None:
    server.answer = lambda seen: Reply({"success": True, "data": data})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(UnexpectedAnswer):
        impartner(server).deleted_ids("Account", moment, moment)


@pytest.mark.parametrize("shape", ["object", "array of one", "array of one in Pascal case", "list of fields"])
def test_fields_are_described_whatever_case_they_are_asked_in(server: ScriptedServer, shape: str) -> None:
    fields = [
        {"name": "Total_NPCU__cf", "isReadOnly": False, "dataType": "Int"},
        {"Name": "crmId", "IsReadOnly": True, "DataType": "String"},
        {"name": "unsaid"},
    ]
    data = {
        "object": {"fields": fields},
        "array of one": [{"name": "Account", "fields": fields}],
        "array of one in Pascal case": [{"Name": "Account", "Fields": fields}],
        "list of fields": fields,
    }[shape]
    server.answer = lambda seen: Reply({"success": True, "data": data})
    described = impartner(server).describe("Account")
    assert described["total_npcu__CF"].data_type == "Int"
    assert not described["total_npcu__CF"].read_only
    assert described["CrmId"].read_only
    assert described["Unsaid"].read_only
    assert "Missing__cf" not in described
    assert len(described) == 3


def test_an_ignored_filter_is_noticed_where_the_caller_can_tell(server: ScriptedServer) -> None:
    serve(server, [{"id": 1, "partnerAccountId": 5}, {"id": 2}])
    listing = impartner(server).list(
        "Lead",
        ["PartnerAccountId"],
        differs("PartnerAccountId", None),
        passes_filter=lambda record: record["PartnerAccountId"] is not None,
    )
    assert len(list(listing)) == 2
    assert listing.filter_ignored
