"""Open and past incidents (`alert_incidents`): one row an incident, so that one incident is one alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, insert, select, update

from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.schema.tables import alert_incidents
from lms_assets.warehouse.upsert.compare import chunks

__all__ = [
    "Incident",
    "close_incident",
    "incidents_to_announce",
    "mark_announced",
    "open_incidents",
    "raise_incident",
]


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that needs a person.

    Attributes:
        key: the same for the same incident.
        opened_at, last_seen_at: first and latest time it was seen.
        closed_at: when it was resolved; None while it is not.
        notified_at, closed_notified_at: when a person was told of it, and of its end.
    """

    id: int
    key: str
    kind: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    notified_at: datetime | None
    closed_notified_at: datetime | None
    occurrences: int
    details: Mapping[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether it still needs a person."""
        return self.closed_at is None


def raise_incident(
    connection: Connection, key: str, kind: str, *, now: datetime, details: Mapping[str, Any] | None = None
) -> Incident:
    """Open an incident, or note that it was seen again; one that was closed opens again and is announced again."""
    c = alert_incidents.c
    row = connection.execute(_by_key(key, c.id, c.closed_at, c.occurrences).with_for_update()).one_or_none()
    seen: dict[str, Any] = {"kind": kind, "last_seen_at": now, "details": dict(details or {})}
    fresh = {"opened_at": now, "closed_at": None, "notified_at": None, "closed_notified_at": None, "occurrences": 1}
    if row is None:
        connection.execute(insert(alert_incidents).values(incident_key=key, **seen, **fresh))
    else:
        again = fresh if row.closed_at is not None else {"occurrences": row.occurrences + 1}
        connection.execute(update(alert_incidents).where(alert_incidents.c.id == row.id).values(**seen, **again))
    return _incident(connection.execute(_by_key(key)).one())


def close_incident(connection: Connection, key: str, *, now: datetime) -> bool:
    """Note that it is resolved; False when nothing was open under this key."""
    c = alert_incidents.c
    statement = update(alert_incidents).where(c.incident_key == key, c.closed_at.is_(None))
    return connection.execute(statement.values(closed_at=now)).rowcount > 0


def open_incidents(connection: Connection, kind: str | None = None) -> tuple[Incident, ...]:
    """Incidents that still need a person, oldest first."""
    c = alert_incidents.c
    query = select(alert_incidents).where(c.closed_at.is_(None)).order_by(c.opened_at, c.id)
    if kind is not None:
        query = query.where(c.kind == kind)
    return tuple(_incident(row) for row in readable_rows(connection, query, c.id)[0])


def incidents_to_announce(connection: Connection) -> tuple[Incident, ...]:
    """Open ones nobody was told of, and closed ones whose beginning was announced but not their end."""
    c = alert_incidents.c
    begun = c.closed_at.is_(None) & c.notified_at.is_(None)
    over = c.closed_at.is_not(None) & c.notified_at.is_not(None) & c.closed_notified_at.is_(None)
    query = select(alert_incidents).where(begun | over).order_by(c.opened_at, c.id)
    return tuple(_incident(row) for row in readable_rows(connection, query, c.id)[0])


def mark_announced(connection: Connection, incidents: Iterable[Incident], *, now: datetime) -> None:
    """Note that alerts were sent: of the beginning of open incidents, and of the end of closed ones."""
    for part in chunks(incidents):
        for column, ids in (
            ("notified_at", [each.id for each in part if each.is_open]),
            ("closed_notified_at", [each.id for each in part if not each.is_open]),
        ):
            if ids:
                statement = update(alert_incidents).where(alert_incidents.c.id.in_(ids))
                connection.execute(statement.values({column: now}))


def _by_key(key: str, *columns: Column[Any]) -> Select[Any]:
    return select(*(columns or alert_incidents.c)).where(alert_incidents.c.incident_key == key)


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        row.id,
        row.incident_key,
        row.kind,
        row.opened_at,
        row.last_seen_at,
        row.closed_at,
        row.notified_at,
        row.closed_notified_at,
        row.occurrences,
        _details(row.details),
    )


def _details(stored: Any) -> Mapping[str, Any]:
    """What is kept of an incident, in the shape in which it was written; a row of another shape says nothing."""
    details = dict(stored) if isinstance(stored, Mapping) else {}
    assets = details.get("assets")
    details["assets"] = [each for each in assets if isinstance(each, str)] if isinstance(assets, list) else []
    return details
