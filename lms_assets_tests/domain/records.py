"""Plain vendor records to start from, and records that could be anything. No assertions here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.domain.rules import Rules

RULES = Rules()

JSON_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**25)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
    | st.sampled_from(
        [
            "true", "false", " 2 ", "1.5", "2026-01-31T02:00:00Z", "0001-01-01", "2026-02-30", "ann@example.com",
            "a" * 300, "\x00", "\ud800", "course", "completed", "9" * 5000, "Premier", "Inactive", "", " ",
        ]
    )
)  # fmt: skip
JSON = st.recursive(
    JSON_LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def with_fields_replaced(record: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The record with any of its fields, at any depth of objects, replaced by any JSON value or left out."""

    def mutated(value: Any) -> st.SearchStrategy[Any]:
        if isinstance(value, dict):
            fields = {key: mutated(each) for key, each in value.items()}
            return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(fields) | JSON_LEAVES
        return st.just(value) | JSON

    return mutated(record)


def account(**fields: Any) -> dict[str, Any]:
    return {"Id": 7, "Name": "Larch Systems", "Partner_Tier__cf": "Premier", "Account_Status__cf": "Active"} | fields


def crm_user(**fields: Any) -> dict[str, Any]:
    return {"Id": 9, "Email": "ann@larch.example", "IsActive": True, "AccountId": 7} | fields


def person(person_id: Any = "p-1", **attributes: Any) -> dict[str, Any]:
    return {
        "id": person_id,
        "type": "people",
        "attributes": {"email": "ann@larch.example", "disabled": False} | attributes,
    }


def group(name: Any, group_id: Any = "g-1", **attributes: Any) -> dict[str, Any]:
    return {"id": group_id, "type": "groups", "attributes": {"name": name, "user_count": 3} | attributes}


def transcript(transcript_id: Any = "t-1", **attributes: Any) -> dict[str, Any]:
    given = {
        "resource_type": "course",
        "resource_id": "c-1",
        "progress_status": "completed",
        "completed_at": "2026-01-31T02:00:00Z",
    }
    return {"id": transcript_id, "type": "transcripts", "attributes": given | attributes}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def enrollment(enrollment_id: str = "e-1", **fields: Any) -> Enrollment:
    given = {
        "id": enrollment_id,
        "user_id": "p-1",
        "course_id": "c-1",
        "status": "completed",
        "progress_percent": 100,
        "enrolled_at": None,
        "started_at": None,
        "completed_at": utc(2025, 1, 1),
        "expires_at": None,
        "score": None,
    }
    return Enrollment(**(given | fields))
