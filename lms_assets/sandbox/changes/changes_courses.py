"""Changes of the LMS's courses and their properties. Same contract as `changes_lms`."""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.changes.changes_lms import set_attributes
from lms_assets.sandbox.sandbox import Sandbox

_LEAVE_OUT = "missing"


def add_course(sandbox: Sandbox, name: str, npcu: Any = 0) -> str:
    """Publish a course."""
    now = sandbox.clock.text()
    course_id = sandbox.factory.course(name, npcu, created_at=now, updated_at=now)
    sandbox.vendor_state.touched("courses", "course_properties")
    return course_id


def set_course(sandbox: Sandbox, course: str, fields: dict[str, Any]) -> str:
    """Set any fields of a listed course; a new name shows in its properties too."""
    set_attributes(sandbox.vendor_state.courses[course], {"updated_at": sandbox.clock.text()} | fields)
    if "name" in fields:
        sandbox.vendor_state.course_properties[course].properties["name"] = fields["name"]
    sandbox.vendor_state.touched("courses", "course_properties")
    return course


def archive_course(sandbox: Sandbox, course: str) -> str:
    """Take a course off `/courses`; the properties list goes on listing it."""
    del sandbox.vendor_state.courses[course]
    sandbox.vendor_state.touched("courses")
    return course


def delete_course(sandbox: Sandbox, course: str) -> str:
    """Remove a course from both lists; transcripts of it stay."""
    del sandbox.vendor_state.course_properties[course]
    sandbox.vendor_state.courses.pop(course, None)
    sandbox.vendor_state.touched("courses", "course_properties")
    return course


def set_npcu(sandbox: Sandbox, course: str, npcu: Any) -> str:
    """Set the NPCU property to any value; the text "missing" takes it away."""
    properties = sandbox.vendor_state.course_properties[course].properties
    properties.pop("npcu", None)
    if npcu != _LEAVE_OUT:
        properties["npcu"] = npcu
    if course in sandbox.vendor_state.courses:
        sandbox.vendor_state.courses[course].updated_at = sandbox.clock.text()
    sandbox.vendor_state.touched("courses", "course_properties")
    return course
