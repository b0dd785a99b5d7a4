"""Reading many transcripts at once, each kept as soon as it is read, so that a resumed chain reads the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lms_assets.assets.sync_run import Step
from lms_assets.domain.records.transcripts import TranscriptRead, read_transcript, to_json
from lms_assets.domain.sync_plans.enrollments import KnownEnrollments, judge_both, judge_first
from lms_assets.vendors.listing import as_it_is, read_until_stable
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import RecordNotFound, TransientVendorError, VendorError
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.enrollments import completed_ids, enrollment_ids_by_user, people_read
from lms_assets.warehouse.reading.foundation import known_course_ids
from lms_assets.warehouse.state.transcripts import Staged, put_staged, staged_ids

KEPT_AT_ONCE = 50
READ_AHEAD = "transcripts_read_ahead"
"""The state in which a chain notes what it read before the step began: calls, and the number of courses then."""
CONTROLS = 3


@dataclass
class TranscriptBatch:
    """How reading went. People who could not be read are in `failures`, and keep their stored enrollments.

    `with_rows`: transcripts that hold anything. `gone`: people not found twice over, as transcript and as person; the
    sync of people will find the same.
    """

    resumed: int = 0
    read: int = 0
    with_rows: int = 0
    gone: int = 0
    failures: list[RecordFailure] = field(default_factory=list)


def read_transcripts(
    step: Step, client: NorthpassClient, people: Collection[str], known: KnownEnrollments, staging_key: str
) -> TranscriptBatch:
    """Read the transcripts of these people into the staging table, leaving out those it already holds.

    Raises:
        VendorError: the vendor is down or refuses the key; what was read so far stays staged.
    """
    with step.warehouse.read() as connection:
        done = staged_ids(connection, staging_key)
    todo = [person_id for person_id in people if person_id not in done]
    batch = TranscriptBatch(resumed=len(people) - len(todo))
    if batch.resumed:
        step.context.log.info(f"Transcripts read before: {batch.resumed:,}, left: {len(todo):,}")
    buffer: list[TranscriptRead] = []
    try:
        results = client.for_each(todo, transcript_reader(client, known))
        for person_id, result in step.counted(results, "transcripts", len(todo)):
            if isinstance(result, VendorError):
                reason = f"{type(result).__name__}: {result.problem}"
                batch.failures.append(RecordFailure("transcript", person_id, reason, http_status=result.status))
                continue
            batch.read += 1
            batch.with_rows += bool(result.enrollments)
            if result.outcome == "gone":
                batch.gone += 1
                continue
            buffer.append(result)
            if len(buffer) >= KEPT_AT_ONCE:
                _keep(step, staging_key, buffer)
    finally:
        _keep(step, staging_key, buffer)
    return batch


def known_enrollments(connection: Connection, people: Collection[str]) -> KnownEnrollments:
    """What is stored of these people before their transcripts are read."""
    return KnownEnrollments(
        known_course_ids(connection),
        enrollment_ids_by_user(connection, people),
        completed_ids(connection, people),
        people_read(connection),
    )


def transcript_reader(client: NorthpassClient, known: KnownEnrollments) -> Callable[[str], TranscriptRead]:
    """What runs in a worker thread for each person: read, and read again when something seems to be missing."""

    def read(person_id: str) -> TranscriptRead:
        first = _read_once(client, person_id, known)
        proved = judge_first(person_id, first, known)
        if proved is not None:
            return proved
        if first is None and client.person(person_id) is None:
            return TranscriptRead(person_id, "gone")
        # In another way this time, so that one fault does not give the same wrong answer twice.
        second = _read_once(client, person_id, known, alternate_paging=True)
        if first is not None and second is None and client.person(person_id) is None:
            return TranscriptRead(person_id, "gone")
        return judge_both(person_id, first, second, known)

    return read


def _read_once(
    client: NorthpassClient, person_id: str, known: KnownEnrollments, *, alternate_paging: bool = False
) -> TranscriptRead | None:
    """The transcript as it is read now; None for a 404: the person has none, or is gone (Northpass API, endpoints)."""
    try:
        read = read_until_stable(
            lambda: client.transcript(person_id, alternate_paging=alternate_paging), convert=as_it_is
        )
    except RecordNotFound:
        return None
    return read_transcript(person_id, read.records, known.course_ids, complete=read.complete)


def _keep(step: Step, staging_key: str, buffer: list[TranscriptRead]) -> None:
    if not buffer:
        return
    step.require_live_run()
    stage(step.warehouse, staging_key, buffer, now=step.clock())
    buffer.clear()


def stage(warehouse: Warehouse, staging_key: str, reads: Iterable[TranscriptRead], *, now: datetime) -> None:
    """Keep what was read for the chain until it is written; `now` counts as when it was read."""
    staged = [Staged(each.person_id, each.outcome, to_json(each)) for each in reads]
    warehouse.in_transaction(lambda connection: put_staged(connection, staging_key, staged, now=now))


def refuse_if_nobody_is_found(client: NorthpassClient, batch: TranscriptBatch, others: Sequence[str]) -> None:
    """When people are gone and nobody has a transcript, ask for some others; if those are not found either, stop.

    Raises:
        TransientVendorError: the vendor finds nobody at all.
    """
    if not batch.gone or batch.with_rows or not others:
        return
    if all(client.person(person_id) is None for person_id in others[:CONTROLS]):
        problem = "nobody of those asked for was found"
        remedy = "Nothing was concluded from it; try again later, and if it stays, ask the vendor"
        raise TransientVendorError("Northpass", "GET /people/{id}", 404, problem, remedy)
