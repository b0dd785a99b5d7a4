"""The Northpass API's endpoints (Northpass API, endpoints) over the sandbox's vendor state."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from lms_assets.sandbox.calls.exchange import Call, Refused, Reply, json_reply
from lms_assets.sandbox.northpass import resources as show
from lms_assets.sandbox.northpass.listing import Listing, page_of
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.state.timestamps import to_text

Handler = Callable[[Sandbox, Call], Awaitable[Reply]]
_WEBHOOK_DAYS = 90
_MOST_WEBHOOKS = 50
_MOST_PEOPLE_REMOVED = 100
_MOST_MEMBERSHIPS = 500
_PEOPLE_A_TURN = 500


async def courses(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /courses`: without the older versions that only the properties list knows."""
    attributes = await _course_attributes(sandbox)
    listing = Listing(
        ("courses",),
        ("courses", "transcripts"),
        lambda: list(sandbox.vendor_state.courses.values()),
        attributes,
        lambda row: show.course(row, attributes),
    )
    return await page_of(sandbox, call, listing)


async def _course_attributes(sandbox: Sandbox) -> show.Attributes:
    """Counted with turns for others in between: a call that waits would be stamped too late by the rate limit."""
    found: show.Attributes | None = sandbox.recall("course attributes", ("transcripts",))
    if found is not None:
        return found
    revisions = sandbox.revisions(("transcripts",))
    enrolled: Counter[str] = Counter()
    completed: Counter[str] = Counter()
    for number, rows in enumerate(list(sandbox.vendor_state.transcripts.values())):
        of_courses = [row for row in rows if row.resource_type == "course"]
        enrolled.update(row.resource_id for row in of_courses)
        completed.update(row.resource_id for row in of_courses if row.progress_status == "completed")
        if number % _PEOPLE_A_TURN == 0:
            await asyncio.sleep(0)
    return sandbox.keep("course attributes", revisions, show.course_attributes(enrolled, completed))


