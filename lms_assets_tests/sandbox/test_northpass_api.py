"""The Northpass side over real HTTP, called with plain requests."""

from __future__ import annotations

import pytest
import requests

from lms_assets.sandbox import running_sandbox
from lms_assets_tests.sandbox.callers import Caller, settings


def _error(answer: requests.Response) -> dict:
    return answer.json()["errors"][0]


def test_without_the_right_key_every_endpoint_answers_401(reader):
    for headers in ({}, {"X-Api-Key": "wrong"}):
        answer = requests.get(reader.handle.northpass_url + "/people", headers=headers, timeout=10)
        assert answer.status_code == 401
        assert _error(answer)["status"] == "401"


@pytest.mark.parametrize(
    ("path", "kind", "collection"),
    [
        ("/courses", "courses", "courses"),
        ("/properties/courses", "course_properties", "course_properties"),
        ("/people", "people", "people"),
        ("/groups", "groups", "groups"),
    ],
)
def test_a_listing_gives_every_row_once_and_ends_without_a_next_link(reader, path, kind, collection):
    pages = reader.pages(path)
    found = [row["id"] for page in pages for row in page["data"]]
    assert found == list(getattr(reader.vendor_state, collection))
    assert {row["type"] for page in pages for row in page["data"]} == {kind}
    assert [("next" in page["links"]) for page in pages] == [True] * (len(pages) - 1) + [False]


def test_next_links_are_absolute_on_the_host_that_was_asked_and_keep_filters(reader):
    url = reader.handle.northpass_url.replace("127.0.0.1", "localhost")
    page = reader.northpass(f"{url}/people?limit=2&filter[disabled]=false").json()
    assert page["links"]["next"].startswith(f"{url}/people?")
    second = reader.northpass(page["links"]["next"]).json()["data"]
    assert len(second) == 2
    assert not any(person["attributes"]["disabled"] for person in second)


@pytest.mark.parametrize(("path", "most"), [("/people", 100), ("/webhooks", 50)])
def test_a_page_has_at_most_the_vendors_number_of_rows(caller, path, most):
    person, course = next(iter(caller.vendor_state.people)), caller.case("npcu_text")
    for _ in range(60):
        caller.handle.mutate("complete_course", person=person, course=course)
    page = caller.northpass(f"{path}?limit=1000").json()
    assert len(page["data"]) == most
    assert f"limit={most}" in page["links"]["next"]


def test_pages_beyond_the_end_are_empty_and_nonsense_pages_refused(reader):
    assert reader.northpass("/people?page=9999").json()["data"] == []
    for nonsense in ("page=0", "page=x", "limit=-1"):
        assert reader.northpass(f"/people?{nonsense}").status_code == 422


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("filter[disabled]=true", lambda row: row.disabled),
        ("filter[disabled][not_eq]=true", lambda row: not row.disabled),
        ("filter[first_name][eq]=Ada", lambda row: row.first_name == "Ada"),
        ("filter[email][cont]=GABLEWORKS", lambda row: "gableworks" in (row.email or "").lower()),
        ("filter[email][not_cont]=example", lambda row: "example" not in (row.email or "").lower()),
        ("filter[updated_at][gteq]=2026-03-20T00:00:00Z", lambda row: row.updated_at >= "2026-03-20T00:00:00Z"),
        ("filter[updated_at][lt]=2026-03-20T02:00:00%2B02:00", lambda row: row.updated_at < "2026-03-20T00:00:00Z"),
        ("filter[last_active_at][gt]=2026-03-01", lambda row: (row.last_active_at or "") > "2026-03-01T00:00:00Z"),
        ("filter[created_at][lteq]=2024-01-01T00:00:00Z", lambda row: row.created_at <= "2024-01-01T00:00:00Z"),
        ("filter[first_name][in]=Ada,Bruno", lambda row: row.first_name in ("Ada", "Bruno")),
        (
            "filter[disabled]=true&filter[created_at][gt]=2024-01-01T00:00:00Z",
            lambda row: row.disabled and row.created_at > "2024-01-01T00:00:00Z",
        ),
    ],
)
def test_filters_give_exactly_the_rows_that_pass(reader, query, passes):
    wanted = [row.id for row in reader.vendor_state.people.values() if passes(row)]
    assert wanted, "a filter that passes nothing shows nothing"
    assert reader.ids(f"/people?{query}") == wanted


def test_numbers_are_filtered_as_numbers(reader):
    for group in reader.rows("/groups?filter[user_count][gt]=9"):
        assert group["attributes"]["user_count"] > 9


