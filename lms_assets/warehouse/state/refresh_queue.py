"""People whose transcript is to be read soon, since a webhook told of a completed course (`sync_state`).

Events are noted and people queued in one transaction, and people leave the queue in the transaction that writes what
was read of them: whatever process dies in between, no event is lost and none counts twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from lms_assets.domain.records.completions import WEBHOOK_MESSAGE, Gap, gap_in
from lms_assets.domain.records.values import Rejected
from lms_assets.warehouse.bookkeeping.failures import open_failures_before, replace_failures
from lms_assets.warehouse.schema.tables import lms_users, sync_state, webhook_events_seen
from lms_assets.warehouse.sync_state import advance_state, get_state, put_state
from lms_assets.warehouse.upsert.compare import chunks

WEBHOOKS = "webhooks"
# By then seven full chains have read everybody's transcript.
UNREADABLE_SHOWN_FOR = timedelta(days=7)
_QUEUE = "people_to_refresh"
_READ_UNTIL = "webhook_log_read_until"
_GAP = "webhook_log_gap"
_EVERYBODY_READ = "everybody_read_as_of"


@dataclass(frozen=True, slots=True)
class LogState:
    """How far the vendor's log is known. Times are UTC.

    Attributes:
        read_until: up to when it was read; None when it never was.
        everybody_read_at: start of the newest chain that read everybody's transcript.
        gap: the last gap that was found, open or closed.
    """

    read_until: datetime | None
    everybody_read_at: datetime | None
    gap: Gap | None

    @property
    def open_gap(self) -> Gap | None:
        """The gap while it is open."""
        return self.gap if self.gap is not None and self.gap.is_open(self.everybody_read_at) else None


def log_state(connection: Connection) -> LogState:
    """How far the log is known, as stored; every field is None before the first reading."""
    gap = get_state(connection, _GAP)
    return LogState(
        _instant(get_state(connection, _READ_UNTIL)),
        _instant(get_state(connection, _EVERYBODY_READ)),
        None if gap is None else Gap(datetime.fromisoformat(gap["until"]), gap["reason"], _instant(gap["asked_at"])),
    )


def note_everybody_read(connection: Connection, as_of: datetime, *, now: datetime) -> None:
    """Note that everybody's transcript was read by a chain that began at `as_of`; who could not be read stays due."""
    advance_state(connection, _EVERYBODY_READ, as_of, now=now)


def note_everybody_asked(connection: Connection, gap: Gap, *, now: datetime) -> None:
    """Note that a run was started to close a gap."""
    _put_gap(connection, replace(gap, asked_at=now), now)


def _put_gap(connection: Connection, gap: Gap, now: datetime) -> None:
    asked_at = gap.asked_at.isoformat() if gap.asked_at else None
    value = {"until": gap.until.isoformat(), "reason": gap.reason, "asked_at": asked_at}
    put_state(connection, _GAP, value, now=now)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class LogReading:
    """What a reading of the vendor's log from `begin` to `until` (UTC) found.

    Attributes:
        person_of_event: event key to LMS person id.
        unreadable: messages of which nobody knows whose they are; shown by a check for a week.
    """

    begin: datetime
    until: datetime
    person_of_event: Mapping[str, str]
    unreadable: Sequence[Rejected] = ()


def note_events(connection: Connection, read: LogReading, *, wanted: Collection[str], now: datetime) -> int:
    """Note events by their key, and queue those of their people who are wanted; gives how many events were new.

    Args:
        wanted: people who count for a partner; whoever else completes a course concerns nobody.
    """
    new_failures = replace_failures(connection, WEBHOOKS, WEBHOOK_MESSAGE, read.unreadable, now=now, complete=False)
    gap, before = gap_in(read.begin, new_failures, now), log_state(connection).gap
    if gap is not None:
        _put_gap(connection, replace(gap, asked_at=before.asked_at if before else None), now)
    old = open_failures_before(connection, WEBHOOKS, now - UNREADABLE_SHOWN_FOR)
    replace_failures(connection, WEBHOOKS, WEBHOOK_MESSAGE, (), now=now, complete=False, right=old)
    c = webhook_events_seen.c
    new: dict[str, str] = {}
    for part in chunks(read.person_of_event):
        known = set(connection.execute(select(c.event_key).where(c.event_key.in_(part))).scalars())
        new |= {key: read.person_of_event[key] for key in part if key not in known}
    if new:
        connection.execute(insert(webhook_events_seen), [{"event_key": key, "seen_at": now} for key in new])
        people = set(new.values()) & set(wanted)
        queue = _locked_queue(connection)
        put_state(connection, _QUEUE, queue | dict.fromkeys(people, now.isoformat()), now=now)
    put_state(connection, _READ_UNTIL, read.until.isoformat(), now=now)
    return len(new)


def queued_people(connection: Connection) -> dict[str, datetime]:
    """LMS person id to when the last event of theirs was noted."""
    return {person: datetime.fromisoformat(at) for person, at in (get_state(connection, _QUEUE) or {}).items()}


def people_read_since(connection: Connection, people: Collection[str], instant: datetime) -> set[str]:
    """Those of these LMS people whose transcript was read completely at an instant or later."""
    c = lms_users.c
    found: set[str] = set()
    for part in chunks(people):
        query = select(c.id).where(c.id.in_(part), c.enrollment_synced_at >= instant)
        found |= set(connection.execute(query).scalars())
    return found


def unqueue(connection: Connection, people: Collection[str], *, noted_until: datetime, now: datetime) -> None:
    """Take out of the queue those of these people whose last event was noted at or before an instant."""
    queue = _locked_queue(connection)
    limit = noted_until.isoformat()
    left = {person: at for person, at in queue.items() if person not in people or _later(at, limit)}
    if left != queue:
        put_state(connection, _QUEUE, left, now=now)


def forget_events_before(connection: Connection, before: datetime) -> int:
    """Forget events noted before an instant, which must be further back than the vendor's log; gives how many."""
    return connection.execute(delete(webhook_events_seen).where(webhook_events_seen.c.seen_at < before)).rowcount


def _locked_queue(connection: Connection) -> dict[str, str]:
    query = select(sync_state.c.value).where(sync_state.c.name == _QUEUE).with_for_update()
    return dict(connection.execute(query).scalar_one_or_none() or {})


def _later(at: str, limit: str) -> bool:
    return datetime.fromisoformat(at) > datetime.fromisoformat(limit)
