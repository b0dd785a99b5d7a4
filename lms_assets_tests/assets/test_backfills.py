"""Which weeks a run reads, whose transcripts for them, and what it then calls done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.run_tags import RANGE_END, RANGE_START
from lms_assets.warehouse.schema.tables import lms_enrollments
from lms_assets_tests.assets.test_resumed_chains import LEFT, somebody
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness, ChainResult

WEEK = timedelta(days=7)


def monday(harness: ChainHarness, weeks_ago: int) -> str:
    """The partition's key so many weeks before the running one."""
    today = harness.now.date()
    return (today - timedelta(days=today.weekday() + 7 * weeks_ago)).isoformat()


def partner_users(harness: ChainHarness) -> set[str]:
    """Everybody who counts for a partner."""
    with harness.warehouse.read() as connection:
        return current_partner_users(connection)


def asked(harness: ChainHarness) -> set[str]:
    """Whose transcripts were read since the counters were set back."""
    return {call["path"].rpartition("/")[2] for call in harness.sandbox.calls() if "/transcripts/" in call["path"]}


def lose_an_enrollment_of(harness: ChainHarness, people: set[str]) -> str:
    """Take an enrollment out of the portal that the LMS still has; gives its id."""
    lost = next(row["id"] for row in harness.rows("lms_enrollments") if row["user_id"] in people)
    with harness.warehouse.transaction() as connection:
        connection.execute(delete(lms_enrollments).where(lms_enrollments.c.id == lost))
    return str(lost)


def test_one_past_week_is_read_again_for_everybody(synced: ChainHarness) -> None:
    """Nothing that the LMS lists of people shows who gained or lost a completion in it."""
    week = monday(synced, 30)
    lost = lose_an_enrollment_of(synced, partner_users(synced))
    synced.sandbox.reset_stats()
    result = synced.run("enrollments_incremental", partition=week)
    assert result.success, result.errors
    assert result.metadata["enrollments"]["weeks"] == 1
    assert asked(synced) >= partner_users(synced)
    assert lost in {row["id"] for row in synced.rows("lms_enrollments")}


def test_a_range_of_past_weeks_is_one_run(synced: ChainHarness) -> None:
    first, last = monday(synced, 30), monday(synced, 27)
    synced.sandbox.reset_stats()
    result = synced.run("enrollments_incremental", tags={RANGE_START: first, RANGE_END: last})
    assert result.success, result.errors
    assert result.metadata["enrollments"]["weeks"] == 4
    assert asked(synced) >= partner_users(synced)
    weeks = {row["week_start"].isoformat(): row for row in synced.rows("enrollment_weeks")}
    assert {weeks[monday(synced, each)]["all_read_at"] for each in (27, 28, 29, 30)} == {synced.now}
    assert weeks[monday(synced, 26)]["all_read_at"] < synced.now


def revoked(harness: ChainHarness, days_ago: int) -> str:
    """A completion that the LMS takes back without any sign on its person; gives the enrollment's id."""
    late = harness.now - timedelta(days=days_ago)
    done = [row for row in harness.rows("lms_enrollments") if row["completed_at"] and row["completed_at"] <= late]
    row = max(done, key=lambda each: (each["completed_at"], each["id"]))
    harness.sandbox.mutate("remove_transcript", transcript=row["id"])
    assert row["completed_at"] > harness.now - timedelta(days=50)
    return str(row["id"])


@pytest.mark.parametrize("days", [50, 400])
def test_the_last_days_find_a_completion_that_was_taken_back(synced: ChainHarness, days: int) -> None:
    gone = revoked(synced, days_ago=35)
    before = synced.rows("enrollment_weeks")
    result = synced.run("enrollments_incremental", days=days)
    assert result.success, result.errors
    assert gone not in {row["id"] for row in synced.rows("lms_enrollments")}
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []
    assert sum(row["completions"] for row in synced.rows("enrollment_weeks")) == (
        sum(row["completions"] for row in before) - 1
    )


def test_the_timetable_s_run_reads_who_is_due_and_calls_no_week_done(synced: ChainHarness) -> None:
    before = {row["week_start"]: row for row in synced.rows("enrollment_weeks")}
    assert {row["all_read_at"] for row in before.values()} == {synced.now - timedelta(hours=4)}
    assert {row["people_read"] for row in before.values()} == {len(partner_users(synced))}
    synced.sandbox.reset_stats()
    result = synced.run("enrollments_incremental")
    assert not asked(synced)
    shown = result.metadata["enrollments"]
    assert (shown["people_read"], shown["rows_read"], shown["everybody_was_read"]) == (0, 0, False)
    after = {row["week_start"]: row for row in synced.rows("enrollment_weeks")}
    figures = ("people_read", "completions", "enrollment_rows", "all_read_at")
    assert [[row[name] for name in figures] for row in after.values()] == [
        [row[name] for name in figures] for row in before.values()
    ]


