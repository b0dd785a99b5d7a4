"""Whose transcript has to be read, and what a transcript that was read comes to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from lms_assets.domain.findings import Rejected
from lms_assets.domain.transcripts import Enrollment, enrollment_from_transcript

Outcome = Literal["complete", "partial", "gone"]
_INSTANTS = ("enrolled_at", "started_at", "completed_at", "expires_at")


@dataclass(frozen=True, slots=True)
class ReadingState:
    """What says whether a person's transcript is due; instants are UTC, None means never or unknown.

    `due_since`: a reading was tried then and has not come through completely since.
    """

    read_at: datetime | None
    last_active_at: datetime | None = None
    changed_at: datetime | None = None
    joined_at: datetime | None = None
    due_since: datetime | None = None


def is_due(state: ReadingState, now: datetime, *, unread_for: timedelta = timedelta(days=7)) -> bool:
    """Whether a transcript must be read: never read, last tried in vain, not read for `unread_for`, or something
    happened since.

    What happened: the person was active, the account changed, or the person came into a partner's group. An event at
    the very instant of the last reading counts as after it: one reading too many costs a call, one too few a count.
    """
    if state.read_at is None or state.due_since is not None or now - state.read_at >= unread_for:
        return True
    events = (state.last_active_at, state.changed_at, state.joined_at)
    return any(event is not None and event >= state.read_at for event in events)


@dataclass(frozen=True, slots=True)
class TranscriptRead:
    """One person's transcript: `complete` when what it lacks is not there; `rejected` rows are set aside."""

    person_id: str
    outcome: Outcome
    enrollments: tuple[Enrollment, ...] = ()
    rejected: tuple[Rejected, ...] = field(default=())


def read_transcript(
    person_id: str, records: Iterable[Any], known_course_ids: Collection[str], *, complete: bool
) -> TranscriptRead:
    """Turn a person's transcript records into enrollments.

    A record that cannot be read makes the transcript `partial`: its stored row must not be taken for gone. One of a
    course that no list knows is set aside; the rest counts (domain rules, which records count).
    """
    enrollments: dict[str, Enrollment] = {}
    rejected: list[Rejected] = []
    for record in records:
        result = enrollment_from_transcript(record, person_id, known_course_ids)
        if isinstance(result, Rejected):
            rejected.append(result)
        elif result is not None:
            enrollments[result.id] = result
    bad = any(each.kind == "bad" for each in rejected)
    outcome: Outcome = "complete" if complete and not bad else "partial"
    return TranscriptRead(person_id, outcome, tuple(enrollments.values()), tuple(rejected))


def to_json(read: TranscriptRead) -> dict[str, Any]:
    """What was read, as JSON, for a chain that may be interrupted."""
    return {
        "enrollments": [_enrollment_to_json(each) for each in read.enrollments],
        "rejected": [asdict(each) for each in read.rejected],
    }


def from_json(person_id: str, outcome: str, payload: Mapping[str, Any] | None) -> TranscriptRead:
    """The reverse of `to_json`.

    Raises:
        ValueError: the outcome is none of those known.
    """
    if outcome not in ("complete", "partial", "gone"):
        raise ValueError(f"unknown outcome of a transcript: {outcome}")
    payload = payload or {}
    return TranscriptRead(
        person_id,
        outcome,  # type: ignore[arg-type]  # checked above
        tuple(_enrollment_from_json(each) for each in payload.get("enrollments", ())),
        tuple(Rejected(**each) for each in payload.get("rejected", ())),
    )


def _enrollment_to_json(enrollment: Enrollment) -> dict[str, Any]:
    row = asdict(enrollment)
    for name in _INSTANTS:
        row[name] = row[name].isoformat() if row[name] is not None else None
    row["score"] = str(row["score"]) if row["score"] is not None else None
    return row


def _enrollment_from_json(row: Mapping[str, Any]) -> Enrollment:
    values = dict(row)
    for name in _INSTANTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] is not None else None
    values["score"] = Decimal(values["score"]) if values["score"] is not None else None
    return Enrollment(**values)
