"""What people allowed single runs (`sync_overrides`): issued as a token, claimed by one run, each use noted."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from lms_assets.domain.safety.overrides import Overrides, as_tag, from_tag
from lms_assets.warehouse.schema.tables import sync_override_uses, sync_overrides

LIFETIME = timedelta(minutes=30)
"""How long after it was issued a token can be given to a new run."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The overrides of one run: `id` is None with a `problem` that says why they are not valid.

    `holder`: the other run that has the token.
    """

    id: int | None
    names: frozenset[str] = frozenset()
    problem: str | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class OverrideUse:
    """A limit that a run passed because somebody allowed it; `number` is how many rows it was about."""

    what: str
    scope: str
    number: int | None
    asset: str
    used_by: str | None
    used_at: datetime
    run_id: str | None


def issue(connection: Connection, names: Iterable[str], *, by: str, now: datetime, run_id: str | None = None) -> str:
    """Store an override and give its token, which is kept nowhere: the table has its hash only.

    Args:
        run_id: the run that it is for, where that is known; else the first run that comes gets it.
    """
    token = secrets.token_urlsafe(24)
    values = {
        "token_hash": _hash(token),
        "allows": as_tag(names),
        "issued_by": by[:255],
        "issued_at": now,
        "expires_at": now + LIFETIME,
        "run_id": run_id,
        "claimed_at": now if run_id else None,
    }
    connection.execute(insert(sync_overrides).values(values))
    return token


def claim(connection: Connection, token: str, *, run_id: str, run_created_at: datetime, now: datetime) -> Claim:
    """Bind a token to a run, where it is not bound yet: the first run that comes gets it, and no other does.

    Args:
        run_created_at: a run that waited in the queue may come late; what counts is when it was made.
    """
    c = sync_overrides.c
    free = c.token_hash == _hash(token), c.run_id.is_(None), c.expires_at >= run_created_at
    connection.execute(update(sync_overrides).where(*free).values(run_id=run_id, claimed_at=now))
    query = select(c.id, c.allows, c.run_id, c.expires_at).where(c.token_hash == _hash(token))
    row = connection.execute(query).one_or_none()
    if row is None:
        return Claim(None, problem="its token is unknown")
    if row.run_id == run_id:
        return Claim(row.id, from_tag(row.allows))
    if row.run_id is None:
        return Claim(None, problem=f"its token expired at {row.expires_at:%Y-%m-%d %H:%M} UTC")
    return Claim(None, problem=f"its token was for run {row.run_id[:8]}; a token is for one run", holder=row.run_id)


def note_uses(connection: Connection, overrides: Overrides, *, asset: str, run_id: str, now: datetime) -> None:
    """Note the limits that a step passed; one that is tried again notes each once, with its last number."""
    c, o = sync_override_uses.c, sync_overrides.c
    if overrides.uses:
        by = connection.execute(select(o.issued_by).where(o.id == overrides.id)).scalar_one_or_none()
        stamps = {"used_by": by, "used_at": now, "run_id": run_id}
    for use in {(each.what, each.scope): each for each in overrides.uses}.values():
        same = {"override_id": overrides.id, "what": use.what, "asset": asset, "scope": use.scope}
        connection.execute(delete(sync_override_uses).where(*(c[name] == value for name, value in same.items())))
        connection.execute(insert(sync_override_uses).values({**same, **stamps, "number": use.number}))


def uses_since(connection: Connection, since: datetime) -> list[OverrideUse]:
    """The limits that runs passed since an instant, in the order in which they did."""
    c = sync_override_uses.c
    query = select(c.what, c.scope, c.number, c.asset, c.used_by, c.used_at, c.run_id).where(c.used_at >= since)
    return [OverrideUse(*row) for row in connection.execute(query.order_by(c.used_at, c.id))]


def forget_unused_before(connection: Connection, before: datetime) -> int:
    """Remove overrides that expired before an instant (UTC) and that no run claimed; gives how many. Used ones stay."""
    c = sync_overrides.c
    return connection.execute(delete(sync_overrides).where(c.run_id.is_(None), c.expires_at < before)).rowcount


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
