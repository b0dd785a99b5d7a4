"""Tier 3: enrollments, and whose transcript has to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, func, select

from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.warehouse.schema.tables import (
    contact_affiliations,
    contacts,
    lms_courses,
    lms_enrollments,
    lms_group_members,
    lms_groups,
    lms_users,
    sync_logs,
)
from lms_assets.warehouse.upsert.compare import chunks


@dataclass(frozen=True, slots=True)
class TranscriptState:
    """What says whether an active person's transcript has to be read again.

    Attributes:
        last_active_at, updated_at_lms: as the LMS lists them.
        joined_at: when the person last came to a partner (was first seen in its group, or the group or the contact was
            linked), if that was not before the last reading had begun; None otherwise.
        read_at: as of when the transcript was last read completely; None when never, or not since the person came back.
        due_since: since when it has to be read again, as a reading was tried and did not complete; None otherwise.
    """

    user_id: str
    last_active_at: datetime | None
    updated_at_lms: datetime | None
    joined_at: datetime | None
    read_at: datetime | None
    due_since: datetime | None = None


def transcript_states(connection: Connection) -> dict[str, TranscriptState]:
    """The state of every active LMS person, by id."""
    u = lms_users.c
    joined = _joined(connection)
    columns = (
        u.id,
        u.last_active_at,
        u.updated_at_lms,
        u.enrollment_synced_at,
        u.transcript_read_at,
        u.transcript_due_since,
    )
    states = {}
    for user_id, last_active_at, updated_at, synced_at, read_at, due_since in connection.execute(
        select(*columns).where(u.is_active.is_(True))
    ):
        joined_at = joined.get(user_id)
        if joined_at is not None and read_at is not None and joined_at <= read_at:
            joined_at = None
        # Without the mark the transcript was not read by us, or not since the person came back.
        as_of = synced_at if read_at is not None else None
        states[user_id] = TranscriptState(user_id, last_active_at, updated_at, joined_at, as_of, due_since)
    return states


def _joined(connection: Connection) -> dict[str, datetime]:
    """When each person last came to a partner, through a group or a contact."""
    m, g, c, f = lms_group_members.c, lms_groups.c, contacts.c, contact_affiliations.c
    groups = select(g.id, g.linked_at).where(g.partner_id.is_not(None), g.is_active.is_(True))
    linked = {row[0]: row[1] for row in connection.execute(groups)}
    came = [
        (user_id, instant)
        for group_id, user_id, added_at in connection.execute(select(m.group_id, m.user_id, m.added_at))
        if group_id in linked
        for instant in (added_at, linked[group_id])
    ]
    own = select(c.lms_user_id, c.identity_changed_at, c.linked_at).where(c.partner_id.is_not(None))
    further = select(c.lms_user_id, f.since, c.linked_at).join_from(
        contacts, contact_affiliations, c.id == f.contact_id
    )
    for query in (own, further):
        rows = connection.execute(query.where(c.lms_user_id.is_not(None))).all()
        came += [(row[0], instant) for row in rows for instant in row[1:]]
    joined: dict[str, datetime] = {}
    for user_id, instant in came:
        if instant is not None and (user_id not in joined or instant > joined[user_id]):
            joined[user_id] = instant
    return joined


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


def stored_enrollments(connection: Connection, user_ids: Collection[str] | None = None) -> Iterator[Enrollment]:
    """Enrollments of these people, of everybody when None."""
    c = lms_enrollments.c
    columns = [c[name] for name in Enrollment.__dataclass_fields__]
    if user_ids is None:
        for row in connection.execute(select(*columns)):
            yield Enrollment(*row)
        return
    for part in chunks(user_ids):
        for row in connection.execute(select(*columns).where(c.user_id.in_(part))).all():
            yield Enrollment(*row)


def enrollments_that_may_count(connection: Connection, user_ids: Collection[str]) -> Iterator[Enrollment]:
    """Of these people's enrollments those at certifications and at unknown courses, with what counting looks at.

    Progress, score, and when somebody enrolled and started are left out (None).
    """
    c, k = lms_enrollments.c, lms_courses.c
    query = select(c.id, c.user_id, c.course_id, c.status, c.completed_at, c.expires_at)
    query = query.outerjoin(lms_courses, k.id == c.course_id).where(k.id.is_(None) | (k.npcu_value > 0))
    for part in chunks(user_ids):
        for row in connection.execute(query.where(c.user_id.in_(part))).all():
            yield Enrollment(*row[:4], None, None, None, *row[4:], None)


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


def learning_of_weeks(connection: Connection, first: date, last: date) -> dict[date, tuple[int, int]]:
    """Completions and enrollments that fall into each week, by its Monday, as stored.

    Args:
        first, last: Mondays of the first and of the last week.
    """
    c = lms_enrollments.c
    weeks = [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]
    begin = datetime.combine(first, time(), UTC)
    end = datetime.combine(last + timedelta(weeks=1), time(), UTC)
    found: list[Counter[date]] = []
    for column in (c.completed_at, c.enrolled_at):
        instants = connection.execute(select(column).where(column >= begin, column < end)).scalars()
        found.append(Counter(each.date() - timedelta(days=each.weekday()) for each in instants))
    return {week: (found[0][week], found[1][week]) for week in weeks}
