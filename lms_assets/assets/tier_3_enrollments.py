"""Tier 3: who has learned what. `enrollments`, partitioned by week of activity."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from lms_assets.assets.absences import stop_if_too_many
from lms_assets.assets.define import asset_of
from lms_assets.assets.intake import failures_of
from lms_assets.assets.selection import people_to_read
from lms_assets.assets.step import Step, sync_step
from lms_assets.assets.transcripts import KnownEnrollments, read_transcripts, staged_reads, too_many_unread
from lms_assets.domain.findings import Rejected
from lms_assets.domain.transcript_reading import TranscriptRead
from lms_assets.domain.transcripts import Enrollment
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.children import sync_enrollments
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.staging import clear_staging
from lms_assets.warehouse.sync import SyncCounts, update_existing, upsert
from lms_assets.warehouse.tables import enrollment_weeks, lms_enrollments, lms_users


@asset_of("enrollments", table="lms_enrollments", backfill_policy=dg.BackfillPolicy.single_run())
def enrollments(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Read the transcripts of the partners' people and write their enrollments.

    Over all weeks everybody is read; over fewer only those who need it. Without a partition there is nothing to read,
    and the run fails instead of passing in silence.
    """
    weeks = context.partition_keys
    with sync_step(context, lms, "enrollments") as step:
        staging_key = f"{step.chain_key}/{weeks[0]}/{weeks[-1]}"
        with lms.northpass() as client:
            people = people_to_read(step, client, weeks)
            with step.warehouse.read() as connection:
                stored = reading.enrollment_ids_by_user(connection, people)
                completed = reading.completed_ids(connection, people)
                known = KnownEnrollments(reading.known_course_ids(connection), stored, completed)
                total = reading.row_count(connection, lms_enrollments)
            tour = read_transcripts(step, client, people, known, staging_key)
            step.used(client.http)
        problem = too_many_unread(len(tour.unread), len(people), step.rules.bad_record_share)
        if problem:
            raise problem
        reads = list(staged_reads(step, staging_key))
        leaving = _leaving(reads, stored)
        stop_if_too_many(step, "enrollment", total, leaving)
        set_aside = [each for read in reads for each in read.rejected]
        plan = _Plan(step, staging_key, reads, weeks)
        failures = [*tour.failures, *failures_of(set_aside)]
        details = {"people_due": len(people), "people_unread": len(tour.unread), "people_resumed": tour.resumed}
        step.write(plan.write, failures=failures, complete=False, right=plan.right_ids(), details=details)
        return step.result(
            sum(len(read.enrollments) for read in reads),
            people_read=tour.read,
            people_resumed=tour.resumed,
            people_unread=len(tour.unread),
            people_gone=sum(read.outcome == "gone" for read in reads),
            transcripts_of_unknown_courses=_of_kind(set_aside, "unknown_course"),
            unreadable_records=_of_kind(set_aside, "bad"),
            weeks=len(weeks),
        )


def _of_kind(rejected: Iterable[Rejected], kind: str) -> int:
    return sum(each.kind == kind for each in rejected)


def _leaving(reads: Iterable[TranscriptRead], stored: dict[str, set[str]]) -> list[str]:
    """Ids of stored enrollments that complete transcripts no longer have."""
    gone: set[str] = set()
    for read in reads:
        if read.outcome == "complete":
            gone |= stored.get(read.person_id, set()) - {each.id for each in read.enrollments}
    return sorted(gone)


class _Plan:
    """Everything that is written in the one transaction of this sync."""

    def __init__(self, step: Step, staging_key: str, reads: list[TranscriptRead], weeks: list[str]) -> None:
        self._step = step
        self._staging_key = staging_key
        self._reads = reads
        self._weeks = weeks

    def right_ids(self) -> set[str]:
        """People and records that came through, so that their earlier failures are over."""
        people = {read.person_id for read in self._reads}
        return people | {each.id for read in self._reads for each in read.enrollments}

    def write(self, connection: Connection) -> SyncCounts:
        """Enrollments, when each person was read, the weeks' figures; then the staging is no longer needed."""
        now = self._step.now
        complete = [read for read in self._reads if read.outcome == "complete"]
        partial = [read for read in self._reads if read.outcome == "partial"]
        counts = sync_enrollments(connection, _rows(complete), user_ids=[read.person_id for read in complete], now=now)
        counts += upsert(connection, lms_enrollments, _rows(partial), key=("id",), now=now)
        # The chain's start is before every reading of this chain: what happened since then is read again.
        read_at = self._step.chain_started_at
        stamps = [{"id": read.person_id, "enrollment_synced_at": read_at} for read in complete]
        update_existing(connection, lms_users, stamps, key=("id",), now=now)
        figures = _week_figures(self._weeks, (each for read in self._reads for each in read.enrollments), self._reads)
        upsert(connection, enrollment_weeks, figures, key=("week_start",), now=now)
        clear_staging(connection, self._staging_key)
        return counts


def _rows(reads: Iterable[TranscriptRead]) -> list[dict[str, Any]]:
    return [asdict(each) for read in reads for each in read.enrollments]


def _week_figures(
    weeks: list[str], enrollments_read: Iterable[Enrollment], reads: list[TranscriptRead]
) -> list[dict[str, Any]]:
    """What was read of each week: people in all, and the completions that fall into the week."""
    starts = [date.fromisoformat(week) for week in weeks]
    completions = dict.fromkeys(starts, 0)
    rows = dict.fromkeys(starts, 0)
    for enrollment in enrollments_read:
        if enrollment.completed_at is not None and (week := _monday(enrollment.completed_at)) in completions:
            completions[week] += 1
        if enrollment.enrolled_at is not None and (week := _monday(enrollment.enrolled_at)) in rows:
            rows[week] += 1
    return [
        {"week_start": week, "people_read": len(reads), "completions": completions[week], "enrollment_rows": rows[week]}
        for week in starts
    ]


def _monday(instant: datetime) -> date:
    return instant.date() - timedelta(days=instant.weekday())
