"""Northpass resources (JSON:API) made from the vendor state's rows by attribute, so that filters see the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from lms_assets.sandbox.state.vendor_state import (
    Course,
    CourseProperties,
    Group,
    Membership,
    Person,
    Transcript,
    VendorState,
    Webhook,
)

Attributes = Mapping[str, Callable[[Any], Any]]
SCHOOL_ID = "5c0f7a52-0000-4000-8000-000000000001"
# Northpass API, GET /people: these are not always present.
_MAY_BE_MISSING = ("last_active_at", "deactivated_at", "activated_at", "sso_uid")


def _plain(*names: str) -> dict[str, Callable[[Any], Any]]:
    return {name: attrgetter(name) for name in names}


def _full_name(person: Person) -> str:
    return f"{person.first_name} {person.last_name}".strip()


PERSON: Attributes = {
    **_plain("email", "first_name", "last_name"),
    "full_name": _full_name,
    "name": _full_name,
    **_plain(
        "disabled",
        "created_at",
        "updated_at",
        "activated_at",
        "last_active_at",
        "deactivated_at",
        "registration_status",
        "unsubscribed",
        "sso_uid",
    ),
}
PROPERTIES: Attributes = _plain("properties")
MEMBERSHIP: Attributes = _plain("created_at")
WEBHOOK: Attributes = {
    "attempt_left": lambda _: 0,
    "created_at": attrgetter("created_at"),
    "received_at": attrgetter("created_at"),
    "type": attrgetter("type"),
    "url": attrgetter("url"),
    "payload": lambda message: _payload(message),
}
TRANSCRIPT: Attributes = {
    **_plain("name", "resource_type", "resource_id", "progress_status", "progress", "enrolled_at", "started_at"),
    **_plain("completed_at", "last_active_at", "expires_at", "attempt_number", "version_number", "score"),
}
ENROLLMENT: Attributes = {
    "person_id": attrgetter("person_id"),
    "course_id": attrgetter("resource_id"),
    **_plain("progress", "enrolled_at"),
}


def group_attributes(vendor_state: VendorState) -> Attributes:
    """Attributes of a group; the member count comes from the memberships."""
    return {
        **_plain("name", "description"),
        "user_count": vendor_state.user_count,
        **_plain("created_at", "updated_at"),
    }


def course_attributes(enrollments: Mapping[str, int], completions: Mapping[str, int]) -> Attributes:
    """Attributes of a course, given how often each course id was enrolled in and completed."""
    return {
        **_plain("name", "status", "permalink", "full_description", "created_at", "updated_at"),
        "enrollments_count": lambda course: enrollments.get(course.id, 0),
        "credential_achievement_count": lambda course: completions.get(course.id, 0),
        "list_image_url": lambda course: f"https://images.example.com/{course.permalink}.png",
        "unpublished_changes": attrgetter("unpublished_changes"),
    }


def _resource(kind: str, row: Any, attributes: Attributes) -> dict[str, Any]:
    values = {name: read(row) for name, read in attributes.items()}
    return {"id": row.id, "type": kind, "attributes": values}


def _self(kind: str, row: Any) -> dict[str, Any]:
    """A resource's link to itself, which is an object; a list's links are text."""
    return {"self": {"href": f"/v2/{kind}/{row.id}", "methods": ["GET"]}}


def person(row: Person) -> dict[str, Any]:
    """A person; the group list is empty even for members, as the vendor's is (Northpass API, GET /people)."""
    resource = _resource("people", row, PERSON)
    if row.omits_empty:
        for name in _MAY_BE_MISSING:
            if resource["attributes"][name] is None:
                del resource["attributes"][name]
    resource["relationships"] = {
        "school": {"data": {"type": "schools", "id": SCHOOL_ID}},
        "groups": {"data": []},
        "partnerships": {"data": []},
    }
    return resource | {"links": _self("people", row)}


def group(row: Group, attributes: Attributes) -> dict[str, Any]:
    """A group."""
    return _resource("groups", row, attributes) | {"links": _self("groups", row)}


def course(row: Course, attributes: Attributes) -> dict[str, Any]:
    """A course."""
    return _resource("courses", row, attributes) | {"links": _self("courses", row)}


def course_properties(row: CourseProperties) -> dict[str, Any]:
    """The custom properties of a course."""
    return _resource("course_properties", row, PROPERTIES)


def membership(row: Membership) -> dict[str, Any]:
    """A membership; its id is its own, the member stands in the relationships."""
    relationships = {
        "person": {"data": {"type": "people", "id": row.person_id}},
        "group": {"data": {"type": "groups", "id": row.group_id}},
    }
    return _resource("memberships", row, MEMBERSHIP) | {"relationships": relationships}


def transcript(row: Transcript) -> dict[str, Any]:
    """A transcript row; the expiry under the name this row has it by, and missing when there is none."""
    resource = _resource("transcripts", row, TRANSCRIPT)
    expiry = resource["attributes"].pop("expires_at")
    if expiry is not None:
        resource["attributes"][row.expiry_attribute] = expiry
    if row.has_certificate:
        resource["links"] = {"certificate": f"https://certificates.example.com/{row.id}"}
    return resource


def enrollment(row: Transcript) -> dict[str, Any]:
    """A course enrollment: without completion date and expiry (Northpass API, course enrollments)."""
    return _resource("course_enrollments", row, ENROLLMENT) | {"id": f"{row.resource_id}-{row.person_id}"}


def webhook(row: Webhook) -> dict[str, Any]:
    """A message of the webhook log."""
    resource = _resource("webhook", row, WEBHOOK)
    if row.shape == "message_attribute":
        resource["attributes"]["person_id"] = row.person_id
    elif row.shape == "message_relationship":
        resource["relationships"] = {"person": {"data": {"type": "people", "id": row.person_id}}}
    return resource


WEBHOOK_SHAPES = (
    "relationship",
    "attribute",
    "nested",
    "nested_text",
    "message_attribute",
    "message_relationship",
    "nobody",
)


def _payload(row: Webhook) -> Any:
    course = {"course": {"data": {"type": "courses", "id": row.course_id}}}
    person = {"person": {"data": {"type": "people", "id": row.person_id}}}
    attributes = {"created_at": row.created_at}
    event: dict[str, Any] = {"id": row.event_id, "type": row.type, "attributes": attributes, "relationships": course}
    if row.shape == "relationship":
        event["relationships"] = course | person
    elif row.shape == "attribute":
        event["attributes"] = attributes | {"person_id": row.person_id}
    elif row.shape.startswith("nested"):
        inner = {"data": {"type": row.type, "relationships": person}}
        event["attributes"] = attributes | {"payload": json.dumps(inner) if row.shape == "nested_text" else inner}
    return {"data": event}
