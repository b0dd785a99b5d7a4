"""Rows of a tiny vendor state, small enough to count by hand: what is not said has an ordinary value."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def account(number: int, name: str | None = "Fernhill Systems", **values: Any) -> Row:
    """A partner that counts."""
    return {"id": number, "name": name, "partner_tier": "Select", "account_status": "Active"} | values


def contact(number: int, email: str | None, **values: Any) -> Row:
    """A contact that counts, of no account."""
    defaults: Row = {"account_id": None, "account_name": None, "contact_status": "Active", "is_active": True}
    return {"id": number, "email": email, "updated": "2026-01-01T00:00:00Z"} | defaults | values


def person(identity: str, email: str | None = None, **values: Any) -> Row:
    """An active LMS account."""
    return {"id": identity, "email": email, "disabled": False, "last_active_at": None, "deactivated_at": None} | values


def group(identity: str, name: str = "ptr_Fernhill Systems") -> Row:
    """An LMS group."""
    return {"id": identity, "name": name}


def course(identity: str, name: str = "RPA Expert", npcu: Any = 1) -> Row:
    """The properties of a course, which alone make it known (an archived version has nothing else)."""
    return {"id": identity, "properties": {"name": name, "npcu": npcu}}


def transcript(person_id: str, course_id: str, completed_at: str | None = "2026-01-01T00:00:00Z", **values: Any) -> Row:
    """A completed course without an expiry date."""
    defaults: Row = {"resource_type": "course", "progress_status": "completed", "expires_at": None}
    row_id = f"{person_id}/{course_id}/{completed_at}"
    return (
        {"id": row_id, "person_id": person_id, "resource_id": course_id, "completed_at": completed_at}
        | defaults
        | values
    )


def vendor_state(**collections: list[Row]) -> dict[str, Any]:
    """A state with these collections; memberships as (group, person) pairs."""
    names = ("accounts", "users", "people", "groups", "courses", "course_properties", "transcripts")
    state: dict[str, Any] = {name: collections.get(name, []) for name in names}
    pairs: Any = collections.get("memberships", [])
    state["memberships"] = [{"group_id": group_id, "person_id": person_id} for group_id, person_id in pairs]
    return state
