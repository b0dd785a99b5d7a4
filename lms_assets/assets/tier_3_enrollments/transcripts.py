"""Reading many transcripts at once, each kept as soon as it is read, so that a resumed chain reads the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lms_assets.assets.sync_run import Step
from lms_assets.domain.records.transcripts import Enrollment, TranscriptRead, from_json, read_transcript, to_json
from lms_assets.domain.safety.confirmation import why_readings_prove_nothing
from lms_assets.vendors.listing import as_it_is, read_until_stable
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import RecordNotFound, TransientVendorError, VendorError
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.state.transcript_staging import Staged, put_staged, staged_ids, staged_transcripts

KEPT_AT_ONCE = 50
CONTROLS = 3


@dataclass
class TranscriptBatch:
    """What reading came to. `unread` people keep their stored enrollments; each is named in `failures`.

    `with_rows`: transcripts that hold anything. `gone`: not found twice over, as transcript and as person; the sync of
    people will say so too.
    """

    resumed: int = 0
    read: int = 0
    with_rows: int = 0
    gone: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    failures: list[RecordFailure] = field(default_factory=list)


@dataclass(frozen=True)
class KnownEnrollments:
    """What the warehouse knows: ids of all courses, each person's stored enrollment ids, and which are completed."""

    course_ids: Collection[str]
    by_person: Mapping[str, Collection[str]]
    completed: Collection[str] = frozenset()
    """Ids of those that are stored as completed."""
    read_before: Collection[str] = frozenset()
    """People whose transcript was read completely once."""


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
        step.context.log.info(f"Resumed: {batch.resumed:,} transcripts were read before, {len(todo):,} are left")
    buffer: list[TranscriptRead] = []
    try:
        results = client.for_each(todo, _reader(client, known))
        for person_id, result in step.counted(results, "transcripts", len(todo)):
            if isinstance(result, VendorError):
                _note_unread(batch, person_id, result)
                continue
            batch.read += 1
            batch.with_rows += bool(result.enrollments)
            if result.outcome == "gone":
                batch.gone.append(person_id)
                continue
            buffer.append(result)
            if len(buffer) >= KEPT_AT_ONCE:
                _keep(step, staging_key, buffer)
    finally:
        _keep(step, staging_key, buffer)
    return batch


def _reader(client: NorthpassClient, known: KnownEnrollments) -> Callable[[str], TranscriptRead]:
    """What runs in a worker thread for each person: read, and read again when something seems to be missing."""

    def read(person_id: str) -> TranscriptRead:
        first = _read_once(client, person_id, known)
        if first is None and person_id in known.read_before and not known.by_person.get(person_id):
            # As it was at the last reading; who is gone meanwhile is the business of the sync of people.
            return TranscriptRead(person_id, "complete")
        if first is None and client.person(person_id) is None:
            return TranscriptRead(person_id, "gone")
        if first is not None and (first.outcome != "complete" or not _loses_something(first, known)):
            return first
        # In another way this time, so that what went wrong does not say the same thing twice.
        second = _read_once(client, person_id, known, alternate_paging=True)
        if first is not None and second is None and client.person(person_id) is None:
            return TranscriptRead(person_id, "gone")
        if first is None and second is not None and not _loses_something(second, known):
            # The 404 was a wrong answer: what it denied is here.
            return second
        first, second = (each or TranscriptRead(person_id, "complete") for each in (first, second))
        said = _completions(first), _completions(second)
        if why_readings_prove_nothing(*said, second_is_complete=second.outcome == "complete") is None:
            return second
        kept = _without_lost_completions(second, known)
        return TranscriptRead(person_id, "partial", kept, second.rejected)

    return read


def _read_once(
    client: NorthpassClient, person_id: str, known: KnownEnrollments, *, alternate_paging: bool = False
) -> TranscriptRead | None:
    """The transcript as it is read now; None for a 404: the person has none, or is gone (Northpass API, endpoints)."""
    try:
        reading = read_until_stable(
            lambda: client.transcript(person_id, alternate_paging=alternate_paging), convert=as_it_is
        )
    except RecordNotFound:
        return None
    return read_transcript(person_id, reading.records, known.course_ids, complete=reading.complete)


def _loses_something(read: TranscriptRead, known: KnownEnrollments) -> bool:
    """Whether a stored enrollment would go, or a stored completion be taken back."""
    stored = set(known.by_person.get(read.person_id, ()))
    completions = _completions(read)
    return bool(stored - set(completions)) or any(
        each in known.completed and completions[each] is None for each in stored & set(completions)
    )


def _completions(read: TranscriptRead) -> dict[str, datetime | None]:
    return {each.id: each.completed_at if each.status == "completed" else None for each in read.enrollments}


def _without_lost_completions(read: TranscriptRead, known: KnownEnrollments) -> tuple[Enrollment, ...]:
    """Of a transcript whose two readings differ: what takes no stored completion back."""
    completions = _completions(read)
    return tuple(each for each in read.enrollments if each.id not in known.completed or completions[each.id])


def _note_unread(batch: TranscriptBatch, person_id: str, error: VendorError) -> None:
    batch.unread.append(person_id)
    batch.failures.append(
        RecordFailure("transcript", person_id, f"{type(error).__name__}: {error.problem}", http_status=error.status)
    )


def _keep(step: Step, staging_key: str, buffer: list[TranscriptRead]) -> None:
    if not buffer:
        return
    step.require_live_run()
    staged = [Staged(each.person_id, each.outcome, to_json(each)) for each in buffer]
    step.warehouse.in_transaction(lambda connection: put_staged(connection, staging_key, staged, now=step.clock()))
    buffer.clear()


def refuse_if_nobody_is_found(client: NorthpassClient, batch: TranscriptBatch, others: Sequence[str]) -> None:
    """When people are gone and nobody has a transcript, ask for some others; if those are not found either, stop.

    Raises:
        TransientVendorError: the vendor finds nobody at all.
    """
    if not batch.gone or batch.with_rows or not others:
        return
    if all(client.person(person_id) is None for person_id in others[:CONTROLS]):
        problem = "everybody asked for is not found"
        remedy = "Nothing was concluded from it; try again later, and if it stays, ask the vendor"
        raise TransientVendorError("Northpass", "GET /people/{id}", 404, problem, remedy)


def staged_reads(step: Step, staging_key: str) -> Iterator[TranscriptRead]:
    """Everything that this chain has read, one person after the other."""
    with step.warehouse.read() as connection:
        for staged in staged_transcripts(connection, staging_key):
            yield from_json(staged.person_id, staged.outcome, staged.payload)


def too_many_unread(unread: int, total: int, share: float) -> TransientVendorError | None:
    """The error to stop with when more than `share` (0 to 1) of the transcripts could not be read."""
    if unread <= max(5, share * total):
        return None
    return TransientVendorError(
        "Northpass",
        "GET /transcripts/{id}",
        None,
        f"{unread} of {total} transcripts could not be read",
        "Those that were read are kept; run it again with --resume for the rest",
    )
