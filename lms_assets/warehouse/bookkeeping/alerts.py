"""Incidents (`alert_incidents`, one row for one incident) and the messages about them that still have to be sent.

Messages wait in `sync_state`, one for each channel, so that a dead channel loses none. A message is leased while it is
being sent: two processes that look after the same incidents never send it twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from lms_assets.domain.operations.incident import Incident, Message
from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.schema.tables import alert_incidents, sync_state
from lms_assets.warehouse.sync_state import put_state
from lms_assets.warehouse.upsert.compare import chunks

OUTBOX = "alert_outbox"
LEASE = timedelta(minutes=5)
KEPT = timedelta(days=7)
LONGEST_WAIT = timedelta(hours=1)

_C = alert_incidents.c


def raise_incident(connection: Connection, incident: Incident, *, now: datetime) -> None:
    """Open an incident, or note that it was seen again; one that was closed opens again and is announced again."""
    query = select(_C.id, _C.closed_at, _C.occurrences).where(_C.incident_key == incident.key).with_for_update()
    row = connection.execute(query).one_or_none()
    seen: dict[str, Any] = {"kind": incident.kind, "last_seen_at": now, "details": _details(incident)}
    fresh = {"opened_at": now, "closed_at": None, "notified_at": None, "closed_notified_at": None, "occurrences": 1}
    if row is None:
        connection.execute(insert(alert_incidents).values(incident_key=incident.key, **seen, **fresh))
    else:
        again = fresh if row.closed_at is not None else {"occurrences": row.occurrences + 1}
        connection.execute(update(alert_incidents).where(_C.id == row.id).values(**seen, **again))


def close_incident(connection: Connection, key: str, *, now: datetime) -> bool:
    """Note that it is resolved; False when nothing was open under this key."""
    statement = update(alert_incidents).where(_C.incident_key == key, _C.closed_at.is_(None))
    return connection.execute(statement.values(closed_at=now)).rowcount > 0


def open_incidents(connection: Connection) -> tuple[Incident, ...]:
    """Incidents that still need a person, oldest first."""
    return _incidents(connection, _C.closed_at.is_(None))


def incidents_to_announce(connection: Connection) -> tuple[Incident, ...]:
    """Open ones whose beginning was not announced, and closed ones whose beginning was and whose end was not."""
    begun = _C.closed_at.is_(None) & _C.notified_at.is_(None)
    over = _C.closed_at.is_not(None) & _C.notified_at.is_not(None) & _C.closed_notified_at.is_(None)
    return _incidents(connection, begun | over)


def mark_announced(connection: Connection, incidents: Iterable[Incident], *, now: datetime) -> None:
    """Note that the beginning of open ones, and the end of closed ones, was announced."""
    for part in chunks(incidents):
        for column, keys in (
            ("notified_at", [each.key for each in part if each.closed_at is None]),
            ("closed_notified_at", [each.key for each in part if each.closed_at is not None]),
        ):
            if keys:
                statement = update(alert_incidents).where(_C.incident_key.in_(keys))
                connection.execute(statement.values({column: now}))


def _incidents(connection: Connection, which: Any) -> tuple[Incident, ...]:
    query = select(alert_incidents).where(which).order_by(_C.opened_at, _C.id)
    return tuple(_incident(row) for row in readable_rows(connection, query, _C.id)[0])


def _details(incident: Incident) -> dict[str, Any]:
    return {
        "what": incident.what,
        "since": incident.since.isoformat(),
        "effect": incident.effect,
        "remedy": incident.remedy,
        "grade": incident.grade,
        "assets": list(incident.assets),
        "run_id": incident.run_id,
    }


def _incident(row: Row[Any]) -> Incident:
    """The incident of a row; of one that another program wrote, what can be read of it."""
    details = dict(row.details) if isinstance(row.details, Mapping) else {}
    assets = details.get("assets")
    return Incident(
        key=row.incident_key,
        kind=row.kind,
        what=str(details.get("what") or "Something needs a person."),
        since=_instant(details.get("since")) or row.opened_at,
        effect=str(details.get("effect") or ""),
        remedy=str(details.get("remedy") or ""),
        grade=str(details.get("grade") or ""),
        assets=tuple(each for each in assets if isinstance(each, str)) if isinstance(assets, list) else (),
        run_id=details.get("run_id"),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


def _instant(stored: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(stored).astimezone(UTC)
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for one channel, which is known by a digest of its URL: the URL itself is a secret.

    Attributes:
        wait_until: not to be tried before (ISO 8601, UTC); a lease while it is being sent.
    """

    id: str
    channel: str
    title: str
    body: str
    good: bool
    made_at: str
    wait_until: str
    tries: int = 0


