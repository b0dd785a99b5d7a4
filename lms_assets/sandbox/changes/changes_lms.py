"""Changes of the LMS, each as consistent as the vendor keeps it: `updated_at`, `last_active_at`, webhook log.

Every function takes the sandbox first and returns the id of what it made or changed. An id that does not exist is a
KeyError, a value that cannot be is a ValueError.
"""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.northpass.api import leave_group
from lms_assets.sandbox.northpass.resources import WEBHOOK_SHAPES
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.seeding import build_lms
from lms_assets.sandbox.state.timestamps import from_text, shifted, to_text
from lms_assets.sandbox.state.vendor_state import Person, Transcript

_VALID_DAYS = 730


def complete_course(
    sandbox: Sandbox,
    person: str,
    course: str,
    *,
    when: str | None = None,
    expires_at: str | None = "default",
    score: float | None = 95.0,
    message_shape: str = WEBHOOK_SHAPES[0],
) -> str:
    """Complete a course: an attempt under way, else a first or further attempt. Returns the transcript row's id.

    `expires_at`: "default" is 730 days after completion, None is no expiry. `message_shape`: where the webhook message
    names the person.
    """
    if message_shape not in WEBHOOK_SHAPES:
        raise ValueError(f"message_shape {message_shape}; there are: {', '.join(WEBHOOK_SHAPES)}")
    who = sandbox.vendor_state.people[person]
    done_at = to_text(from_text(when)) if when else sandbox.clock.text()
    row = _open_attempt(sandbox, who, course) or _new_attempt(sandbox, who, course, done_at)
    row.progress_status, row.progress, row.score = "completed", 100, score
    row.completed_at = row.last_active_at = done_at
    row.expires_at = shifted(done_at, days=_VALID_DAYS) if expires_at == "default" else expires_at
    row.has_certificate = True
    _active(sandbox, who, done_at)
    _log(sandbox, build_lms.WEBHOOK_TYPES[0], row, done_at, message_shape)
    return row.id


def enroll(sandbox: Sandbox, person: str, course: str, when: str | None = None) -> str:
    """Enroll in a course. Returns the transcript row's id."""
    who = sandbox.vendor_state.people[person]
    at = to_text(from_text(when)) if when else sandbox.clock.text()
    row = _new_attempt(sandbox, who, course, at)
    row.started_at = None
    _active(sandbox, who, at)
    _log(sandbox, build_lms.WEBHOOK_TYPES[1], row, at)
    return row.id


def _open_attempt(sandbox: Sandbox, person: Person, course: str) -> Transcript | None:
    rows = sandbox.vendor_state.transcripts.get(person.id, ())
    return next((row for row in rows if row.resource_id == course and row.progress_status != "completed"), None)


def _new_attempt(sandbox: Sandbox, person: Person, course: str, at: str) -> Transcript:
    earlier = [row for row in sandbox.vendor_state.transcripts.get(person.id, ()) if row.resource_id == course]
    return sandbox.factory.transcript(
        person,
        course,
        days_ago=0,
        enrolled_at=shifted(at, hours=-2),
        started_at=shifted(at, hours=-1),
        attempt_number=max((row.attempt_number for row in earlier), default=0) + 1,
    )


def _active(sandbox: Sandbox, person: Person, at: str) -> None:
    person.last_active_at = max(person.last_active_at or "", min(at, sandbox.clock.text()))
    if sandbox.config.activity_moves_updated_at:
        person.updated_at = sandbox.clock.text()
    sandbox.vendor_state.touched("people", "transcripts")


def _log(sandbox: Sandbox, kind: str, row: Transcript, at: str, shape: str = WEBHOOK_SHAPES[0]) -> None:
    for message in build_lms.log_event(sandbox.factory, kind, row, at):
        message.shape = shape
    sandbox.vendor_state.webhooks.sort(key=lambda message: (message.created_at, message.id), reverse=True)
    sandbox.vendor_state.touched("webhooks")


def remove_transcript(sandbox: Sandbox, transcript: str) -> str:
    """Remove a row from its person's record; nothing else shows it."""
    row = _transcript(sandbox, transcript)
    sandbox.vendor_state.transcripts[row.person_id].remove(row)
    sandbox.vendor_state.touched("transcripts")
    return transcript


