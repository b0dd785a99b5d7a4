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
from lms_assets.sandbox.northpass.resources import WEBHOOK_SHAPES
from lms_assets_tests.automation.rig import WatchedRig, watched_rig


def learners(rig: WatchedRig, count: int) -> list[str]:
    """Partner people with a completed enrollment."""
    found = {row["user_id"] for row in rig.rows("lms_enrollments") if row["status"] == "completed"}
    return sorted(found)[:count]


def live_certification(rig: WatchedRig) -> str:
    return next(row["id"] for row in rig.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")


def complete(rig: WatchedRig, people: list[str]) -> None:
    course = live_certification(rig)
    for person in people:
        rig.sandbox.mutate("complete_course", person=person, course=course)


def calls(rig: WatchedRig) -> dict[str, int]:
    return dict(rig.sandbox.stats()["northpass"]["by_endpoint"])


def drained(rig: WatchedRig) -> None:
    """After a full chain: what the log told before is read."""
    answer = rig.tick(completed_courses_sensor)
    if isinstance(answer, dg.RunRequest):
        assert rig.follow(answer, "enrollments_incremental").success
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)
    rig.advance(minutes=20)


def test_a_completed_course_refreshes_just_that_person_and_once(rig: WatchedRig):
    assert rig.run().success
    drained(rig)
    people = learners(rig, 3)
    complete(rig, people)
    rig.sandbox.reset_stats()
    answer = rig.tick(completed_courses_sensor)
    assert answer.tags[PEOPLE_TAG] == "queued"
    before = {(row["user_id"], row["course_id"]) for row in rig.rows("lms_enrollments") if row["status"] == "completed"}
    assert rig.follow(answer, "enrollments_incremental").success
    assert calls(rig)["GET /transcripts/{id}"] == len(people)
    after = {(row["user_id"], row["course_id"]) for row in rig.rows("lms_enrollments") if row["status"] == "completed"}
    assert after - before == {(person, live_certification(rig)) for person in people} - before
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)


def test_events_survive_a_run_that_fails_and_a_sensor_that_forgets(rig: WatchedRig):
    assert rig.run().success
    drained(rig)
    people = learners(rig, 8)
    complete(rig, people)
    first = rig.tick(completed_courses_sensor)
    rig.sandbox.faults.add("server_error", "GET /transcripts/{id}")
    assert not rig.follow(first, "enrollments_incremental").success
    rig.sandbox.faults.reset()
    rig._cursors.clear()
    assert rig.tick(completed_courses_sensor).run_key == first.run_key, "within the hour it is the same run"
    rig.advance(hours=1)
    again = rig.tick(completed_courses_sensor)
    assert again.run_key != first.run_key
    rig.sandbox.reset_stats()
    assert rig.follow(again, "enrollments_incremental").success
    assert calls(rig)["GET /transcripts/{id}"] == len(people)
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)


def test_a_vendor_that_ignores_the_filter_of_the_log_changes_nothing(rig: WatchedRig):
    assert rig.run().success
    drained(rig)
    rig.sandbox.faults.add("ignored_filter", "GET /webhooks")
    complete(rig, learners(rig, 1))
    assert rig.follow(rig.tick(completed_courses_sensor), "enrollments_incremental").success
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)


def test_a_404_of_the_log_which_may_be_wrong_hides_no_completion(rig: WatchedRig):
    """It is also what an empty log may answer, so it is no failure; the span is looked at again."""
    assert rig.run().success
    drained(rig)
    rig.sandbox.faults.add("not_found", "GET /webhooks")
    complete(rig, learners(rig, 1))
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)
    rig.advance(minutes=20)
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)
    rig.sandbox.faults.reset()
    assert isinstance(rig.tick(completed_courses_sensor), dg.RunRequest)


def test_whoever_belongs_to_no_partner_starts_no_run(rig: WatchedRig):
    assert rig.run().success
    drained(rig)
    stranger = rig.sandbox.mutate("add_person", email="somebody@stranger.example.com")
    complete(rig, [str(stranger)])
    assert isinstance(rig.tick(completed_courses_sensor), dg.SkipReason)


