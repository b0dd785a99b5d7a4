"""From the LMS's message to the counts in 3 minutes and to the CRM in 6; and what the log cannot tell is closed.

By a clock that the test moves, with a daemon that ticks as slowly as it may. `python -m benchmarks.freshness` measures
the same through a real one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg

from lms_assets.automation.sensors import completed_courses_sensor, push_after_enrollments_sensor
from lms_assets.run_tags import PEOPLE_TAG
from lms_assets.sandbox.northpass.resources import WEBHOOK_SHAPES
from lms_assets_tests.automation.daemon_harness import DaemonHarness
from lms_assets_tests.automation.test_sensors import calls, complete, drained, learners, live_certification

# A daemon looks at each sensor every 20 to 25 seconds, and a run of few people takes less than half a minute.
TICK, RUN = timedelta(seconds=25), timedelta(seconds=30)
EVERY_5_MINUTES = {"LMS_PUSH_EVERY_MINUTES": "5"}


def serve(
    harness: DaemonHarness, span: timedelta, as_a_push_is_asked_for: Callable[[], None] = lambda: None
) -> Counter[str]:
    """Tick both sensors until the time is over, and run what they ask for; gives the runs by job."""
    runs: Counter[str] = Counter()
    end = harness.now + span
    while harness.now < end:
        for sensor, job in (
            (push_after_enrollments_sensor, "push_to_impartner"),
            (completed_courses_sensor, "enrollments_incremental"),
        ):
            answer = harness.tick(sensor, **EVERY_5_MINUTES)
            if isinstance(answer, dg.RunRequest):
                if job == "push_to_impartner":
                    as_a_push_is_asked_for()
                harness.advance(seconds=RUN.total_seconds())
                assert harness.follow(answer, job).success
                runs[job] += 1
        harness.advance(seconds=TICK.total_seconds())
    return runs


def npcu(harness: DaemonHarness) -> int:
    return sum(row["total_npcu"] or 0 for row in harness.rows("partners"))


def last_sync(harness: DaemonHarness, sync_type: str) -> datetime:
    found: datetime = max(row["completed_at"] for row in harness.rows("sync_logs") if row["sync_type"] == sync_type)
    return found


def told(harness: DaemonHarness) -> int:
    sent: int = harness.sandbox.stats()["patch_records"]
    return sent


def test_counts_follow_a_message_in_3_minutes_and_the_crm_in_6(harness: DaemonHarness):
    harness.be_after("daily_full")
    harness.advance(minutes=20)
    crowd = learners(harness, 1000)
    message: list[datetime] = []

    def all_at_once() -> None:
        if not message:
            complete(harness, crowd)
            message.append(harness.now)

    # The push that was just asked for counts as of before, and the next one may be asked for in five minutes.
    complete(harness, learners(harness, 2))
    before = npcu(harness)
    runs = serve(harness, timedelta(minutes=3), all_at_once)
    assert runs == {"enrollments_incremental": 2, "push_to_impartner": 1}, "one run for all of them"
    counted, pushed = (last_sync(harness, each) for each in ("partner_cert_counts", "sync_to_impartner"))
    assert counted - message[0] <= timedelta(minutes=3)
    assert npcu(harness) > before
    sent = told(harness)
    assert serve(harness, timedelta(minutes=5)) == {"push_to_impartner": 1}
    assert told(harness) > sent
    assert last_sync(harness, "sync_to_impartner") - message[0] <= timedelta(minutes=6)
    assert last_sync(harness, "sync_to_impartner") - pushed >= timedelta(minutes=5) - RUN

    harness.sandbox.reset_stats()
    assert not serve(harness, timedelta(minutes=10)), "nothing changed"
    assert set(calls(harness)) == {"GET /webhooks"}
    assert told(harness) == 0

    complete(harness, crowd[:1])
    harness.advance(hours=1)
    assert serve(harness, timedelta(minutes=1))["enrollments_incremental"] == 1, "the daemon was down for an hour"


def test_what_the_log_cannot_tell_is_closed_by_reading_everybody_and_a_check_says_so(harness: DaemonHarness):
    harness.be_after("daily_full")
    drained(harness)
    course, people = live_certification(harness), learners(harness, len(WEBHOOK_SHAPES) + 2)
    unreadable = WEBHOOK_SHAPES[-1]
    for person, shape in zip(people, WEBHOOK_SHAPES, strict=False):
        harness.sandbox.mutate("complete_course", person=person, course=course, message_shape=shape)
    answer = harness.tick(completed_courses_sensor)
    assert PEOPLE_TAG not in answer.tags
    harness.sandbox.reset_stats()
    result = harness.follow(answer, "enrollments_incremental")
    assert result.metadata["enrollments"]["everybody_was_read"]
    assert "webhook_messages_are_readable" in result.red
    assert "completed_courses_have_no_gap" not in result.red
    assert (people[len(WEBHOOK_SHAPES) - 1], course) in {
        (row["user_id"], row["course_id"]) for row in harness.rows("lms_enrollments") if row["status"] == "completed"
    }
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)

    # Another one within six hours waits, and those whom a message names do not wait with it.
    harness.advance(hours=1)
    harness.sandbox.mutate("complete_course", person=people[-2], course=course, message_shape=unreadable)
    complete(harness, people[-1:])
    result = harness.follow(harness.tick(completed_courses_sensor), "enrollments_incremental")
    assert "completed_courses_have_no_gap" in result.red
    assert isinstance(harness.tick(completed_courses_sensor), dg.SkipReason)
    harness.advance(hours=5)
    assert PEOPLE_TAG not in harness.tick(completed_courses_sensor).tags

    # What is unreadable shows for a week. A log that was not read for longer than it reaches back is a gap too.
    harness.advance(days=100)
    assert PEOPLE_TAG not in harness.tick(completed_courses_sensor).tags
    assert all(row["resolved_at"] for row in harness.rows("sync_failures") if row["sync_type"] == "webhooks")
