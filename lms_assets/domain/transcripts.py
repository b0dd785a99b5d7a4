"""Enrollments from a person's transcript."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from lms_assets.domain.dates import harmless_date, parse_utc
from lms_assets.domain.findings import Rejected
from lms_assets.domain.values import BadValue, harmless_number, kind_of, label_of, lms_id, object_of, text_of

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
