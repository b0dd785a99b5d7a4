"""Completed courses in the LMS's webhook log: which event it is, and whose. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lms_assets.domain.records.dates import harmless_date
from lms_assets.domain.records.values import ENTITY_ID_LIMIT, BadValue, Rejected, fingerprint, lms_id, object_of
from lms_assets.domain.wording import number_of

COURSE_COMPLETED = "course_completed_events"
WEBHOOK_MESSAGE = "webhook_message"
KEY_LIMIT = 200
NESTED_IN = ("payload", "data", "attributes")
MOST_NESTED = 8


# Where nothing was ever read, the log's last day is enough: the first full chain reads everybody.
FIRST_LOOK = timedelta(hours=24)
# Three months, less a week: nobody knows how the vendor counts them.
LOG_KEPT = timedelta(days=83)
# Everybody's transcripts cost thousands of calls, and the next message may be as unreadable as the last.
EVERYBODY_AGAIN_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Gap:
    """Completions up to `until` (UTC) of which nobody knows whose they are, and why. Only reading everybody closes it.

    `asked_at`: when a run was last started that reads everybody on that account.
    """

    until: datetime
    reason: str
    asked_at: datetime | None = None

    def is_open(self, everybody_read_at: datetime | None) -> bool:
        """Whether everybody was not read since, by the start of the chain that read them."""
        return everybody_read_at is None or everybody_read_at < self.until

    def may_ask(self, now: datetime) -> bool:
        """Whether everybody may be read on its account now."""
        return self.asked_at is None or now - self.asked_at >= EVERYBODY_AGAIN_AFTER


def look_from(read_until: datetime | None, everybody_read_at: datetime | None, now: datetime) -> datetime:
    """From when on the log has to be read: what is older was read, or came with everybody's transcripts."""
    known = [each for each in (read_until, everybody_read_at) if each is not None]
    return max(known, default=now - FIRST_LOOK)


def gap_in(begin: datetime, unreadable: int, now: datetime) -> Gap | None:
    """What a reading of the log from `begin` on cannot tell; `unreadable`: new messages that name nobody."""
    if begin < now - LOG_KEPT:
        return Gap(now, f"the log was last read on {begin:%Y-%m-%d}, and it holds three months")
    if unreadable:
        return Gap(now, f"{number_of(unreadable, 'message names', 'messages name')} nobody")
    return None


@dataclass(frozen=True, slots=True)
class Completion:
    """Somebody completed a course. `key` is the event's own: its messages to several endpoints share it."""

    key: str
    person_id: str


def completion_from_message(record: Any) -> Completion | Rejected | None:
    """The completion in a webhook message; None for another type, a rejection for what cannot be read. Never raises.

    Source: Northpass API, endpoints: one message per subscribed endpoint, so the same event can appear several times;
    the person stands in a relationship, in `person_id`, or in a payload inside, depending on the event.
    An event without an id of its own is known by its message's id: read twice costs a call, left out costs a count.
    """
    try:
        attributes = object_of(record, "attributes")
        kind = attributes.get("type")
        if not isinstance(kind, str):
            return _unreadable(record, "no type")
        if kind != COURSE_COMPLETED:
            return None
        person = _person_in(record)
        if person is None:
            return _unreadable(record, "no person in relationships.person, person_id or the payload")
        return Completion(lms_id(_event_id(attributes) or record.get("id"))[:KEY_LIMIT], lms_id(person))
    except BadValue as problem:
        return _unreadable(record, str(problem))


def _unreadable(record: Any, problem: str) -> Rejected:
    found = record.get("id") if isinstance(record, Mapping) else None
    entity_id = found[:ENTITY_ID_LIMIT] if isinstance(found, str) and found else fingerprint(record)
    return Rejected("bad", WEBHOOK_MESSAGE, entity_id, problem)


def _event_id(attributes: Mapping[str, Any]) -> Any:
    """The id of the event itself, which its messages share; only a resource in the payload has one."""
    payload = _decoded(attributes.get("payload"))
    event = payload.get("data") if isinstance(payload, Mapping) else None
    return event.get("id") if isinstance(event, Mapping) else None


def _person_in(node: Any, depth: int = 0) -> Any:
    """The person's id in a message or in what is nested in it: the innermost, which is the event's own."""
    node = _decoded(node)
    if not isinstance(node, Mapping) or depth > MOST_NESTED:
        return None
    for name in NESTED_IN:
        person = _person_in(node.get(name), depth + 1)
        if person is not None:
            return person
    named = _at(node, "relationships", "person", "data", "id")
    return named if named is not None else node.get("person_id")


def _at(node: Any, *path: str) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _decoded(value: Any) -> Any:
    """A payload may come as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def recent_messages(records: Iterable[Any], since: datetime) -> Iterable[Any]:
    """The messages up to the first older than `since`, as long as they come newest first; otherwise all of them.

    The log holds three months, and a vendor that ignores the time filter lists them all.
    """
    newest_first, before = True, None
    for record in records:
        attributes = record.get("attributes") if isinstance(record, Mapping) else None
        at = harmless_date(attributes.get("created_at")) if isinstance(attributes, Mapping) else None
        if at is not None:
            newest_first = newest_first and (before is None or at <= before)
            before = at
            if at < since:
                if newest_first:
                    return
                continue
        yield record
