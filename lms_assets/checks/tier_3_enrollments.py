"""Checks of tier 3: enrollments are there, refer to known rows, and were read for everybody."""

from __future__ import annotations

from datetime import timedelta

from lms_assets.checks.base import Look, blocking, present, warning
from lms_assets.domain.records.completions import EVERYBODY_AGAIN_AFTER
from lms_assets.domain.safety.check_results import CheckResult, none_of
from lms_assets.domain.safety.withheld import people_listed
from lms_assets.domain.schedule import CHAIN, ENROLLMENTS_JOB
from lms_assets.warehouse.bookkeeping.failures import open_failures
from lms_assets.warehouse.reading.whole import orphans
from lms_assets.warehouse.reading.withheld import people_read_long_ago
from lms_assets.warehouse.state.refresh_queue import WEBHOOKS, log_state


def enrollments_refer_to_known_rows(look: Look) -> CheckResult:
    """Every enrollment has its person and its course."""
    lost: list[str] = []
    for column, table in (("user_id", "lms_users"), ("course_id", "lms_courses")):
        _, sample = orphans(look.connection, "lms_enrollments", column, table)
        lost += [f"{column} {each}" for each in sample]
    return none_of(
        lost, "references of enrollments to rows that do not exist", f"Sync users and courses again: {CHAIN}."
    )


def transcripts_were_all_read(look: Look) -> CheckResult:
    """Every transcript that was due could be read."""
    unread = [
        f"{each.entity_id}: {each.reason}" for each in look.failures("enrollments") if each.entity_type == "transcript"
    ]
    remedy = "These people keep the enrollments they had; the next run reads them again."
    return none_of(unread, "transcripts that could not be read", remedy)


def people_were_read_recently(look: Look) -> CheckResult:
    """No partner's person was last read longer ago than the limit."""
    long_ago = people_read_long_ago(look.connection, look.rules, look.now)
    found = [f"partner {partner_id}: {people_listed(people)}" for partner_id, people in long_ago.items()]
    remedy = (
        "They count with what was last read of them. transcripts_were_all_read says why a transcript cannot be read; "
        f"{CHAIN} reads everybody again."
    )
    hours = look.rules.unread_warning_after // timedelta(hours=1)
    what = f"partners with people not read for more than {hours} hours"
    return none_of(found, what, remedy)


def enrollment_courses_are_known(look: Look) -> CheckResult:
    """No transcript names a course that no list knows."""
    unknown = [
        f"{each.entity_id}: {each.reason}" for each in look.failures("enrollments") if each.entity_type == "enrollment"
    ]
    remedy = "They are kept aside and do not count. Is the course missing in Northpass's lists?"
    return none_of(unknown, "records of transcripts set aside", remedy)


def webhook_messages_are_readable(look: Look) -> CheckResult:
    """Every message of a completed course names its person."""
    unreadable = [f"{each.entity_id}: {each.reason}" for each in open_failures(look.connection, WEBHOOKS)]
    remedy = (
        "Nothing is lost: everybody is read because of them (completed_courses_have_no_gap). They are shown for a "
        "week. Has Northpass changed its messages? Report the ids to the maintainers of lms_assets."
    )
    return none_of(unreadable, "webhook messages that could not be read", remedy)


def completed_courses_have_no_gap(look: Look) -> CheckResult:
    """Nobody's completed course is unread: the log has no gap."""
    log = log_state(look.connection)
    if log.read_until is None:
        return CheckResult(True, "the log of completed courses is not read: completed_courses_sensor never ran")
    said = f"the log of completed courses was read until {log.read_until:%Y-%m-%d %H:%M} UTC"
    if log.gap is None:
        return CheckResult(True, f"{said}, without a gap")
    gap = f"completions up to {log.gap.until:%Y-%m-%d %H:%M} UTC may be missing ({log.gap.reason})"
    if log.open_gap is None:
        return CheckResult(True, f"{said}; {gap}, but everybody was read since")
    remedy = (
        "completed_courses_sensor starts a run that reads everybody, at most every "
        f"{EVERYBODY_AGAIN_AFTER // timedelta(hours=1)} hours, and {CHAIN} reads everybody too. To do it now: "
        f"lms-assets run {ENROLLMENTS_JOB} --last-days 14."
    )
    return CheckResult(False, f"{gap}, and so in the counts", remedy=remedy)


def members_are_known_users(look: Look) -> CheckResult:
    """Every member is an LMS user that the list of people knows."""
    count, sample = orphans(look.connection, "lms_group_members", "user_id", "lms_users")
    remedy = "The LMS lists members who are gone; they count for nobody."
    result = none_of([str(each) for each in sample], "members that are no LMS user", remedy)
    return (
        result
        if result.passed
        else CheckResult(False, f"members that are no LMS user: {count:,}", count, result.sample, remedy)
    )


CHECKS = (
    present("enrollments", "enrollments", blocking=True),
    blocking("enrollments", enrollments_refer_to_known_rows),
    warning("enrollments", members_are_known_users),
    warning("enrollments", transcripts_were_all_read),
    warning("enrollments", people_were_read_recently),
    warning("enrollments", enrollment_courses_are_known),
    warning("enrollments", webhook_messages_are_readable),
    warning("enrollments", completed_courses_have_no_gap, costs_counts=True),
)
