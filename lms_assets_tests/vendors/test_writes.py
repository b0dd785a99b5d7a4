"""Writes: what was applied counts, what was refused is named, and nothing is sent twice without looking."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from lms_assets.domain.counting.push_plan import same_value
from lms_assets.vendors.impartner.writes import PatchResult
from lms_assets.vendors.northpass.pages import Removal, RemovalResult
from lms_assets.vendors.transport.errors import AuthenticationFailed, RequestRejected, Throttled, VendorUnavailable
from lms_assets_tests.vendors.scripted import (
    Raw,
    Reply,
    ScriptedServer,
    Seen,
    gone,
    impartner,
    northpass,
    resource,
    scripted_server,
)

FIELD = "Total_NPCU__cf"
LOST = Raw(end="reset")


class Crm:
    """Accounts that apply what they are sent; `mishaps` change what happens to the first PATCHes."""

    def __init__(self, server: ScriptedServer, *mishaps: Callable[[Crm, Seen], Reply | Raw]) -> None:
        self.held: dict[int, dict[str, Any]] = {number: {} for number in range(1, 60)}
        self.patches: list[list[int]] = []
        self.reads = 0
        self.mishaps = list(mishaps)
        self.refused: set[int] = set()
        server.answer = self.answer

    def answer(self, seen: Seen) -> Reply | Raw:
        if seen.method == "GET":
            self.reads += 1
            asked = [int(number) for number in re.findall(r"\d+", seen.query["filter"])]
            rows = [{"id": number, "total_NPCU__cf": self.held[number].get(FIELD)} for number in asked]
            return Reply({"success": True, "data": {"count": len(rows), "results": rows}})
        self.patches.append([row["Id"] for row in seen.body])
        return self.mishaps.pop(0)(self, seen) if self.mishaps else self.apply(seen)

    def apply(self, seen: Seen) -> Reply:
        results = [self.one(row) for row in seen.body]
        return Reply({"success": all(result["success"] for result in results), "results": results})

    def one(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["Id"] in self.refused:
            return {"success": False, "errors": [{"code": "ReadOnly", "message": f"{FIELD} is locked"}]}
        self.held[row["Id"]].update(row)
        return {"success": True, "data": {"id": row["Id"]}}


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"Id": number, FIELD: number * 2} for number in numbers]


def done(*numbers: int) -> list[PatchResult]:
    return [PatchResult(number, True) for number in numbers]


def applied_and(answer: Reply | Raw) -> Callable[[Crm, Seen], Reply | Raw]:
    def mishap(crm: Crm, seen: Seen) -> Reply | Raw:
        crm.apply(seen)
        return answer

    return mishap


def not_applied_and(answer: Reply | Raw) -> Callable[[Crm, Seen], Reply | Raw]:
    return lambda crm, seen: answer


def test_each_record_has_its_own_result(server: ScriptedServer) -> None:
    crm = Crm(server)
    crm.refused = {2}
    first, second, third = impartner(server).patch_accounts(rows(3, 2, 1), same=same_value)
    assert (first, third) == (PatchResult(3, True), PatchResult(1, True))
    assert not second.ok
    assert second.error == f"ReadOnly {FIELD} is locked"
    assert (crm.patches, crm.reads) == ([[3, 2, 1]], 0)


@pytest.mark.parametrize(
    "answer",
    [
        LOST,
        Raw(),
        Reply(b"<html>bad gateway</html>", 502),
        Reply({}, 500),
        Reply(b"<html>fine</html>"),
        Reply({"success": True}),
        Reply({"success": True, "results": []}),
        Reply({"success": True, "results": [{"success": True, "data": {"id": 1}}]}),
        Reply(b""),
        Raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"success": true'),
    ],
    ids=["reset", "closed", "502", "500", "HTML", "no results", "empty results", "too few", "empty", "cut off"],
)
def test_a_write_whose_answer_was_lost_is_read_back_and_not_sent_again(
    server: ScriptedServer, answer: Reply | Raw
) -> None:
    crm = Crm(server, applied_and(answer))
    assert impartner(server).patch_accounts(rows(1, 2), same=same_value) == done(1, 2)
    assert (len(crm.patches), crm.reads) == (1, 1)


def test_only_the_records_that_were_not_applied_are_sent_again(server: ScriptedServer) -> None:
    def half(crm: Crm, seen: Seen) -> Raw:
        crm.one(seen.body[0])
        return LOST

    crm = Crm(server, half)
    assert impartner(server).patch_accounts(rows(1, 2, 3), same=same_value) == done(1, 2, 3)
    assert crm.patches == [[1, 2, 3], [2, 3]]


def test_a_write_that_is_lost_every_time_ends_as_unknown(server: ScriptedServer) -> None:
    crm = Crm(server, *[not_applied_and(LOST)] * 9)
    results = impartner(server).patch_accounts(rows(1), same=same_value)
    assert [result.ok for result in results] == [False]
    assert "not known whether this was applied" in (results[0].error or "")
    assert len(crm.patches) == 3


def test_results_that_name_other_records_than_their_place_are_believed_by_name(server: ScriptedServer) -> None:
    def shuffled(crm: Crm, seen: Seen) -> Reply:
        results = [crm.one(row) for row in seen.body]
        results[1] = {"success": False, "data": {"id": 2}, "errors": [{"code": "Locked"}]}
        return Reply({"success": False, "results": results[::-1]})

    crm = Crm(server, shuffled)
    results = impartner(server).patch_accounts(rows(1, 2, 3), same=same_value)
    assert [result.ok for result in results] == [True, False, True]
    assert len(crm.patches) == 1


def test_throttled_writes_are_repeated_since_nothing_was_applied(server: ScriptedServer) -> None:
    crm = Crm(server, not_applied_and(Reply({}, 429)))
    assert impartner(server).patch_accounts(rows(1), same=same_value) == done(1)
    assert (len(crm.patches), crm.reads) == (2, 0)


def test_writes_that_stay_throttled_are_an_error(server: ScriptedServer) -> None:
    Crm(server, *[not_applied_and(Reply({}, 429))] * 9)
    with pytest.raises(Throttled):
        impartner(server).patch_accounts(rows(1), same=same_value)


@pytest.mark.parametrize(
    "answer", [Reply({}, 401), Reply({}, 403), Reply({"success": False, "message": "Unauthorized"})]
)
def test_a_wrong_key_is_an_error_and_no_result(server: ScriptedServer, answer: Reply) -> None:
    Crm(server, *[not_applied_and(answer)] * 9)
    with pytest.raises(AuthenticationFailed):
        impartner(server).patch_accounts(rows(1), same=same_value)


def test_a_refused_batch_is_refused_for_each_record(server: ScriptedServer) -> None:
    crm = Crm(server, not_applied_and(Reply({"success": False, "message": "Bad field"}, 400)))
    results = impartner(server).patch_accounts(rows(1, 2), same=same_value)
    assert [result.ok for result in results] == [False, False]
    assert "Bad field" in (results[0].error or "")
    assert len(crm.patches) == 1


def test_the_reason_of_a_batch_refused_without_results_is_kept(server: ScriptedServer) -> None:
    crm = Crm(server, *[not_applied_and(Reply({"success": False, "message": "Bad field"}))] * 9)
    results = impartner(server).patch_accounts(rows(1), same=same_value)
    assert "Bad field" in (results[0].error or "")
    assert len(crm.patches) == 3


def test_an_unreachable_vendor_is_an_error_before_anything_was_sent() -> None:
    with scripted_server() as server:
        client = impartner(server)
    with pytest.raises(VendorUnavailable):
        client.patch_accounts(rows(1), same=same_value)
    assert client.http.calls == 0


def test_no_rows_need_no_call(server: ScriptedServer) -> None:
    assert impartner(server).patch_accounts([], same=same_value) == []
    assert server.seen == []


@pytest.mark.parametrize(
    "bad",
    [rows(*range(1, 52)), rows(1, 1), [{FIELD: 1}], [{"Id": "1", FIELD: 1}], [{"Id": 1}]],
    ids=["51", "twice", "no id", "text id", "nothing to change"],
)
def test_a_batch_that_cannot_be_sent_is_refused_before_anything_is(
    server: ScriptedServer, bad: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValueError):
        impartner(server).patch_accounts(bad, same=same_value)
    assert server.seen == []


def test_members_are_removed_in_one_call(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply(status=204)
    results = northpass(server).remove_members("g1", ["p1", "p2"])
    assert results == [RemovalResult("p1", Removal.REMOVED), RemovalResult("p2", Removal.REMOVED)]
    assert (server.seen[0].method, server.seen[0].path) == ("DELETE", "/v2/groups/g1/relationships/people")
    assert server.seen[0].body == {"data": [{"type": "people", "id": "p1"}, {"type": "people", "id": "p2"}]}


def test_a_removal_whose_answer_was_lost_is_sent_again(server: ScriptedServer) -> None:
    server.answer = lambda seen: LOST if seen.number == 1 else Reply(b"")
    assert northpass(server).remove_members("g1", ["p1"]) == [RemovalResult("p1", Removal.REMOVED)]


def test_people_of_a_group_that_is_gone_are_reported_as_such(server: ScriptedServer) -> None:
    server.answer = lambda seen: gone()
    assert northpass(server).remove_members("g1", ["p1"]) == [RemovalResult("p1", Removal.GROUP_GONE)]


def test_one_person_that_is_gone_does_not_keep_the_others_in(server: ScriptedServer) -> None:
    def answer(seen: Seen) -> Reply:
        if seen.method == "GET":
            return Reply({"data": resource("g1")})
        return gone() if "p2" in [item["id"] for item in seen.body["data"]] else Reply(status=204)

    server.answer = answer
    outcomes = [result.outcome for result in northpass(server).remove_members("g1", ["p1", "p2", "p3"])]
    assert outcomes == [Removal.REMOVED, Removal.ABSENT, Removal.REMOVED]


def test_a_refused_removal_is_an_error(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"errors": [{"title": "No permission for this group"}]}, 422)
    with pytest.raises(RequestRejected, match="No permission"):
        northpass(server).remove_members("g1", ["p1"])


def test_more_than_fifty_people_are_not_removed_in_one_call(server: ScriptedServer) -> None:
    with pytest.raises(ValueError, match="50"):
        northpass(server).remove_members("g1", [str(number) for number in range(51)])
