"""Messages that still have to be sent, one for each channel (`sync_state`), so that a dead channel loses none.

A message is leased while somebody sends it: two processes that look after the same incidents never send it twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from lms_assets.warehouse.state import put_state
from lms_assets.warehouse.tables import sync_state

__all__ = ["Outgoing", "give_back", "lease_due", "put_out", "remove_sent"]

_OUTBOX = "alert_outbox"
LEASE = timedelta(minutes=5)
KEPT = timedelta(days=7)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for one channel, which is known by a digest of its URL: the URL itself is a secret.

    Attributes:
        wait_until: not to be tried before (ISO 8601, UTC); a lease while somebody sends it.
    """

    id: str
    channel: str
    title: str
    body: str
    good: bool
    made_at: str
    wait_until: str
    tries: int = 0


def put_out(connection: Connection, messages: Iterable[Outgoing], *, now: datetime) -> None:
    """Add messages to be sent."""
    waiting = _locked(connection)
    _store(connection, [*waiting, *messages], now)


def lease_due(connection: Connection, channels: Iterable[str], *, now: datetime, limit: int = 20) -> list[Outgoing]:
    """Messages that are due, leased to the caller; those for channels that are gone, or too old, are forgotten."""
    known = set(channels)
    oldest = (now - KEPT).isoformat()
    waiting = [each for each in _locked(connection) if each.channel in known and each.made_at >= oldest]
    due = [each for each in waiting if each.wait_until <= now.isoformat()][:limit]
    ids = {each.id for each in due}
    leased_until = (now + LEASE).isoformat()
    _store(connection, [replace(e, wait_until=leased_until) if e.id in ids else e for e in waiting], now)
    return due


def remove_sent(connection: Connection, message: Outgoing, *, now: datetime) -> None:
    """Forget a message that was sent."""
    _store(connection, [each for each in _locked(connection) if each.id != message.id], now)


def give_back(connection: Connection, message: Outgoing, *, now: datetime) -> None:
    """Try a message that could not be sent again later: after 1, 2, 4 ... minutes, at most an hour."""
    wait = min(LONGEST_WAIT, timedelta(minutes=2**message.tries))
    again = replace(message, tries=message.tries + 1, wait_until=(now + wait).isoformat())
    _store(connection, [again if each.id == message.id else each for each in _locked(connection)], now)


def _locked(connection: Connection) -> list[Outgoing]:
    query = select(sync_state.c.value).where(sync_state.c.name == _OUTBOX).with_for_update()
    stored: list[dict[str, Any]] = connection.execute(query).scalar_one_or_none() or []
    return [Outgoing(**each) for each in stored]


def _store(connection: Connection, messages: Iterable[Outgoing], now: datetime) -> None:
    put_state(connection, _OUTBOX, [asdict(each) for each in messages], now=now)