_KINDS: dict[str, type] = {
    **dict.fromkeys(("id", "channel", "title", "body", "made_at", "wait_until"), str),
    "good": bool,
    "tries": int,
}


def put_out(connection: Connection, messages: Iterable[Message], channels: Iterable[str], *, now: datetime) -> None:
    """Add messages, one for each channel, to be sent."""
    known, at = tuple(channels), now.isoformat()
    new = [
        Outgoing(uuid.uuid4().hex, channel, each.title, each.body, each.good, at, at)
        for each in messages
        for channel in known
    ]
    if new:
        waiting, odd = _locked(connection)
        _store(connection, [*waiting, *new], odd, now)


def lease_due(connection: Connection, channels: Iterable[str], *, now: datetime, limit: int = 20) -> list[Outgoing]:
    """Messages that are due, leased to the caller; those for channels that are gone, or too old, are forgotten."""
    known = set(channels)
    oldest = (now - KEPT).isoformat()
    stored, odd = _locked(connection)
    waiting = [each for each in stored if each.channel in known and each.made_at >= oldest]
    due = [each for each in waiting if each.wait_until <= now.isoformat()][:limit]
    ids = {each.id for each in due}
    leased_until = (now + LEASE).isoformat()
    _store(connection, [replace(e, wait_until=leased_until) if e.id in ids else e for e in waiting], odd, now)
    return due


def remove_sent(connection: Connection, message: Outgoing, *, now: datetime) -> None:
    """Forget a message that was sent."""
    waiting, odd = _locked(connection)
    _store(connection, [each for each in waiting if each.id != message.id], odd, now)


def give_back(connection: Connection, message: Outgoing, *, now: datetime) -> None:
    """Try a message that could not be sent again later: after 1, 2, 4 ... minutes, at most an hour."""
    wait = min(LONGEST_WAIT, timedelta(minutes=2**message.tries))
    again = replace(message, tries=message.tries + 1, wait_until=(now + wait).isoformat())
    waiting, odd = _locked(connection)
    _store(connection, [again if each.id == message.id else each for each in waiting], odd, now)


def _locked(connection: Connection) -> tuple[list[Outgoing], list[Any]]:
    """The messages, and what stands beside them that is none: it stays there, for a person to look at."""
    query = select(sync_state.c.value).where(sync_state.c.name == OUTBOX).with_for_update()
    stored = connection.execute(query).scalar_one_or_none() or []
    entries = stored if isinstance(stored, list) else [stored]
    odd = [each for each in entries if not _is_message(each)]
    return [Outgoing(**each) for each in entries if _is_message(each)], odd


def _is_message(entry: Any) -> bool:
    if not isinstance(entry, dict) or not set(entry) <= set(_KINDS) or not set(_KINDS) - {"tries"} <= set(entry):
        return False
    return all(isinstance(value, _KINDS[name]) for name, value in entry.items())


def _store(connection: Connection, messages: Iterable[Outgoing], odd: list[Any], now: datetime) -> None:
    put_state(connection, OUTBOX, [*odd, *(asdict(each) for each in messages)], now=now)