@pytest.mark.parametrize(
    "query", ["filter[nonsense]=1", "filter[email][like]=1", "filter=1", "filter[user_count][gt]=many"]
)
def test_filters_that_cannot_be_meant_are_422_with_the_parameter_named(reader, query):
    answer = reader.northpass(f"/groups?{query}")
    assert answer.status_code == 422
    assert _error(answer)["title"] == "Invalid filter"


def test_one_person_or_group_is_found_by_id_and_404_when_there_is_none(reader):
    for path, rows in (("/people", reader.vendor_state.people), ("/groups", reader.vendor_state.groups)):
        for row_id in list(rows)[:3]:
            assert reader.northpass(f"{path}/{row_id}").json()["data"]["id"] == row_id
        assert reader.northpass(f"{path}/00000000-0000-4000-8000-000000000000").status_code == 404


def test_properties_by_id_are_forbidden_for_some_courses_and_known_for_archived_ones(reader):
    assert reader.northpass(f"/properties/courses/{reader.case('course_forbidden')}").status_code == 403
    archived = reader.case("certification_archived")
    answer = reader.northpass(f"/properties/courses/{archived}").json()["data"]
    assert answer["attributes"]["properties"]["npcu"] == 2
    assert archived not in reader.ids("/courses")


def test_memberships_come_up_to_500_on_a_page(caller):
    group = caller.case("group_empty_answers_404")
    for person in list(caller.vendor_state.people)[:101]:
        caller.handle.mutate("add_member", group=group, person=person)
    assert len(caller.northpass(f"/groups/{group}/memberships?limit=500").json()["data"]) == 101
    assert "limit=500" in caller.northpass(f"/groups/{group}/memberships?limit=1000").json()["links"]["self"]


@pytest.mark.parametrize("path", ["/people", "/groups", "/courses"])
def test_a_resources_link_to_itself_is_an_object(reader, path):
    row = reader.northpass(f"{path}?limit=1").json()["data"][0]
    assert row["links"]["self"]["href"] == f"/v2{path}/{row['id']}"


def test_memberships_name_the_member_in_their_relationships(reader):
    group, first, second = reader.case("members_gone")
    rows = reader.rows(f"/groups/{group}/memberships")
    members = {row["relationships"]["person"]["data"]["id"] for row in rows}
    assert members == set(reader.vendor_state.memberships[group])
    assert {first, second} < members
    assert not members & {row["id"] for row in rows}


def test_an_empty_group_answers_404_or_an_empty_list_as_the_group_has_it(reader):
    silent, polite = reader.case("group_empty_answers_404"), reader.case("group_empty_answers_list")
    assert reader.northpass(f"/groups/{silent}/memberships").status_code == 404
    assert reader.northpass(f"/groups/{polite}/memberships").json()["data"] == []


@pytest.mark.parametrize(("setting", "status"), [("404", 404), ("list", 200)])
def test_empty_lists_can_be_set_to_answer_one_way(setting, status):
    with running_sandbox(settings(empty_memberships=setting, empty_transcripts=setting)) as handle:
        caller = Caller(handle)
        for case in ("group_empty_answers_404", "group_empty_answers_list"):
            assert caller.northpass(f"/groups/{caller.case(case)}/memberships").status_code == status
        assert caller.northpass(f"/transcripts/{caller.case('transcript_empty')}").status_code == status


def test_user_count_is_the_number_of_members_but_for_the_group_that_is_off_by_one(reader):
    odd = reader.case("group_count_off_by_one")
    for row in reader.rows("/groups"):
        members = len(reader.vendor_state.memberships[row["id"]])
        assert row["attributes"]["user_count"] == members + (1 if row["id"] == odd else 0)


def test_transcripts_are_paged_and_of_a_gone_person_404(reader):
    assert len(reader.rows(f"/transcripts/{reader.case('many_transcripts')}")) == 130
    assert reader.northpass(f"/transcripts/{reader.case('members_gone')[1]}").status_code == 404


def test_an_expiry_stands_under_the_name_of_its_row_and_is_missing_without_one(reader):
    def attributes(case):
        return reader.rows(f"/transcripts/{reader.case(case)}")[0]["attributes"]

    assert "expires_at" in attributes("expiry_at_now")
    assert "expiry_date" in attributes("expiry_other_name")
    assert "expires_at" not in attributes("expiry_other_name")
    assert not {"expires_at", "expiry_date"} & set(attributes("expiry_missing"))


