"""Messages that still have to be sent, one for each channel (`sync_state`), so that a dead channel loses none.

A message is leased while somebody sends it: two processes that look after the same incidents never send it twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from lms_assets.warehouse.schema.tables import sync_state
from lms_assets.warehouse.state.sync_state import put_state

__all__ = ["OUTBOX", "Outgoing", "give_back", "lease_due", "put_out", "remove_sent"]

OUTBOX = "alert_outbox"
_KINDS: dict[str, type] = {
    **dict.fromkeys(("id", "channel", "title", "body", "made_at", "wait_until"), str),
    "good": bool,
    "tries": int,
}
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
    waiting, odd = _locked(connection)
    _store(connection, [*waiting, *messages], odd, now)


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
