"""Whose transcript has to be read, and what a transcript that was read comes to."""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal

from lms_assets.domain.records.dates import harmless_date, parse_utc
from lms_assets.domain.records.values import (
    BadValue,
    Rejected,
    harmless_number,
    kind_of,
    label_of,
    lms_id,
    object_of,
    text_of,
)

STATUSES = frozenset({"enrolled", "in_progress", "completed"})


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A row of `lms_enrollments`: one attempt of one person at one course. `id` is the transcript's.

    `expires_at` is what the vendor says, None when it says nothing (see `certifications.expiry_of`). Instants are
    aware UTC, `progress_percent` 0 to 100, `score` has two places.
    """

    id: str
    user_id: str
    course_id: str
    status: str
    progress_percent: int | None
    enrolled_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime | None
    score: Decimal | None


def enrollment_from_transcript(
    record: Any, person_id: str, known_course_ids: Container[str]
) -> Enrollment | Rejected | None:
    """The enrollment in a Northpass `transcripts` resource; None when it is about no course. Never raises.

    - None: `resource_type` is another word than `course` (learning paths, events).
    - Bad: no id; no `attributes`; no `resource_type` or `resource_id`; a `progress_status` that is none of
      enrolled, in_progress, completed; a `completed_at` or expiry that is no possible date. All of these decide
      whether a certification counts, so they are not guessed.
    - `unknown_course`: its course is in neither course list; the rest of the person's transcript counts.
    - The expiry is `expires_at`, on some tenants `expiry_date`; with both, `expires_at`.
    - Harmless: `progress` (cut to whole per cent, kept within 0 to 100), `score` (within 999.99), the dates of
      enrolling and starting; unreadable is None.
    """
    label = label_of(record, "id")
    try:
        if not isinstance(record, Mapping):
            raise BadValue(f"an object expected, got {kind_of(record)}")
        attributes = object_of(record, "attributes")
        resource_type = text_of(attributes, "resource_type")
        if resource_type is None:
            raise BadValue("resource_type: missing or blank")
        if resource_type.lower() != "course":
            return None
        enrollment_id = lms_id(record.get("id"))
        course_id = lms_id(attributes.get("resource_id"), "resource_id")
        status = _status(attributes)
        completed_at = _date(attributes, "completed_at")
        expires_at = _date(attributes, "expires_at") or _date(attributes, "expiry_date")
    except BadValue as problem:
        return Rejected("bad", "enrollment", label, str(problem))
    if course_id not in known_course_ids:
        return Rejected("unknown_course", "enrollment", label, f"course {course_id} is in no list")
    return Enrollment(
        id=enrollment_id,
        user_id=person_id,
        course_id=course_id,
        status=status,
        progress_percent=_progress(attributes.get("progress")),
        enrolled_at=harmless_date(attributes.get("enrolled_at")),
        started_at=harmless_date(attributes.get("started_at")),
        completed_at=completed_at,
        expires_at=expires_at,
        score=harmless_number(attributes.get("score"), lowest=-999.99, highest=999.99),
    )


def _status(attributes: Mapping[str, Any]) -> str:
    text = (text_of(attributes, "progress_status") or "").lower().replace("-", "_").replace(" ", "_")
    if text not in STATUSES:
        raise BadValue("progress_status: none of enrolled, in_progress, completed")
    return text


def _date(attributes: Mapping[str, Any], field: str) -> datetime | None:
    try:
        return parse_utc(attributes.get(field))
    except ValueError as problem:
        raise BadValue(f"{field}: {problem}") from None


def _progress(value: Any) -> int | None:
    number = harmless_number(value, lowest=-1_000_000, highest=1_000_000)
    return None if number is None else min(100, max(0, math.floor(number)))


Outcome = Literal["complete", "partial", "gone"]
_FIELDS = tuple(each.name for each in fields(Enrollment))
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


UNREAD_FOR = timedelta(days=7)


def is_due(state: ReadingState, now: datetime, *, unread_for: timedelta = UNREAD_FOR) -> bool:
    """Whether a transcript must be read: never read, last tried in vain, not read for `unread_for`, or something
    happened since.

    What happened: the person was active, the account changed, or the person came into a partner's group. An event at
    the very instant of the last reading counts as after it: one reading too many costs a call, one too few a count.
    """
    if state.read_at is None or state.due_since is not None or now - state.read_at >= unread_for:
        return True
    events = (state.last_active_at, state.changed_at, state.joined_at)
    return any(event is not None and event >= state.read_at for event in events)


def is_turn(user_id: str, night: date, nights: int) -> bool:
    """Whether a person is read on this night, where the full read is spread over `nights` nights.

    The digests of ids are cut into so many ranges of one size, and each night has one. Whoever is missed because a
    night's chain failed is due the next night (`unread_for` of `is_due`).
    """
    place = int.from_bytes(blake2b(user_id.encode(), digest_size=4).digest())
    return place * nights >> 32 == night.toordinal() % nights


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

    Args:
        known_course_ids: every course that a list shows.
        complete: the reading of the records was; otherwise the transcript is `partial`.
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

    Args:
        payload: what `to_json` gave; None: nothing was read.

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
    # `asdict` would copy every instant and number as well, which takes ten times as long.
    row = {name: getattr(enrollment, name) for name in _FIELDS}
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
