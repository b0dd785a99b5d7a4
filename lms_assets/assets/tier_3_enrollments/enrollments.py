"""One sync of the enrollments: whose transcripts are due, read and staged, judged, written at once."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.deactivation_limit import stop_if_too_many
from lms_assets.assets.run_order import CALLED, chosen_weeks, weeks_of
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.tier_3_enrollments.people_to_read import add_unlisted_members, people_to_read
from lms_assets.assets.tier_3_enrollments.transcripts import (
    KnownEnrollments,
    TranscriptBatch,
    read_transcripts,
    refuse_if_nobody_is_found,
    staged_reads,
    too_many_unread,
)
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.operations.schedule import ENROLLMENTS_JOB
from lms_assets.domain.records.rejections import Rejected
from lms_assets.domain.records.transcripts import Enrollment, TranscriptRead
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.run_tags import JOB_TAG
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.schema.tables import lms_enrollments, lms_users
from lms_assets.warehouse.state.enrollment_weeks import write_weeks
from lms_assets.warehouse.state.transcript_marks import mark_read, mark_unread, read_since
from lms_assets.warehouse.state.transcript_staging import clear_staging, forget_staged, staging_times
from lms_assets.warehouse.upsert.children import sync_enrollments
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert


class EnrollmentSync:
    """`read` first; then `reads` holds the transcripts, and `write` does all the writing.

    Raises (from `read`):
        VendorError: the vendor is down, or too many transcripts could not be read; what was read stays staged.
        MassDeactivationStopped: more enrollments would go than the deactivation limit allows.
    """

    def __init__(self, step: Step, weeks: list[str]) -> None:
        self._step = step
        self._weeks = weeks
        self._staging_key = f"{step.chain_key}/{weeks[0]}/{weeks[-1]}"
        self._batch = TranscriptBatch()
        self._people: list[str] = []
        self._read_at: dict[str, datetime] = {}
        self._learning: dict[date, tuple[int, int]] = {}
        self._everybody_read = False
        self._unlisted = SyncCounts()
        self.everybody = False
        self.reads: list[TranscriptRead] = []

    def read(self, client: NorthpassClient) -> None:
        """Read the transcripts that are due, and work out what would go."""
        step = self._step
        self._forget_outdated()
        # Not every four hours: those who are gone for good would be asked for each time.
        if step.run.tags.get(JOB_TAG) != ENROLLMENTS_JOB:
            self._unlisted = add_unlisted_members(step, client)
        selected = people_to_read(step, client, self._weeks)
        people, self.everybody = selected.people, selected.everybody
        with step.warehouse.read() as connection:
            stored = reading.enrollment_ids_by_user(connection, people)
            completed = reading.completed_ids(connection, people)
            known = KnownEnrollments(
                reading.known_course_ids(connection), stored, completed, reading.people_read(connection)
            )
            total = reading.row_count(connection, lms_enrollments)
            others = sorted(reading.active_ids(connection, lms_users) - set(people))
        self._people = people
        self._batch = read_transcripts(step, client, people, known, self._staging_key)
        refuse_if_nobody_is_found(client, self._batch, others)
        problem = too_many_unread(len(self._batch.unread), len(people), step.rules.bad_record_share)
        if problem:
            unread, now = list(self._batch.unread), step.now
            step.warehouse.in_transaction(lambda connection: mark_unread(connection, unread, now=now))
            raise problem
        self.reads = list(staged_reads(step, self._staging_key))
        with step.warehouse.read() as connection:
            self._read_at = staging_times(connection, self._staging_key)
        stop_if_too_many(step, "enrollments", total, _leaving(self.reads, stored))

    def _forget_outdated(self) -> None:
        """Of what this chain read before it was interrupted: read again whom another run has read since."""

        def work(connection: Connection) -> None:
            read_at = staging_times(connection, self._staging_key)
            outdated = read_since(connection, read_at, now=self._step.clock())
            forget_staged(connection, self._staging_key, outdated)

        self._step.warehouse.in_transaction(work)

    @property
    def failures(self) -> list[RecordFailure | Rejected]:
        """People whose transcript could not be read, and records set aside."""
        return [*self._batch.failures, *(each for read in self.reads for each in read.rejected)]

    @property
    def details(self) -> dict[str, Any]:
        """What the sync's log keeps."""
        return {
            "people_due": len(self._people),
            "everybody": self.everybody,
            "people_unread": len(self._batch.unread),
            "people_resumed": self._batch.resumed,
        }

    def figures(self) -> dict[str, Any]:
        """How the reading went."""
        kinds = [each.kind for read in self.reads for each in read.rejected]
        return {
            "rows_read": sum(len(read.enrollments) for read in self.reads),
            "people_read": self._batch.read,
            "everybody_was_read": self._everybody_read,
            "people_resumed": self._batch.resumed,
            "people_unread": len(self._batch.unread),
            "people_gone": len(self._batch.gone),
            "transcripts_not_sure": sum(read.outcome == "partial" for read in self.reads),
            "transcripts_of_unknown_courses": kinds.count("unknown_course"),
            "unreadable_records": kinds.count("bad"),
            "weeks": len(self._weeks),
        }

    @property
    def figures_of_weeks(self) -> dict[str, dict[str, Any]]:
        """What is stored of each week's learning, by its Monday."""
        return {
            week.isoformat(): {"completions_of_week": completions, "enrollments_of_week": enrolled}
            for week, (completions, enrolled) in self._learning.items()
        }

    def right_ids(self) -> set[str]:
        """People and records that came through, so that their earlier failures are over."""
        people = {read.person_id for read in self.reads}
        return people | {each.id for read in self.reads for each in read.enrollments}

    def write(self, connection: Connection) -> SyncCounts:
        """Enrollments, when each person was read, the weeks' figures; then the staging is no longer needed.

        What was read before the stored transcript was is never written.
        """
        step, now = self._step, self._step.now
        outdated = read_since(connection, self._read_at, now=step.clock())
        reads = [read for read in self.reads if read.person_id not in outdated]
        complete = [read for read in reads if read.outcome == "complete"]
        partial = [read for read in reads if read.outcome == "partial"]
        counts = sync_enrollments(connection, _rows(complete), user_ids=[read.person_id for read in complete], now=now)
        counts += upsert(connection, lms_enrollments, _rows(partial), key=("id",), now=now)
        done = {read.person_id for read in complete}
        read_at = {read.person_id: self._read_at[read.person_id] for read in reads}
        # The chain's start is before every reading of this chain: what happened since then is read again.
        begun = reading.reading_begun(connection, step.chain_started_at)
        mark_read(connection, read_at, done, as_of=step.chain_started_at, begun=begun, now=now)
        mark_unread(connection, sorted(set(self._people) - set(read_at) - outdated), now=now)
        self._everybody_read = self.everybody and done >= set(self._people)
        everybody = (len(done), step.chain_started_at) if self._everybody_read else None
        weeks = [date.fromisoformat(week) for week in self._weeks]
        self._learning = write_weeks(connection, weeks, everybody=everybody, now=now)
        clear_staging(connection, self._staging_key)
        return counts + SyncCounts(rejected_rows=self._unlisted.rejected_rows)


