"""Tier 3: enrollments, and whose transcript has to be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from lms_assets.domain.transcripts import Enrollment
from lms_assets.warehouse.sync_plan import chunks
from lms_assets.warehouse.tables import lms_enrollments, lms_group_members, lms_groups, lms_users, sync_logs


@dataclass(frozen=True, slots=True)
class TranscriptState:
    """What says whether an active person's transcript has to be read again.

    Attributes:
        last_active_at, updated_at_lms: as the LMS lists them.
        joined_at: when the person was last first seen in a partner's group, if that was not before the reading of
            `read_at` had begun; None otherwise, and when in none.
        read_at: when the transcript was last read completely; None when never.
    """

    user_id: str
    last_active_at: datetime | None
    updated_at_lms: datetime | None
    joined_at: datetime | None
    read_at: datetime | None


def transcript_states(connection: Connection) -> dict[str, TranscriptState]:
    """The state of every active LMS person, by id."""
    m, g, u = lms_group_members.c, lms_groups.c, lms_users.c
    linked = set(connection.execute(select(g.id).where(g.partner_id.is_not(None), g.is_active.is_(True))).scalars())
    joined: dict[str, datetime] = {}
    for group_id, user_id, added_at in connection.execute(select(m.group_id, m.user_id, m.added_at)):
        if group_id in linked and added_at is not None and (user_id not in joined or added_at > joined[user_id]):
            joined[user_id] = added_at
    query = select(u.id, u.last_active_at, u.updated_at_lms, u.enrollment_synced_at).where(u.is_active.is_(True))
    rows = connection.execute(query).all()
    begun = {chain: reading_begun(connection, chain) for chain in {row[3] for row in rows if row[3] is not None}}
    states = {}
    for user_id, last_active_at, updated_at, read_at in rows:
        joined_at = joined.get(user_id)
        if joined_at is not None and read_at is not None and joined_at <= begun[read_at]:
            joined_at = None
        states[user_id] = TranscriptState(user_id, last_active_at, updated_at, joined_at, read_at)
    return states


def people_read(connection: Connection) -> set[str]:
    """LMS people whose transcript was read completely, and since they last came back."""
    c = lms_users.c
    return set(connection.execute(select(c.id).where(c.transcript_read_at.is_not(None))).scalars())


def reading_begun(connection: Connection, chain: datetime) -> datetime:
    """When the reading of transcripts began in the chain that started at this instant.

    People are stamped with their chain's start, and the same chain finds new members of groups before it reads them.
    """
    c = sync_logs.c
    query = select(func.min(c.started_at)).where(c.sync_type == "enrollments", c.started_at >= chain)
    begun: datetime | None = connection.execute(query).scalar_one_or_none()
    return begun or chain


def enrollments(connection: Connection, user_ids: Collection[str] | None = None) -> Iterator[Enrollment]:
    """Enrollments of these people, of everybody when None."""
    c = lms_enrollments.c
    columns = [c[name] for name in Enrollment.__dataclass_fields__]
    if user_ids is None:
        for row in connection.execute(select(*columns)):
            yield Enrollment(*row)
        return
    for part in chunks(user_ids):
        for row in connection.execute(select(*columns).where(c.user_id.in_(part))):
            yield Enrollment(*row)


def enrollment_counts_by_user(connection: Connection, user_ids: Collection[str]) -> dict[str, int]:
    """Number of stored enrollments of each of these people who has any."""
    c = lms_enrollments.c
    found: dict[str, int] = {}
    for part in chunks(user_ids):
        query = select(c.user_id, func.count()).where(c.user_id.in_(part)).group_by(c.user_id)
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def enrollment_ids_by_user(connection: Connection, user_ids: Collection[str]) -> dict[str, set[str]]:
    """Ids of the stored enrollments of each of these people who has any."""
    c = lms_enrollments.c
    found: dict[str, set[str]] = {}
    for part in chunks(user_ids):
        for user_id, enrollment_id in connection.execute(select(c.user_id, c.id).where(c.user_id.in_(part))):
            found.setdefault(user_id, set()).add(enrollment_id)
    return found


def completed_ids(connection: Connection, user_ids: Collection[str]) -> set[str]:
    """Ids of these people's stored enrollments that are completed."""
    c = lms_enrollments.c
    found: set[str] = set()
    for part in chunks(user_ids):
        query = select(c.id).where(c.user_id.in_(part), c.status == "completed", c.completed_at.is_not(None))
        found.update(connection.execute(query).scalars())
    return found


def count_enrollments(connection: Connection, *, completed_from: datetime, completed_before: datetime) -> int:
    """Number of enrollments completed in a span of time (from inclusive, before exclusive)."""
    c = lms_enrollments.c
    query = select(func.count()).where(c.completed_at >= completed_from, c.completed_at < completed_before)
    return int(connection.execute(query).scalar_one())
