"""The push after a sync, and the webhook log: nothing missed, nothing twice, nothing on bad data."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from lms_assets.automation.sensors import (
    chains_without_process_sensor,
    completed_courses_sensor,
    push_after_enrollments_sensor,
)
from lms_assets.run_tags import PEOPLE_TAG
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness


def learners(harness: DaemonHarness, count: int) -> list[str]:
    """Partner people with a completed enrollment."""
    found = {row["user_id"] for row in harness.rows("lms_enrollments") if row["status"] == "completed"}
    return sorted(found)[:count]


def live_certification(harness: DaemonHarness) -> str:
    return next(row["id"] for row in harness.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")


def complete(harness: DaemonHarness, people: list[str]) -> None:
    course = live_certification(harness)
    for person in people:
        harness.sandbox.mutate("complete_course", person=person, course=course)


def calls(harness: DaemonHarness) -> dict[str, int]:
    return dict(harness.sandbox.stats()["northpass"]["by_endpoint"])


def drained(harness: DaemonHarness) -> None:
    """After a full chain: what the log told before is read."""
    answer = harness.tick(completed_courses_sensor)
    if isinstance(answer, dg.RunRequest):
        assert harness.follow(answer, "enrollments_incremental").success
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)
    harness.advance(minutes=20)


def test_a_completed_course_refreshes_just_that_person_and_once(harness: DaemonHarness):
    harness.be_after("daily_full")
    drained(harness)
    people = learners(harness, 3)
    complete(harness, people)
    harness.sandbox.reset_stats()
    answer = harness.tick(completed_courses_sensor)
    assert answer.tags[PEOPLE_TAG] == "queued"
    before = {
        (row["user_id"], row["course_id"]) for row in harness.rows("lms_enrollments") if row["status"] == "completed"
    }
    assert harness.follow(answer, "enrollments_incremental").success
    assert calls(harness)["GET /transcripts/{id}"] == len(people)
    after = {
        (row["user_id"], row["course_id"]) for row in harness.rows("lms_enrollments") if row["status"] == "completed"
    }
    assert after - before == {(person, live_certification(harness)) for person in people} - before
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)


def test_events_survive_a_run_that_fails_and_a_sensor_that_forgets(harness: DaemonHarness):
    harness.be_after("daily_full")
    drained(harness)
    people = learners(harness, 8)
    complete(harness, people)
    first = harness.tick(completed_courses_sensor)
    harness.sandbox.faults.add("server_error", "GET /transcripts/{id}")
    assert not harness.follow(first, "enrollments_incremental").success
    harness.sandbox.faults.reset()
    harness._cursors.clear()
    assert harness.tick(completed_courses_sensor).run_key == first.run_key, "within the hour it is the same run"
    harness.advance(hours=1)
    again = harness.tick(completed_courses_sensor)
    assert again.run_key != first.run_key
    harness.sandbox.reset_stats()
    assert harness.follow(again, "enrollments_incremental").success
    assert calls(harness)["GET /transcripts/{id}"] == len(people)
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)


def test_a_vendor_that_ignores_the_filter_of_the_log_changes_nothing(harness: DaemonHarness):
    harness.be_after("daily_full")
    drained(harness)
    harness.sandbox.faults.add("ignored_filter", "GET /webhooks")
    complete(harness, learners(harness, 1))
    assert harness.follow(harness.tick(completed_courses_sensor), "enrollments_incremental").success
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)


def test_a_404_of_the_log_which_may_be_wrong_hides_no_completion(harness: DaemonHarness):
    """It is also what an empty log may answer, so it is no failure; the span is looked at again."""
    harness.be_after("daily_full")
    drained(harness)
    harness.sandbox.faults.add("not_found", "GET /webhooks")
    complete(harness, learners(harness, 1))
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)
    harness.advance(minutes=20)
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)
    harness.sandbox.faults.reset()
    assert isinstance(harness.tick(completed_courses_sensor), dg.RunRequest)


def test_whoever_belongs_to_no_partner_starts_no_run(harness: DaemonHarness):
    harness.be_after("daily_full")
    drained(harness)
    stranger = harness.sandbox.mutate("add_person", email="somebody@stranger.example.com")
    complete(harness, [str(stranger)])
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)


def test_a_push_follows_a_sync_that_changed_counts_at_most_every_six_hours(harness: DaemonHarness):
    harness.be_after("daily_full")
    harness.advance(hours=4)
    complete(harness, learners(harness, 4))
    assert harness.run("enrollments_incremental").success
    assert "at least 360 minutes" in harness.tick(push_after_enrollments_sensor).skip_message
    harness.advance(hours=2)
    due = harness.tick(push_after_enrollments_sensor)
    assert "LMS_PUSH_DRY_RUN" in harness.tick(push_after_enrollments_sensor, LMS_PUSH_DRY_RUN="1").skip_message
    patched = harness.sandbox.stats()["patch_records"]
    assert harness.follow(due, "push_to_impartner").success
    assert harness.sandbox.stats()["patch_records"] > patched
    assert "since the last push" in harness.tick(push_after_enrollments_sensor).skip_message
    harness.advance(hours=7)
    assert harness.run("enrollments_incremental").success
    assert "no partner's counts differ" in harness.tick(push_after_enrollments_sensor).skip_message
    assert "no sync since" in harness.tick(push_after_enrollments_sensor).skip_message


def test_a_push_that_failed_or_was_a_dry_run_is_followed_soon(harness: DaemonHarness):
    assert harness.run(LMS_PUSH_DRY_RUN="1").success
    first = harness.tick(push_after_enrollments_sensor)
    assert isinstance(first, dg.RunRequest), "a dry run sent nothing"
    harness.sandbox.faults.add("forbidden", "PATCH /Account")
    assert not harness.follow(first, "push_to_impartner").success
    harness.advance(minutes=5)
    assert "tried again after half an hour" in harness.tick(push_after_enrollments_sensor).skip_message
    harness.sandbox.faults.reset()
    harness.advance(minutes=25)
    again = harness.tick(push_after_enrollments_sensor)
    assert again.run_key != first.run_key, "Dagster starts no second run for a key"
    assert harness.tick(push_after_enrollments_sensor).run_key == again.run_key
    assert harness.follow(again, "push_to_impartner").success
    assert harness.sandbox.stats()["patch_records"] > 0
    assert "since the last push" in harness.tick(push_after_enrollments_sensor).skip_message


def test_an_incremental_run_costs_little_more_than_the_least_it_can(harness: DaemonHarness):
    """The listing that finds the changed people, and one transcript for each: at most 1.2 times that."""
    harness.be_after("daily_full")
    harness.advance(hours=4)
    people = learners(harness, 20)
    complete(harness, people)
    harness.sandbox.reset_stats()
    result = harness.run("enrollments_incremental")
    assert result.success
    made = sum(calls(harness).values())
    least = len(people) + 1
    assert made <= 1.2 * least, f"{calls(harness)} for {len(people)} changed people"
    assert result.metadata["enrollments"]["people_read"] == len(people)


def test_a_time_filter_that_is_ignored_is_noticed_and_costs_no_transcripts(harness: DaemonHarness):
    harness.be_after("daily_full")
    harness.advance(hours=4)
    people = learners(harness, 5)
    complete(harness, people)
    harness.sandbox.faults.add("ignored_filter", "GET /people")
    harness.sandbox.reset_stats()
    result = harness.run("enrollments_incremental")
    assert result.success
    assert calls(harness)["GET /transcripts/{id}"] == len(people)
    assert result.metadata["enrollments"]["time_filter_ignored"] is True


def test_pools_get_their_limit_before_their_first_use_and_keep_what_somebody_set(quick_folder: Path):
    with watched_harness(quick_folder, events_on_disk=True) as harness:
        storage = harness.instance.event_log_storage
        storage.set_concurrency_slots("northpass_api", 3)
        harness.tick(chains_without_process_sensor)
        harness.tick(chains_without_process_sensor)
        limits = {each.name: each.limit for each in storage.get_pool_limits()}
    assert limits == {"northpass_api": 3, "impartner_api": 1}
