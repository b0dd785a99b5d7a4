"""Changes of the LMS's courses and their properties. Same contract as `mutations_lms`."""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.state.changes_lms import set_attributes

_LEAVE_OUT = "missing"


def add_course(sandbox: Sandbox, name: str, npcu: Any = 0) -> str:
    """Publish a course."""
    now = sandbox.clock.text()
    course_id = sandbox.maker.course(name, npcu, created_at=now, updated_at=now)
    sandbox.world.touched("courses", "course_properties")
    return course_id


def set_course(sandbox: Sandbox, course: str, fields: dict[str, Any]) -> str:
    """Set any fields of a listed course; a new name shows in its properties too."""
    set_attributes(sandbox.world.courses[course], {"updated_at": sandbox.clock.text()} | fields)
    if "name" in fields:
        sandbox.world.course_properties[course].properties["name"] = fields["name"]
    sandbox.world.touched("courses", "course_properties")
    return course


def archive_course(sandbox: Sandbox, course: str) -> str:
    """Take a course off `/courses`; the properties list goes on listing it."""
    del sandbox.world.courses[course]
    sandbox.world.touched("courses")
    return course


def delete_course(sandbox: Sandbox, course: str) -> str:
    """Remove a course from both lists; transcripts of it stay."""
    del sandbox.world.course_properties[course]
    sandbox.world.courses.pop(course, None)
    sandbox.world.touched("courses", "course_properties")
    return course


def set_npcu(sandbox: Sandbox, course: str, npcu: Any) -> str:
    """Set the NPCU property to any value; the text "missing" takes it away."""
    properties = sandbox.world.course_properties[course].properties
    properties.pop("npcu", None)
    if npcu != _LEAVE_OUT:
        properties["npcu"] = npcu
    if course in sandbox.world.courses:
        sandbox.world.courses[course].updated_at = sandbox.clock.text()
    sandbox.world.touched("courses", "course_properties")
    return course
