"""One incident for each cause, and what is overdue by which cadence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lms_assets.domain.operations.chain_state import StepRecord
from lms_assets.domain.operations.incident import CheckFinding, begun, over, past_grace_period
from lms_assets.domain.operations.incident_detection import (
    Facts,
    FailedRun,
    Stopped,
    find_incidents,
)
from lms_assets.domain.operations.reports import FailedAttempt, ReleaseDecision, UnknownMails, blocked, may_send
from lms_assets.domain.schedule import Overdue, find_overdue
from lms_assets.lineage import FOUR_HOURLY, MONDAYS, NIGHTLY

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
WAITS = {"enrollments": ("users",), "users": ("contacts",)}


def chain(*steps: StepRecord, status: str = "failed") -> FailedRun:
    return FailedRun("daily_full", status, "run-1", NOW, steps)  # type: ignore[arg-type]


def found(asset: str, check: str, description: str, **fields: Any) -> CheckFinding:
    return CheckFinding(asset, check, False, description, "run-1", NOW, **fields)


FAILED_USERS = StepRecord("users", "failed", error="users: no answer")
HELD = StepRecord("enrollments", "blocked", error="blocked by users")


def test_what_failed_because_of_a_check_is_told_by_the_check():
    blocking_check = found("users", "users_are_present", "0 active LMS users")
    (incident,) = find_incidents(Facts(failed_runs=[chain(FAILED_USERS, HELD)], findings=[blocking_check]))
    assert incident.key == "check/users/users_are_present"
    assert "enrollments" in incident.effect


COUNTED = StepRecord("partner_cert_counts", "failed", NOW, NOW, failed_checks=("counts_are_recent",))


def test_the_alert_does_not_say_that_the_last_good_data_stay_when_the_run_wrote_some():
    (nothing,) = find_incidents(Facts(failed_runs=[chain(FAILED_USERS, HELD)]))
    assert "The last good data stay in place" in nothing.effect
    (some,) = find_incidents(Facts(failed_runs=[chain(StepRecord("courses", "completed"), FAILED_USERS, HELD)]))
    assert "Written by this run, and in place: courses; everything else keeps its last good data" in some.effect
    assert "nothing new was sent to the CRM" in some.effect
    pushing = StepRecord("pushed_partner_cert_counts", "failed", attempts=3, error="no answer")
    (told,) = find_incidents(Facts(failed_runs=[chain(COUNTED, pushing)]))
    assert "in place: partner_cert_counts;" in told.effect
    assert "the CRM has what the push sent until then" in told.effect
    assert "last good data stay" not in some.effect + told.effect


def test_a_check_that_did_not_pass_stands_for_data_that_were_written():
    blocking_check = found("partner_cert_counts", "counts_are_recent", "216 hours ago")
    (incident,) = find_incidents(Facts(failed_runs=[chain(COUNTED)], findings=[blocking_check]))
    assert "partner_cert_counts keeps what was written, even if it is wrong" in incident.effect
    assert "last good data stay" not in incident.effect


def test_a_second_cause_is_told_beside_the_first():
    blocking_check = found("users", "users_are_present", "0 active LMS users")
    other = StepRecord("courses", "failed", error="no answer")
    incidents = find_incidents(Facts(failed_runs=[chain(FAILED_USERS, other)], findings=[blocking_check]))
    assert [incident.kind for incident in incidents] == ["check", "chain"]


def test_a_chain_without_any_step_is_told_too():
    (incident,) = find_incidents(Facts(failed_runs=[chain()]))
    assert incident.kind == "chain"


def test_what_is_overdue_because_its_chain_failed_is_not_told_again():
    late = Overdue("daily_full", ("users", "enrollments"), NOW)
    facts = Facts(failed_runs=[chain(FAILED_USERS, HELD)], overdue=[late], waits_for=WAITS)
    assert [incident.kind for incident in find_incidents(facts)] == ["chain"]
    unrelated = Overdue("leads_incremental", ("leads",), NOW)
    facts = Facts(failed_runs=[chain(FAILED_USERS, HELD)], overdue=[late, unrelated], waits_for=WAITS)
    assert [incident.key for incident in find_incidents(facts)] == ["chain/daily_full", "overdue/leads_incremental"]


def test_a_failed_run_is_over_when_everything_it_left_has_come_through_since():
    later = {"users": NOW + timedelta(hours=1), "enrollments": NOW + timedelta(hours=1)}
    assert find_incidents(Facts(failed_runs=[chain(FAILED_USERS, HELD)], completed=later)) == ()
    at_its_end = later | {"users": NOW}
    assert len(find_incidents(Facts(failed_runs=[chain(FAILED_USERS, HELD)], completed=at_its_end))) == 1
    some = {"users": NOW + timedelta(hours=1)}
    assert len(find_incidents(Facts(failed_runs=[chain(FAILED_USERS, HELD)], completed=some))) == 1


BLOCKED = may_send("failed", NOW, NOW)
BOTH = ("pam_weekly_report", "executive_weekly_report")


def held_at(at: datetime, decision: ReleaseDecision = BLOCKED) -> FailedAttempt:
    return FailedAttempt(at, decision.why, decision.remedy)


def reports_run(*steps: StepRecord) -> FailedRun:
    return FailedRun("weekly_reports", "failed", "run-2", NOW, steps)


def test_reports_that_are_blocked_are_no_failed_job_as_well():
    earlier = NOW - timedelta(hours=4)
    held = blocked(
        "weekly_reports",
        {BOTH[0]: [held_at(earlier), held_at(NOW)], BOTH[1]: [held_at(NOW)]},
    )
    run = reports_run(*(StepRecord(each, "failed", error=BLOCKED.text) for each in BOTH))
    late = Overdue("weekly_reports", BOTH, NOW)
    (incident,) = find_incidents(Facts(failed_runs=[run], blocked_reports=held, overdue=[late]))
    assert incident.kind == "reports_blocked"
    assert "the last chain failed" in incident.what
    assert "lms-assets run weekly_reports --allow stale_reports" in incident.remedy
    assert (incident.since, incident.run_id, incident.assets) == (earlier, "run-2", BOTH)


def test_of_several_reports_blocked_the_latest_attempt_says_why():
    earlier = NOW - timedelta(hours=4)
    running = may_send("running", NOW, NOW)
    for old, new in ((BLOCKED, running), (running, BLOCKED)):
        held = blocked("weekly_reports", {BOTH[0]: [held_at(NOW, new)], BOTH[1]: [held_at(earlier, old)]})
        assert held is not None
        assert (held.why, held.remedy, held.since) == (new.why, new.remedy, earlier)


def test_reports_blocked_and_then_not_sent_are_a_failed_job_under_the_same_key():
    error = "the mail server refused user or password"
    failures = {BOTH[0]: [held_at(NOW), FailedAttempt(NOW)], BOTH[1]: [held_at(NOW), FailedAttempt(NOW)]}
    assert blocked("weekly_reports", failures) is None
    (before,) = find_incidents(Facts(blocked_reports=blocked("weekly_reports", {BOTH[0]: [held_at(NOW)]})))
    run = reports_run(*(StepRecord(each, "failed", error=error) for each in BOTH))
    (after,) = find_incidents(Facts(failed_runs=[run]))
    assert (before.key, before.grade != after.grade) == (after.key, True)


def test_one_report_blocked_and_one_that_failed_are_told_together():
    held = blocked("weekly_reports", {BOTH[0]: [], BOTH[1]: [held_at(NOW)]})
    steps = StepRecord(BOTH[0], "failed", error="no answer"), StepRecord(BOTH[1], "failed", error=BLOCKED.text)
    (incident,) = find_incidents(Facts(failed_runs=[reports_run(*steps)], blocked_reports=held))
    assert "no answer" in incident.what
    assert "the last chain failed" in incident.what


def test_mails_of_unknown_outcome_are_one_incident_that_counts_and_names_them():
    mails = UnknownMails(BOTH[:1], ("pam 12", "pam 14"), NOW - timedelta(days=7), NOW)
    (incident,) = find_incidents(Facts(unknown_mails=mails))
    assert incident.what.startswith("2 report messages")
    assert "pam 12, pam 14" in incident.what
    assert "lms-assets report resolve" in incident.remedy
    for number, shown in ((20, "pam 118, pam 119."), (21, "pam 118, pam 119, ....")):
        many = UnknownMails(BOTH[:1], tuple(f"pam {each}" for each in range(100, 100 + number)), NOW, NOW)
        (incident,) = find_incidents(Facts(unknown_mails=many))
        assert incident.what.endswith(shown)
    one = UnknownMails(BOTH[:1], ("pam 12",), NOW, NOW)
    assert "1 report message was" in find_incidents(Facts(unknown_mails=one))[0].what


DEGRADED = StepRecord("memberships", "degraded", error="memberships_are_current: 403")
NOT_CURRENT = found("memberships", "memberships_are_current", "403", level="failure", remedy="Check the key.")


def test_a_check_that_made_a_chain_partial_is_told_by_the_chain_and_alone_by_itself():
    (incident,) = find_incidents(Facts(failed_runs=[chain(DEGRADED, status="partial")], findings=[NOT_CURRENT]))
    assert incident.key == "chain/daily_full"
    (incident,) = find_incidents(Facts(findings=[NOT_CURRENT]))
    assert (incident.key, incident.remedy) == ("check/memberships/memberships_are_current", "Check the key.")
    assert "Nothing is blocked" in incident.effect


def test_what_fails_by_hand_is_told_for_each_asset_unless_something_else_tells_it():
    steps = (StepRecord("users", "failed", error="no answer"), StepRecord("courses", "failed"))
    by_hand = FailedRun("__ASSET_JOB", "failed", "run-2", NOW, steps)
    users, courses = find_incidents(Facts(failed_materializations=[by_hand]))
    assert users.what == "Materializing users by hand failed: no answer"
    assert (courses.key, courses.run_id) == ("asset/courses", "run-2")
    assert "The last good data stay in place" in users.effect
    pushed = FailedRun("__ASSET_JOB", "failed", "run-3", NOW, (StepRecord("pushed_partner_cert_counts", "failed"),))
    (push,) = find_incidents(Facts(failed_materializations=[pushed]))
    assert "the CRM has what the push sent until then" in push.effect
    facts = Facts(failed_runs=[chain(FAILED_USERS)], failed_materializations=[by_hand])
    assert [incident.key for incident in find_incidents(facts)] == ["chain/daily_full", "asset/courses"]


def test_the_alert_about_a_blocking_check_says_what_to_do():
    blocking_check = found("users", "users_are_present", "0 active LMS users", remedy="Look at the LMS.")
    (incident,) = find_incidents(Facts(findings=[blocking_check]))
    assert incident.remedy.startswith("Look at the LMS. Then lms-assets run daily_full --resume")


def test_late_things_wait_before_they_are_told_and_failures_do_not():
    stopped = Stopped("users", "60 of 160 active users would be deactivated", NOW, "lms-assets run …")
    incidents = find_incidents(Facts(stopped=[stopped], overdue=[Overdue("leads_incremental", ("leads",), NOW)]))
    due, seen = past_grace_period(incidents, {}, NOW)
    assert [incident.kind for incident in due] == ["mass_deactivation"]
    due, _ = past_grace_period(incidents, seen, NOW + timedelta(minutes=31))
    assert [incident.kind for incident in due] == ["mass_deactivation", "overdue"]
    _, forgotten = past_grace_period([], seen, NOW)
    assert forgotten == {}


@pytest.mark.parametrize(
    ("cadence", "completed", "overdue"),
    [
        (NIGHTLY, NOW.replace(hour=2, minute=12), None),
        (NIGHTLY, NOW.replace(hour=1, minute=59), NOW.replace(hour=5)),
        (FOUR_HOURLY, NOW - timedelta(hours=10), None),
        (FOUR_HOURLY, NOW - timedelta(hours=11), NOW - timedelta(hours=1)),
        (MONDAYS, NOW - timedelta(hours=4), None),
        (MONDAYS, NOW - timedelta(days=7), NOW.replace(hour=10)),
    ],
)
def test_overdue_by_cadence(cadence, completed, overdue):
    assert cadence.overdue_since(completed, NOW) == overdue


def test_assets_of_one_job_are_overdue_together_since_the_first_of_them():
    completed = {
        "users": NOW - timedelta(days=1),
        "courses": NOW - timedelta(days=3),
        "enrollments": NOW - timedelta(hours=1),
    }
    cadences = {"users": NIGHTLY, "courses": FOUR_HOURLY, "enrollments": FOUR_HOURLY}
    assert find_overdue(completed, cadences, NOW) == (
        Overdue("daily_full", ("users",), NOW.replace(hour=5)),
        Overdue("enrollments_incremental", ("courses",), NOW - timedelta(days=3) + timedelta(hours=10)),
    )
    both = find_overdue(completed, {"users": FOUR_HOURLY, "courses": FOUR_HOURLY}, NOW)
    assert both == (
        Overdue("enrollments_incremental", ("users", "courses"), NOW - timedelta(days=3) + timedelta(hours=10)),
    )


def test_an_asset_has_until_the_end_of_its_grace_and_not_longer():
    last_night = NOW.replace(hour=2) - timedelta(days=1)
    five = NOW.replace(hour=5)
    assert NIGHTLY.overdue_since(last_night, five - timedelta(seconds=1)) is None
    assert NIGHTLY.overdue_since(last_night, five) == five
    assert NIGHTLY.overdue_since(NOW.replace(hour=2), five) is None


def test_what_never_came_through_is_not_overdue():
    assert find_overdue({}, {"users": NIGHTLY}, NOW) == ()


def test_a_message_says_what_since_when_effect_what_to_do_and_where():
    (incident,) = find_incidents(Facts(failed_runs=[chain(FAILED_USERS, HELD)]))
    first = begun(incident, "https://dagster.example.com")
    for part in (
        "What: daily_full failed",
        "Since: 2026-03-02 12:00 UTC",
        "Effect: Blocked: enrollments",
        "What to do:",
    ):
        assert part in first.body
    assert "https://dagster.example.com/runs/run-1" in first.body
    last = over(incident, NOW + timedelta(hours=2), "https://dagster.example.com")
    assert last.good
    assert "It ended: 2026-03-02 14:00 UTC" in last.body
