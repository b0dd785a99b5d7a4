"""One sync of the enrollments: whose transcripts are due, read and staged, judged, written at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from lms_assets.assets.absences import stop_if_too_many
from lms_assets.assets.intake import failures_of
from lms_assets.assets.selection import people_to_read
from lms_assets.assets.step import Step
from lms_assets.assets.transcripts import (
    KnownEnrollments,
    TranscriptTour,
    read_transcripts,
    refuse_if_nobody_is_found,
    staged_reads,
    too_many_unread,
)
from lms_assets.domain.transcript_reading import TranscriptRead
from lms_assets.domain.transcripts import Enrollment
from lms_assets.vendors.northpass import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.children import sync_enrollments
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.failures import Failure
from lms_assets.warehouse.staging import clear_staging
from lms_assets.warehouse.sync import SyncCounts, update_existing, upsert
from lms_assets.warehouse.tables import enrollment_weeks, lms_enrollments, lms_users


class EnrollmentSync:
    """`read` first; then `reads` holds the transcripts, and `write` does all the writing.

    Raises (from `read`):
        VendorError: the vendor is down, or too many transcripts could not be read; what was read stays staged.
        MassDeactivationStopped: more enrollments would go than the fuse allows.
    """

    def __init__(self, step: Step, weeks: list[str]) -> None:
        self._step = step
        self._weeks = weeks
        self._staging_key = f"{step.chain_key}/{weeks[0]}/{weeks[-1]}"
        self._tour = TranscriptTour()
        self._due = 0
        self.reads: list[TranscriptRead] = []

    def read(self, client: NorthpassClient) -> None:
        """Read the transcripts that are due, and work out what would go."""
        step = self._step
        people = people_to_read(step, client, self._weeks)
        with step.warehouse.read() as connection:
            stored = reading.enrollment_ids_by_user(connection, people)
            completed = reading.completed_ids(connection, people)
            known = KnownEnrollments(
                reading.known_course_ids(connection), stored, completed, reading.people_read(connection)
            )
            total = reading.row_count(connection, lms_enrollments)
            others = sorted(reading.active_ids(connection, lms_users) - set(people))
        self._due = len(people)
        self._tour = read_transcripts(step, client, people, known, self._staging_key)
        refuse_if_nobody_is_found(client, self._tour, others)
        problem = too_many_unread(len(self._tour.unread), len(people), step.rules.bad_record_share)
        if problem:
            raise problem
        self.reads = list(staged_reads(step, self._staging_key))
        stop_if_too_many(step, "enrollments", total, _leaving(self.reads, stored))

    @property
    def failures(self) -> list[Failure]:
        """People whose transcript could not be read, and records set aside."""
        return [*self._tour.failures, *failures_of(each for read in self.reads for each in read.rejected)]

    @property
    def details(self) -> dict[str, Any]:
        """What the sync's log keeps."""
        return {
            "people_due": self._due,
            "people_unread": len(self._tour.unread),
            "people_resumed": self._tour.resumed,
        }

    def figures(self) -> dict[str, Any]:
        """How the reading went."""
        kinds = [each.kind for read in self.reads for each in read.rejected]
        return {
            "people_read": self._tour.read,
            "people_resumed": self._tour.resumed,
            "people_unread": len(self._tour.unread),
            "people_gone": len(self._tour.gone),
            "transcripts_not_sure": sum(read.outcome == "partial" for read in self.reads),
            "transcripts_of_unknown_courses": kinds.count("unknown_course"),
            "unreadable_records": kinds.count("bad"),
            "weeks": len(self._weeks),
        }

    def right_ids(self) -> set[str]:
        """People and records that came through, so that their earlier failures are over."""
        people = {read.person_id for read in self.reads}
        return people | {each.id for read in self.reads for each in read.enrollments}

    def write(self, connection: Connection) -> SyncCounts:
        """Enrollments, when each person was read, the weeks' figures; then the staging is no longer needed."""
        now = self._step.now
        complete = [read for read in self.reads if read.outcome == "complete"]
        partial = [read for read in self.reads if read.outcome == "partial"]
        counts = sync_enrollments(connection, _rows(complete), user_ids=[read.person_id for read in complete], now=now)
        counts += upsert(connection, lms_enrollments, _rows(partial), key=("id",), now=now)
        # The chain's start is before every reading of this chain: what happened since then is read again.
        read_at = self._step.chain_started_at
        marks = {"enrollment_synced_at": read_at, "transcript_read_at": reading.reading_begun(connection, read_at)}
        stamps = [{"id": read.person_id, **marks} for read in complete]
        update_existing(connection, lms_users, stamps, key=("id",), now=now)
        figures = _week_figures(self._weeks, (each for read in self.reads for each in read.enrollments), self.reads)
        upsert(connection, enrollment_weeks, figures, key=("week_start",), now=now)
        clear_staging(connection, self._staging_key)
        return counts


def _leaving(reads: Iterable[TranscriptRead], stored: dict[str, set[str]]) -> list[str]:
    """Ids of stored enrollments that complete transcripts no longer have."""
    gone: set[str] = set()
    for read in reads:
        if read.outcome == "complete":
            gone |= stored.get(read.person_id, set()) - {each.id for each in read.enrollments}
    return sorted(gone)


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
