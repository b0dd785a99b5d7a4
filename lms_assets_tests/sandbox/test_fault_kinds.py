"""Each fault as a plain client sees it, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
import requests

from lms_assets.sandbox.faults.kinds import KINDS
from lms_assets_tests.sandbox.callers import NOW_TEXT, Caller

Check = Callable[[Caller], None]
CHECKS: dict[str, Check] = {}


def shows(kind: str) -> Callable[[Check], Check]:
    """Registers what shows a kind of fault; exactly one for each kind."""

    def register(check: Check) -> Check:
        assert kind not in CHECKS
        CHECKS[kind] = check
        return check

    return register


def test_every_kind_of_fault_is_shown_here():
    assert set(CHECKS) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_fault_does_what_the_catalogue_says(caller, kind):
    CHECKS[kind](caller)
    assert any(rule["kind"] == kind and rule["hits"] for rule in caller.control("/faults")["rules"])


@shows("throttle")
def _(caller):
    caller.handle.faults.add("throttle", "GET /people", retry_after=7)
    answer = caller.northpass("/people")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert caller.handle.stats()["northpass"]["throttled"] == 0


@shows("server_error")
def _(caller):
    for status in (500, 502, 503):
        number = caller.handle.faults.add("server_error", "impartner *", status=status)
        assert caller.impartner("/Account").status_code == status
        if status != 503:
            caller.handle.faults.remove(number)


@shows("unauthorized")
def _(caller):
    caller.handle.faults.add("unauthorized", "GET /people", after=1)
    assert [caller.northpass("/people").status_code for _ in range(2)] == [200, 401]


@shows("forbidden")
def _(caller):
    caller.handle.faults.add("forbidden", "GET /groups")
    assert caller.northpass("/groups").status_code == 403


@shows("not_found")
def _(caller):
    person = next(iter(caller.vendor_state.people))
    caller.handle.faults.add("not_found", "GET /people/{id}")
    assert caller.northpass(f"/people/{person}").status_code == 404


@shows("redirect")
def _(caller):
    caller.handle.faults.add("redirect", "GET /people", to="http://other.example.org/v2/people")
    answer = caller.northpass("/people")
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://other.example.org/v2/people")


@shows("slow")
def _(caller):
    caller.handle.faults.add("slow", "GET /groups", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        requests.get(
            caller.handle.northpass_url + "/groups",
            headers={"X-Api-Key": caller.handle.sandbox.config.northpass_key},
            timeout=0.2,
        )


@shows("reset_before_status")
def _(caller):
    caller.handle.faults.add("reset_before_status", "PATCH /Account")
    with pytest.raises(requests.ConnectionError):
        caller.impartner("/Account", "PATCH", json=[{"Id": 1001, "Total_NPCU__cf": 9}])
    assert caller.vendor_state.accounts[1001].total_npcu is None


@shows("reset_in_body")
def _(caller):
    caller.handle.faults.add("reset_in_body", "GET /people")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        caller.northpass("/people")


@shows("truncated_json")
def _(caller):
    caller.handle.faults.add("truncated_json", "GET /people")
    answer = caller.northpass("/people")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@shows("html_page")
def _(caller):
    caller.handle.faults.add("html_page", "*")
    for answer in (caller.northpass("/people"), caller.impartner("/Lead")):
        assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, "text/html")


@shows("wrong_content_type")
def _(caller):
    caller.handle.faults.add("wrong_content_type", "GET /people")
    answer = caller.northpass("/people")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.json()["data"]


@shows("gzip_error")
def _(caller):
    caller.handle.faults.add("gzip_error", "GET /people")
    with pytest.raises(requests.exceptions.ContentDecodingError):
        caller.northpass("/people")


@shows("empty_body")
def _(caller):
    caller.handle.faults.add("empty_body", "GET /people")
    answer = caller.northpass("/people")
    assert (answer.status_code, answer.content) == (200, b"")


@shows("duplicate_page")
def _(caller):
    caller.handle.faults.add("duplicate_page", "GET /people", first=1)
    first, second, third, *_ = caller.pages("/people")
    everyone = list(caller.vendor_state.people)
    assert [row["id"] for row in second["data"]] == [row["id"] for row in first["data"]] == everyone[:100]
    assert [row["id"] for row in third["data"]] == everyone[200:300]


@shows("page_drift_removed")
def _(caller):
    caller.handle.faults.add("page_drift_removed", "*")
    everyone = list(caller.vendor_state.people)
    assert caller.ids("/people") == everyone[:100] + everyone[101:]
    contacts = sorted(caller.vendor_state.users)
    data = caller.impartner("/User", fields="Id", orderby="Id", skip=100, take=100).json()["data"]
    assert (data["count"], data["results"][0]["id"]) == (len(contacts) - 1, contacts[101])


@shows("page_drift_added")
def _(caller):
    caller.handle.faults.add("page_drift_added", "*")
    found, everyone = caller.ids("/people"), list(caller.vendor_state.people)
    assert found == everyone[:100] + everyone[99:]
    data = caller.impartner("/User", fields="Id", orderby="Id", skip=100, take=100).json()["data"]
    assert data["count"] == len(caller.vendor_state.users) + 1


@pytest.mark.parametrize("kind", ["page_drift_added", "page_drift_removed"])
def test_drift_can_happen_under_an_unchanged_count(caller, kind):
    caller.handle.faults.add(kind, "GET /User", count="full")
    data = caller.impartner("/User", fields="Id", orderby="Id", skip=100, take=100).json()["data"]
    assert data["count"] == len(caller.vendor_state.users)
    assert data["results"][0]["id"] != sorted(caller.vendor_state.users)[100]


@shows("ignored_filter")
def _(caller):
    caller.handle.faults.add("ignored_filter", "*")
    assert len(caller.ids("/people?filter[updated_at][gteq]=2099-01-01T00:00:00Z")) == len(caller.vendor_state.people)
    data = caller.impartner("/Lead", fields="Id", filter="PartnerAccountId != null").json()["data"]
    assert data["count"] == len(caller.vendor_state.leads)


@shows("cut_short")
def _(caller):
    caller.handle.faults.add("cut_short", "GET /people", keep=130)
    assert caller.ids("/people") == list(caller.vendor_state.people)[:130]
    for count, told in (("cut", 7), ("full", len(caller.vendor_state.accounts))):
        number = caller.handle.faults.add("cut_short", "GET /Account", keep=7, count=count)
        data = caller.impartner("/Account", fields="Id", orderby="Id", take=100).json()["data"]
        assert (len(data["results"]), data["count"]) == (7, told)
        caller.handle.faults.remove(number)


@shows("empty_is_404")
def _(caller):
    caller.handle.faults.add("empty_is_404", "*")
    assert caller.northpass(f"/groups/{caller.case('group_empty_answers_list')}/memberships").status_code == 404
    assert caller.impartner("/Account", filter="Id = -1").status_code == 404
    assert caller.northpass("/people").status_code == 200


@shows("empty_is_list")
def _(caller):
    caller.handle.faults.add("empty_is_list", "*")
    answer = caller.northpass(f"/groups/{caller.case('group_empty_answers_404')}/memberships")
    assert answer.json()["data"] == []


@shows("off_host_next")
def _(caller):
    caller.handle.faults.add("off_host_next", "GET /people", host="evil.example.org:444")
    following = caller.northpass("/people?limit=10").json()["links"]["next"]
    assert urlsplit(following).netloc == "evil.example.org:444"


@shows("endless_next")
def _(caller):
    caller.handle.faults.add("endless_next", "GET /groups")
    pages = caller.pages("/groups", at_most=5)
    assert len(pages) == 5
    assert len({page["links"]["next"] for page in pages}) == 1


@shows("answer_lost")
def _(caller):
    caller.handle.faults.add("answer_lost", "PATCH /Account")
    with pytest.raises(requests.ConnectionError):
        caller.impartner("/Account", "PATCH", json=[{"Id": 1001, "Total_NPCU__cf": 9}])
    assert caller.vendor_state.accounts[1001].total_npcu == 9


@shows("patch_records_fail")
def _(caller):
    caller.handle.faults.add("patch_records_fail", ids=[1002])
    records = [{"Id": number, "Total_NPCU__cf": 9} for number in (1001, 1002, 1003)]
    answer = caller.impartner("/Account", "PATCH", json=records).json()
    assert [result["success"] for result in answer["results"]] == [True, False, True]
    caller.handle.faults.reset()
    caller.handle.faults.add("patch_records_fail", share=1.0)
    assert not any(row["success"] for row in caller.impartner("/Account", "PATCH", json=records).json()["results"])


@shows("patch_not_applied")
def _(caller):
    caller.handle.faults.add("patch_not_applied")
    answer = caller.impartner("/Account", "PATCH", json=[{"Id": 1001, "Total_NPCU__cf": 9}]).json()
    assert answer["success"] is True
    assert caller.vendor_state.accounts[1001].total_npcu is None


@shows("clock_skew")
def _(caller):
    person = next(iter(caller.vendor_state.people.values()))
    caller.handle.mutate("touch_person", person=person.id)
    caller.handle.faults.add("clock_skew", "*", seconds=-7200)
    answer = caller.northpass(f"/people/{person.id}")
    assert person.updated_at == NOW_TEXT
    assert answer.json()["data"]["attributes"]["updated_at"] == "2026-03-31T08:00:00Z"
    behind = datetime.now(UTC) - parsedate_to_datetime(answer.headers["Date"])
    assert 7100 < behind.total_seconds() < 7300


@shows("big_record")
def _(caller):
    caller.handle.faults.add("big_record", "GET /groups")
    answer = caller.northpass("/groups?limit=2")
    assert len(answer.content) > 5_000_000
    assert len(answer.json()["data"]) == 2


@shows("null_field")
def _(caller):
    caller.handle.faults.add("null_field", "GET /people", field="created_at", row=1)
    first, second = caller.northpass("/people?limit=2").json()["data"]
    assert first["attributes"]["created_at"]
    assert second["attributes"]["created_at"] is None
    caller.handle.faults.add("null_field", "GET /Account", field="Partner_Tier__cf")
    assert caller.records("Account", fields="Name,Partner_Tier__cf")[0]["partner_Tier__cf"] is None


@shows("wrong_type")
def _(caller):
    group = caller.case("group_all_partners")
    path = "relationships.person.data.id"
    caller.handle.faults.add("wrong_type", "GET /groups/*/memberships", field=path, value=17)
    row = caller.northpass(f"/groups/{group}/memberships").json()["data"][0]
    assert row["relationships"]["person"]["data"]["id"] == 17
    caller.handle.faults.add("wrong_type", "GET /properties/courses", field="properties.npcu")
    row = caller.northpass("/properties/courses").json()["data"][0]
    assert isinstance(row["attributes"]["properties"]["npcu"], dict)


@shows("missing_field")
def _(caller):
    caller.handle.faults.add("missing_field", "GET /people")
    assert "id" not in caller.northpass("/people").json()["data"][0]


@shows("mutate")
def _(caller):
    first = next(iter(caller.vendor_state.people))
    arguments = {"person": first}
    caller.handle.faults.add("mutate", "GET /people", after=1, first=1, action="delete_person", arguments=arguments)
    everyone = list(caller.vendor_state.people)
    assert caller.ids("/people") == everyone[:100] + everyone[101:]
