"""A past week, or several, read again as the UI's backfill does it: by whom it may concern, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete

from lms_assets.assets.selection import current_partner_users
from lms_assets.automation.partitions import RANGE_END, RANGE_START
from lms_assets.warehouse.tables import lms_enrollments
from lms_assets_tests.support.chain import ChainRig


def monday(rig: ChainRig, weeks_ago: int) -> str:
    """The partition's key so many weeks before the running one."""
    today = rig.now.date()
    return (today - timedelta(days=today.weekday() + 7 * weeks_ago)).isoformat()


def active_since(rig: ChainRig, week: str) -> set[str]:
    """Partner users who may have been active since the week began: those whose last activity is unknown as well."""
    begin = datetime.fromisoformat(week).replace(tzinfo=UTC)
    with rig.warehouse.read() as connection:
        wanted = current_partner_users(connection)
    people = {row["id"]: row["last_active_at"] for row in rig.rows("lms_users") if row["id"] in wanted}
    return {person for person, last in people.items() if last is None or last >= begin}


def asked(rig: ChainRig) -> set[str]:
    """Whose transcripts were read since the counters were set back."""
    return {call["path"].rpartition("/")[2] for call in rig.sandbox.calls() if "/transcripts/" in call["path"]}


def lose_an_enrollment_of(rig: ChainRig, people: set[str]) -> str:
    """Take an enrollment out of the portal that the LMS still has; gives its id."""
    lost = next(row["id"] for row in rig.rows("lms_enrollments") if row["user_id"] in people)
    with rig.warehouse.transaction() as connection:
        connection.execute(delete(lms_enrollments).where(lms_enrollments.c.id == lost))
    return str(lost)


def test_one_past_week_is_read_again_for_everybody_active_since(synced: ChainRig) -> None:
    week = monday(synced, 30)
    concerned = active_since(synced, week)
    assert concerned
    lost = lose_an_enrollment_of(synced, concerned)
    synced.sandbox.reset_stats()
    result = synced.run("enrollments_incremental", partition=week)
    assert result.success, result.errors
    assert result.metadata["enrollments"]["weeks"] == 1
    assert asked(synced) == concerned
    assert len(concerned) < len(active_since(synced, "1970-01-05")), "somebody has not been active for so long"
    assert lost in {row["id"] for row in synced.rows("lms_enrollments")}


def test_a_range_of_past_weeks_is_one_run_from_its_first_week_on(synced: ChainRig) -> None:
    first, last = monday(synced, 30), monday(synced, 27)
    concerned = active_since(synced, first)
    synced.sandbox.reset_stats()
    result = synced.run("enrollments_incremental", tags={RANGE_START: first, RANGE_END: last})
    assert result.success, result.errors
    assert result.metadata["enrollments"]["weeks"] == 4
    assert asked(synced) == concerned
    read = {row["week_start"].isoformat(): row["people_read"] for row in synced.rows("enrollment_weeks")}
    assert {read[monday(synced, weeks)] for weeks in (27, 28, 29, 30)} == {len(concerned)}