def test_a_full_read_over_three_nights_reads_everybody_once_and_who_changed_at_once(synced: ChainHarness) -> None:
    everybody, gone = partner_users(synced), revoked(synced, days_ago=35)
    over_nights, turns = {"LMS_FULL_READ_NIGHTS": "3"}, []
    person, course, _ = somebody(synced, everybody)
    for night in range(3):
        synced.advance(hours=20)
        synced.sandbox.mutate("complete_course", person=person, course=course) if not night else None
        synced.advance(hours=4)
        synced.sandbox.reset_stats()
        # The whole chain in between: two days without one are too long to count on.
        chain = synced.run(assets=() if night == 1 else LEFT, **over_nights)
        assert chain.success, chain.errors
        assert "people_were_read_recently" not in chain.red
        assert not chain.metadata["enrollments"]["everybody_was_read"]
        turns.append(asked(synced))
        found = gone not in {row["id"] for row in synced.rows("lms_enrollments")}
        assert found == (differences(synced) == []), "what shows on nobody is all that may wait for its turn"
    assert person in turns[0]
    assert set.union(*turns) >= everybody
    assert sum(map(len, turns)) <= len(everybody) + 1
    assert max(map(len, turns)) < 0.6 * len(everybody)
    assert differences(synced) == []


def test_the_rows_shown_are_the_tables_and_each_week_has_its_own_figures(synced: ChainHarness) -> None:
    result = synced.run("enrollments_incremental", days=400)
    stored = synced.rows("lms_enrollments")
    shown = weeks_shown(result)
    assert len(shown) > 50
    for week, metadata in shown.items():
        assert metadata["dagster/row_count"] == len(stored)
        begin = datetime.fromisoformat(week).replace(tzinfo=UTC)
        own = [each for each in stored if each["completed_at"] and begin <= each["completed_at"] < begin + WEEK]
        assert metadata["completions_of_week"] == len(own), week
    assert len({each["completions_of_week"] for each in shown.values()}) > 1


def weeks_shown(result: ChainResult) -> dict[str, dict[str, Any]]:
    """What the UI shows of each week of this run."""
    found = {}
    for event in result.events:
        if event.event_type_value == "ASSET_MATERIALIZATION" and event.step_key == "enrollments":
            made = event.step_materialization_data.materialization
            found[made.partition] = {name: value.value for name, value in made.metadata.items()}
    return found


@pytest.mark.parametrize("fault", ["server_error", "wrong_type"])
def test_who_could_not_be_read_is_read_by_the_next_incremental(synced: ChainHarness, fault: str) -> None:
    """Not at all, or in part; the list of people does not show them a second time."""
    person, course = a_certification_to_come(synced)
    synced.sandbox.mutate("complete_course", person=person, course=course)
    options = {"field": "attributes.completed_at", "value": "yesterday"} if fault == "wrong_type" else {}
    number = synced.sandbox.faults.add(fault, f"GET /transcripts/{person}", **options)
    failed = synced.run("enrollments_incremental")
    assert failed.success, failed.errors
    assert due(synced) == {person}
    assert differences(synced)
    synced.sandbox.faults.remove(number)
    synced.advance(hours=4)
    synced.sandbox.reset_stats()
    assert synced.run("enrollments_incremental").success
    assert asked(synced) == {person}
    assert due(synced) == set()
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []


def test_who_could_not_be_read_by_the_full_chain_is_read_by_the_next_incremental(synced: ChainHarness) -> None:
    person = sorted(partner_users(synced))[0]
    number = synced.sandbox.faults.add("server_error", f"GET /transcripts/{person}")
    assert synced.run("daily_full", assets=("enrollments",)).success
    weeks = synced.rows("enrollment_weeks")
    assert all(row["all_read_at"] < synced.now for row in weeks), "no week is done without that person"
    synced.sandbox.faults.remove(number)
    synced.advance(hours=4)
    synced.sandbox.reset_stats()
    assert synced.run("enrollments_incremental").success
    assert asked(synced) == {person}


def a_certification_to_come(harness: ChainHarness) -> tuple[str, str]:
    """Somebody who counts, with a live certification that the person never began."""
    stored = harness.rows("lms_enrollments")
    person = next(row["user_id"] for row in stored if row["completed_at"] and row["user_id"] in partner_users(harness))
    taken = {row["course_id"] for row in stored if row["user_id"] == person}
    live = [row["id"] for row in harness.rows("lms_courses") if row["npcu_value"] and row["status"] == "live"]
    return str(person), str(next(each for each in live if each not in taken))


def due(harness: ChainHarness) -> set[str]:
    """Whose transcript has to be read again, as the last reading did not complete."""
    return {row["id"] for row in harness.rows("lms_users") if row["transcript_due_since"]}