async def course_properties(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /properties/courses`."""
    listing = Listing(
        ("course_properties",),
        ("course_properties",),
        lambda: list(sandbox.vendor_state.course_properties.values()),
        show.PROPERTIES,
        show.course_properties,
    )
    return await page_of(sandbox, call, listing)


async def one_course_properties(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /properties/courses/{id}`: 403 for some."""
    row = _found(sandbox.vendor_state.course_properties, call)
    if row.forbidden:
        raise Refused(403, "Forbidden", "this course's properties may not be read with this key")
    return json_reply({"data": show.course_properties(row)})


async def course_enrollments(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /courses/{id}/enrollments`: one row a person, without completion and expiry."""
    course = _found(sandbox.vendor_state.courses, call)

    def rows() -> list[Any]:
        of_course = {
            row.person_id: row
            for row in sandbox.vendor_state.every_transcript()
            if row.resource_type == "course" and row.resource_id == course.id
        }
        return list(of_course.values())

    key = (f"enrollments of {course.id}",)
    listing = Listing(key, ("transcripts",), rows, show.ENROLLMENT, show.enrollment)
    return await page_of(sandbox, call, listing)


async def people(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /people`."""
    listing = Listing(
        ("people",), ("people",), lambda: list(sandbox.vendor_state.people.values()), show.PERSON, show.person
    )
    return await page_of(sandbox, call, listing)


async def one_person(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /people/{id}`."""
    return json_reply({"data": show.person(_found(sandbox.vendor_state.people, call))})


async def groups(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /groups`."""
    attributes = show.group_attributes(sandbox.vendor_state)
    listing = Listing(
        ("groups",),
        ("groups", "memberships"),
        lambda: list(sandbox.vendor_state.groups.values()),
        attributes,
        lambda row: show.group(row, attributes),
    )
    return await page_of(sandbox, call, listing)


async def one_group(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /groups/{id}`."""
    row = _found(sandbox.vendor_state.groups, call)
    return json_reply({"data": show.group(row, show.group_attributes(sandbox.vendor_state))})


async def memberships(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /groups/{id}/memberships`: for an empty group 404 or an empty list, as the group or the setting has it."""
    group = _found(sandbox.vendor_state.groups, call)
    setting = sandbox.config.empty_memberships
    listing = Listing(
        ("memberships", group.id),
        ("memberships",),
        lambda: list(sandbox.vendor_state.memberships[group.id].values()),
        show.MEMBERSHIP,
        show.membership,
        most_rows=_MOST_MEMBERSHIPS,
        empty_is_404=group.empty_is_404 if setting == "mixed" else setting == "404",
    )
    return await page_of(sandbox, call, listing)


async def transcripts(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /transcripts/{id}`: 404 when the person is gone, and when there is none, unless the setting says a list."""
    person = _found(sandbox.vendor_state.people, call)
    listing = Listing(
        ("transcripts", person.id),
        ("transcripts", "people"),
        lambda: sandbox.vendor_state.transcripts.get(person.id, []),
        show.TRANSCRIPT,
        show.transcript,
        empty_is_404=sandbox.config.empty_transcripts == "404",
    )
    return await page_of(sandbox, call, listing)


async def webhooks(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /webhooks`: the last three months, newest first, at most 50 a page."""
    since = to_text(sandbox.clock.now() - timedelta(days=_WEBHOOK_DAYS))
    listing = Listing(
        ("webhooks", since),
        ("webhooks",),
        lambda: [row for row in sandbox.vendor_state.webhooks if row.created_at >= since],
        show.WEBHOOK,
        show.webhook,
        most_rows=_MOST_WEBHOOKS,
    )
    return await page_of(sandbox, call, listing)


async def delete_group(sandbox: Sandbox, call: Call) -> Reply:
    """`DELETE /groups/{id}`."""
    remove_group(sandbox, _found(sandbox.vendor_state.groups, call).id)
    return Reply(204)


async def remove_members(sandbox: Sandbox, call: Call) -> Reply:
    """`DELETE /groups/{id}/relationships/people`: who is no member is passed over."""
    group = _found(sandbox.vendor_state.groups, call)
    try:
        entries = call.json()["data"]
        person_ids = [str(entry["id"]) for entry in entries if entry["type"] == "people"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(422, "Invalid body", 'send {"data": [{"type": "people", "id": "..."}]}', "/data") from error
    if len(person_ids) > _MOST_PEOPLE_REMOVED:
        raise Refused(422, "Too many", f"at most {_MOST_PEOPLE_REMOVED} people a call", "/data")
    for person_id in person_ids:
        leave_group(sandbox, group.id, person_id)
    return Reply(204)


def _found(rows: dict[str, Any], call: Call) -> Any:
    row = rows.get(call.params["id"])
    if row is None:
        raise Refused(404, "Not Found", f"{call.path} does not exist")
    return row


# Method and template -> handler; the template is also the name in counters and fault rules.
ENDPOINTS: dict[str, Handler] = {
    "GET /courses": courses,
    "GET /courses/{id}/enrollments": course_enrollments,
    "GET /properties/courses": course_properties,
    "GET /properties/courses/{id}": one_course_properties,
    "GET /people": people,
    "GET /people/{id}": one_person,
    "GET /groups": groups,
    "GET /groups/{id}": one_group,
    "GET /groups/{id}/memberships": memberships,
    "GET /transcripts/{id}": transcripts,
    "GET /webhooks": webhooks,
    "DELETE /groups/{id}": delete_group,
    "DELETE /groups/{id}/relationships/people": remove_members,
}


def remove_group(sandbox: Sandbox, group: str) -> str:
    """Delete a group and its memberships."""
    del sandbox.vendor_state.groups[group]
    sandbox.vendor_state.memberships.pop(group, None)
    sandbox.vendor_state.intended_links.pop(group, None)
    sandbox.vendor_state.touched("groups", "memberships")
    return group


def leave_group(sandbox: Sandbox, group: str, person: str) -> str:
    """Take a person out of a group; nothing happens when the person is not in."""
    if sandbox.vendor_state.memberships[group].pop(person, None) is not None:
        sandbox.vendor_state.groups[group].updated_at = sandbox.clock.text()
        sandbox.vendor_state.touched("groups", "memberships")
    return group