def test_a_push_follows_a_sync_that_changed_counts_at_most_every_six_hours(rig: WatchedRig):
    assert rig.run().success
    rig.advance(hours=4)
    complete(rig, learners(rig, 4))
    assert rig.run("enrollments_incremental").success
    assert "at least 6 hours" in rig.tick(push_after_enrollments_sensor).skip_message
    rig.advance(hours=2)
    due = rig.tick(push_after_enrollments_sensor)
    assert "LMS_PUSH_DRY_RUN" in rig.tick(push_after_enrollments_sensor, LMS_PUSH_DRY_RUN="1").skip_message
    patched = rig.sandbox.stats()["patch_records"]
    assert rig.follow(due, "push_to_impartner").success
    assert rig.sandbox.stats()["patch_records"] > patched
    assert "since the last push" in rig.tick(push_after_enrollments_sensor).skip_message
    rig.advance(hours=7)
    assert rig.run("enrollments_incremental").success
    assert "no partner's counts differ" in rig.tick(push_after_enrollments_sensor).skip_message


def test_a_push_that_failed_or_was_a_dry_run_is_followed_soon(rig: WatchedRig):
    assert rig.run(LMS_PUSH_DRY_RUN="1").success
    first = rig.tick(push_after_enrollments_sensor)
    assert isinstance(first, dg.RunRequest), "a dry run sent nothing"
    rig.sandbox.faults.add("forbidden", "PATCH /Account")
    assert not rig.follow(first, "push_to_impartner").success
    rig.advance(minutes=5)
    assert "tried again after half an hour" in rig.tick(push_after_enrollments_sensor).skip_message
    rig.sandbox.faults.reset()
    rig.advance(minutes=25)
    again = rig.tick(push_after_enrollments_sensor)
    assert again.run_key != first.run_key, "Dagster starts no second run for a key"
    assert rig.tick(push_after_enrollments_sensor).run_key == again.run_key
    assert rig.follow(again, "push_to_impartner").success
    assert rig.sandbox.stats()["patch_records"] > 0
    assert "since the last push" in rig.tick(push_after_enrollments_sensor).skip_message


def test_messages_of_every_shape_are_read_and_what_names_nobody_shows_in_a_check(rig: WatchedRig):
    assert rig.run().success
    drained(rig)
    course = live_certification(rig)
    people = learners(rig, len(WEBHOOK_SHAPES))
    for person, shape in zip(people, WEBHOOK_SHAPES, strict=True):
        rig.sandbox.mutate("complete_course", person=person, course=course, message_shape=shape)
    answer = rig.tick(completed_courses_sensor)
    rig.sandbox.reset_stats()
    result = rig.follow(answer, "enrollments_incremental")
    assert calls(rig)["GET /transcripts/{id}"] == len(people) - 1
    assert "webhook_messages_are_readable" in result.red
    rig.advance(days=8)
    rig.tick(completed_courses_sensor)
    assert all(row["resolved_at"] for row in rig.rows("sync_failures") if row["sync_type"] == "webhooks")


def test_an_incremental_run_costs_little_more_than_the_least_it_can(rig: WatchedRig):
    """The listing that finds the changed people, and one transcript for each: at most 1.2 times that."""
    assert rig.run().success
    rig.advance(hours=4)
    people = learners(rig, 20)
    complete(rig, people)
    rig.sandbox.reset_stats()
    result = rig.run("enrollments_incremental")
    assert result.success
    made = sum(calls(rig).values())
    least = len(people) + 1
    assert made <= 1.2 * least, f"{calls(rig)} for {len(people)} changed people"
    assert result.metadata["enrollments"]["people_read"] == len(people)


def test_a_time_filter_that_is_ignored_is_noticed_and_costs_no_transcripts(rig: WatchedRig):
    assert rig.run().success
    rig.advance(hours=4)
    people = learners(rig, 5)
    complete(rig, people)
    rig.sandbox.faults.add("ignored_filter", "GET /people")
    rig.sandbox.reset_stats()
    result = rig.run("enrollments_incremental")
    assert result.success
    assert calls(rig)["GET /transcripts/{id}"] == len(people)
    assert result.metadata["enrollments"]["time_filter_ignored"] is True


def test_pools_get_their_limit_before_their_first_use_and_keep_what_somebody_set(quick_folder: Path):
    with watched_rig(quick_folder, events_on_disk=True) as rig:
        storage = rig.instance.event_log_storage
        storage.set_concurrency_slots("northpass_api", 3)
        rig.tick(chains_without_process_sensor)
        rig.tick(chains_without_process_sensor)
        limits = {each.name: each.limit for each in storage.get_pool_limits()}
    assert limits == {"northpass_api": 3, "impartner_api": 1}
