"""Completed courses in the LMS's webhook log: which event it is, and whose. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.dates import harmless_date
from lms_assets.domain.values import BadValue, lms_id, object_of

COURSE_COMPLETED = "course_completed_events"
KEY_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Completion:
    """Somebody completed a course. `key` is the event's own: its messages to several endpoints share it."""

    key: str
    person_id: str


def completion_from_message(record: Any) -> Completion | None:
    """The completion in a webhook message; None for another type and for what cannot be read. Never raises.

    Source: Northpass API, endpoints: one message per subscribed endpoint, so the same event can appear several times.
    An event without an id of its own is known by its message's id: read twice costs a call, left out costs a count.
    """
    try:
        attributes = object_of(record, "attributes")
        if attributes.get("type") != COURSE_COMPLETED:
            return None
        event = object_of(_payload(attributes), "data")
        person = object_of(object_of(object_of(event, "relationships"), "person"), "data")
        return Completion(lms_id(event.get("id") or record.get("id"))[:KEY_LIMIT], lms_id(person.get("id")))
    except BadValue:
        return None


def _payload(attributes: Mapping[str, Any]) -> Any:
    payload = attributes.get("payload")
    if not isinstance(payload, str):
        return payload
    try:
        return json.loads(payload)
    except ValueError:
        raise BadValue("payload: neither an object nor JSON") from None


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