def test_transcripts_can_be_filtered_to_completed_courses(reader):
    person = reader.case("learning_path")
    query = "filter[resource_type][eq]=course&filter[progress_status][eq]=completed"
    assert len(reader.rows(f"/transcripts/{person}")) == 2
    (row,) = reader.rows(f"/transcripts/{person}?{query}")
    assert row["attributes"]["resource_type"] == "course"


def test_attributes_that_are_empty_are_missing_for_some_people_and_null_for_others(reader):
    undated = [row["attributes"] for row in reader.rows("/people") if not row["attributes"].get("deactivated_at")]
    assert {"deactivated_at" in attributes for attributes in undated} == {True, False}


def test_course_enrollments_tell_neither_completion_nor_expiry(reader):
    course = reader.case("certification_two_patterns")
    (row,) = reader.rows(f"/courses/{course}/enrollments")
    assert set(row["attributes"]) == {"person_id", "course_id", "progress", "enrolled_at"}


def test_the_webhook_log_repeats_events_for_each_endpoint_and_filters_by_type(reader):
    rows = reader.rows("/webhooks?limit=50&filter[type][in]=course_completed_events,something_else")
    assert {row["attributes"]["type"] for row in rows} == {"course_completed_events"}
    events = [row["attributes"]["payload"]["data"]["id"] for row in rows]
    assert len(set(events)) < len(events)
    assert len({row["id"] for row in rows}) == len(rows)
    times = [row["attributes"]["created_at"] for row in rows]
    assert times == sorted(times, reverse=True)


def test_members_are_removed_and_strangers_passed_over(caller):
    group, person, _ = caller.case("person_two_groups_of_one_partner")[1], *caller.case("person_two_partners")[:2]
    body = {"data": [{"type": "people", "id": person}, {"type": "people", "id": "nobody"}]}
    before = caller.northpass(f"/groups/{group}").json()["data"]["attributes"]["user_count"]
    assert caller.northpass(f"/groups/{group}/relationships/people", "DELETE", json=body).status_code == 204
    assert caller.northpass(f"/groups/{group}").json()["data"]["attributes"]["user_count"] == before - 1
    members = {row["relationships"]["person"]["data"]["id"] for row in caller.rows(f"/groups/{group}/memberships")}
    assert person not in members


@pytest.mark.parametrize("body", [None, [], {"data": [{"id": "x"}]}, {"data": [{"type": "people", "id": "x"}] * 101}])
def test_a_removal_that_is_not_understood_removes_nobody(caller, body):
    group = caller.case("group_all_partners")
    answer = caller.northpass(f"/groups/{group}/relationships/people", "DELETE", json=body)
    assert answer.status_code == 422
    assert len(caller.rows(f"/groups/{group}/memberships")) == len(caller.vendor_state.memberships[group])


def test_a_deleted_group_is_gone_and_deleting_it_again_is_404(caller):
    group = caller.case("group_count_off_by_one")
    assert caller.northpass(f"/groups/{group}", "DELETE").status_code == 204
    assert caller.northpass(f"/groups/{group}", "DELETE").status_code == 404
    assert caller.northpass(f"/groups/{group}/memberships").status_code == 404
    assert group not in caller.ids("/groups")


def test_what_the_vendor_does_not_have_is_404_in_its_own_shape(reader):
    for method, path in (("GET", "/nothing"), ("POST", "/people"), ("GET", "/courses/1/2/3")):
        answer = reader.northpass(path, method)
        assert answer.status_code == 404
        assert _error(answer)["status"] == "404"


def test_above_the_limit_calls_are_429_and_counted():
    with running_sandbox(settings(northpass_rps=3, retry_after="always")) as handle:
        caller = Caller(handle)
        answers = [caller.northpass("/groups?limit=1") for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        assert refused
        assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
        stats = handle.stats()["northpass"]
        assert stats["throttled"] == stats["by_status"]["429"] == len(refused)
        assert 3 < stats["most_in_one_second"] <= 8
        assert caller.impartner("/Region").status_code == 200


def test_retry_after_comes_with_some_429_only_unless_set():
    for setting, some in (("sometimes", {True, False}), ("never", {False})):
        with running_sandbox(settings(northpass_rps=1, retry_after=setting)) as handle:
            caller = Caller(handle)
            answers = [caller.northpass("/groups?limit=1") for _ in range(6)]
            assert {"Retry-After" in each.headers for each in answers if each.status_code == 429} == some