def _leaving(reads: Iterable[TranscriptRead], stored: dict[str, set[str]]) -> list[str]:
    """Ids of stored enrollments that complete transcripts no longer have."""
    gone: set[str] = set()
    for read in reads:
        if read.outcome == "complete":
            gone |= stored.get(read.person_id, set()) - {each.id for each in read.enrollments}
    return sorted(gone)


def _rows(reads: Iterable[TranscriptRead]) -> list[Enrollment]:
    return [each for read in reads for each in read.enrollments]


@asset_of("enrollments")
def enrollments(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Read the transcripts of the partners' people and write their enrollments.

    Over the trailing days only those who need it are read, over any other weeks everybody. Without a partition there
    is nothing to read, and the run fails instead of passing in silence.
    """
    with sync_step(context, warehouse, "enrollments") as step:
        require_upstream_checks(step)
        sync = EnrollmentSync(step, weeks_of(context))
        with northpass.client() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, failures=sync.failures, complete=False, right=sync.right_ids(), details=sync.details)
        # Called as a function, a step has no partitions to describe.
        for week in () if step.run.job_name == CALLED else chosen_weeks(context):
            context.add_asset_metadata(sync.figures_of_weeks[week], partition_key=week)
        with step.warehouse.read() as connection:
            total = reading.row_count(connection, "lms_enrollments")
        return step.result(total, **sync.figures())