def set_transcript(sandbox: Sandbox, transcript: str, fields: dict[str, Any]) -> str:
    """Set any fields of a transcript row, silently."""
    set_attributes(_transcript(sandbox, transcript), fields)
    sandbox.vendor_state.touched("transcripts")
    return transcript


def _transcript(sandbox: Sandbox, transcript: str) -> Transcript:
    for row in sandbox.vendor_state.every_transcript():
        if row.id == transcript:
            return row
    raise KeyError(transcript)


def add_person(sandbox: Sandbox, email: str | None, first_name: str = "New", last_name: str = "Learner") -> str:
    """Register a person, active from now."""
    now = sandbox.clock.text()
    times = dict.fromkeys(("created_at", "updated_at", "activated_at", "last_active_at"), now)
    row = sandbox.factory.person(email, first_name, last_name, **times)
    sandbox.vendor_state.touched("people")
    return row.id


def delete_person(sandbox: Sandbox, person: str, keep_memberships: bool = False) -> str:
    """Delete a person with the record; memberships go too unless they are to be left dangling."""
    del sandbox.vendor_state.people[person]
    sandbox.vendor_state.transcripts.pop(person, None)
    if not keep_memberships:
        for group_id, members in sandbox.vendor_state.memberships.items():
            if person in members:
                leave_group(sandbox, group_id, person)
    sandbox.vendor_state.touched("people", "transcripts")
    return person


def disable_person(sandbox: Sandbox, person: str, dated: bool = True) -> str:
    """Disable a person, with or without a `deactivated_at`."""
    now = sandbox.clock.text()
    return set_person(sandbox, person, {"disabled": True, "deactivated_at": now if dated else None})


def enable_person(sandbox: Sandbox, person: str) -> str:
    """Enable a person again."""
    return set_person(sandbox, person, {"disabled": False, "deactivated_at": None})


def rename_person(sandbox: Sandbox, person: str, first_name: str, last_name: str) -> str:
    """Give a person another name."""
    return set_person(sandbox, person, {"first_name": first_name, "last_name": last_name})


def change_person_email(sandbox: Sandbox, person: str, email: str | None) -> str:
    """Give a person another e-mail address, or none."""
    return set_person(sandbox, person, {"email": email})


def touch_person(sandbox: Sandbox, person: str) -> str:
    """A person logs in: `last_active_at` moves, and `updated_at` where activity moves it."""
    _active(sandbox, sandbox.vendor_state.people[person], sandbox.clock.text())
    return person


def set_person(sandbox: Sandbox, person: str, fields: dict[str, Any]) -> str:
    """Set any fields of a person; `updated_at` moves unless it is among them."""
    row = sandbox.vendor_state.people[person]
    set_attributes(row, {"updated_at": sandbox.clock.text()} | fields)
    sandbox.vendor_state.touched("people")
    return person


def add_group(sandbox: Sandbox, name: str, account: int | None = None) -> str:
    """Make a group; `account`: the one it is meant for."""
    now = sandbox.clock.text()
    owner = sandbox.vendor_state.accounts[account] if account is not None else None
    row = sandbox.factory.group(name, owner, created_at=now, updated_at=now)
    sandbox.vendor_state.touched("groups", "memberships")
    return row.id


def rename_group(sandbox: Sandbox, group: str, name: str) -> str:
    """Give a group another name; which account it is meant for stays."""
    return set_group(sandbox, group, {"name": name})


def set_group(sandbox: Sandbox, group: str, fields: dict[str, Any]) -> str:
    """Set any fields of a group."""
    set_attributes(sandbox.vendor_state.groups[group], {"updated_at": sandbox.clock.text()} | fields)
    sandbox.vendor_state.touched("groups", "memberships")
    return group


def add_member(sandbox: Sandbox, group: str, person: str) -> str:
    """Put a person (who may be gone) into a group; the group's `updated_at` moves, the person's does not."""
    row = sandbox.vendor_state.groups[group]
    sandbox.factory.join(row, person)
    sandbox.vendor_state.memberships[group][person].created_at = row.updated_at = sandbox.clock.text()
    sandbox.vendor_state.touched("groups", "memberships")
    return group


def set_attributes(row: Any, fields: dict[str, Any]) -> None:
    """Set attributes of a row; raises ValueError for one that it does not have."""
    unknown = [name for name in fields if not hasattr(row, name)]
    if unknown:
        raise ValueError(f"{type(row).__name__} has no {', '.join(unknown)}")
    for name, value in fields.items():
        setattr(row, name, value)
