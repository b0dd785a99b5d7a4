"""Which partners must not be pushed, and why. Every reason is one finder here; push, check, `status`, `why` use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, select

from lms_assets.domain.linking.partner_users import Affiliation, Via
from lms_assets.domain.records.groups import is_kept_group
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import (
    ContactBasis,
    Found,
    GroupBasis,
    WithheldReason,
    by_partner,
    contacts_not_matched,
    groups_not_read,
    long_unread,
    overrides_not_applied,
    partners_not_followed,
    people_not_read,
)
from lms_assets.warehouse.bookkeeping.failures import refused_rows
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.results.counts import counted_without_all, differing_from_recount, last_counted
from lms_assets.warehouse.results.links import group_overrides
from lms_assets.warehouse.schema.tables import (
    contact_affiliations,
    contacts,
    lms_courses,
    lms_enrollments,
    lms_group_members,
    lms_groups,
    lms_users,
    partners,
    sync_logs,
)
from lms_assets.warehouse.upsert.compare import chunks

# The syncs that find a partner's people, by their names in sync_logs.
_GROUPS, _CONTACTS, _USERS = "groups", "impartner_contacts", "users"


@dataclass
class _Basis:
    """What the finders look at; each fact is read once."""

    connection: Connection
    rules: Rules
    affiliations: tuple[Affiliation, ...]

    @cached_property
    def active(self) -> dict[int, datetime | None]:
        """Active partners, and when each appeared, came back or was renamed."""
        c = partners.c
        query = select(c.id, c.identity_changed_at).where(c.is_active.is_(True))
        return {row[0]: row[1] for row in self.connection.execute(query)}

    @cached_property
    def groups(self) -> tuple[GroupBasis, ...]:
        """Every active group."""
        c = lms_groups.c
        columns = (c.id, c.name, c.partner_id, c.link_method, c.linked_at, c.members_synced_at)
        query = select(*columns).where(c.is_active.is_(True)).order_by(c.id)
        return tuple(GroupBasis(*row) for row in self.connection.execute(query))

    @cached_property
    def joined_at(self) -> dict[tuple[str, str], datetime | None]:
        """(group, person) of groups linked to a partner to when the person was first seen in it."""
        c = lms_group_members.c
        query = select(c.group_id, c.user_id, c.added_at).join(lms_groups, lms_groups.c.id == c.group_id)
        query = query.where(lms_groups.c.partner_id.is_not(None))
        return {(row[0], row[1]): row[2] for row in self.connection.execute(query)}

    @cached_property
    def contacts_since(self) -> dict[Via, datetime | None]:
        """Way through a contact to when its partner, address or account last changed."""
        c, f = contacts.c, contact_affiliations.c
        query = select(c.id, c.identity_changed_at, c.linked_at)
        query = query.where(c.partner_id.is_not(None), c.lms_user_id.is_not(None))
        further = select(f.impartner_id, f.since, c.linked_at).outerjoin(contacts, c.id == f.contact_id)
        rows = [(Via("contact", str(row[0])), row) for row in self.connection.execute(query)]
        rows += [(Via("crm_contact", str(row[0])), row) for row in self.connection.execute(further)]
        return {via: _latest(row[1], row[2]) for via, row in rows}

    def began(self, sync_type: str, *, complete: bool) -> datetime | None:
        """When the last reading of a listing began that was written; `complete`: whose listing was complete.

        Only our own syncs note `listing_complete`: what another program logged in an adopted portal is none of them.
        """
        c = sync_logs.c
        query = select(c.started_at, c.details).where(c.sync_type == sync_type, c.status == "completed")
        for started_at, details in self.connection.execute(query.order_by(c.id.desc())):
            listed = details.get("listing_complete") if isinstance(details, dict) else None
            if listed or (listed is False and not complete):
                return started_at  # type: ignore[no-any-return]
        return None


def withheld_partners(connection: Connection, rules: Rules) -> Mapping[int, tuple[WithheldReason, ...]]:
    """Row id of every active partner whose counts must not leave, with the reasons; the others are not there."""
    basis = _Basis(connection, rules, stored_affiliations(connection))
    not_read = _not_read(basis)
    not_counted = by_partner(each for each in _counted_before(basis) if each[0] not in not_read)
    withheld = {**not_read, **not_counted}
    differing = by_partner(each for each in _recounted(basis) if each[0] not in withheld)
    return {**withheld, **differing}


def withheld_from_counting(
    connection: Connection, rules: Rules, affiliations: tuple[Affiliation, ...]
) -> Mapping[int, tuple[WithheldReason, ...]]:
    """The same of counts that are made now: their being older than what was read since is no reason.

    Args:
        affiliations: who counts for whom, as read in this transaction.
    """
    return _not_read(_Basis(connection, rules, affiliations))


def people_read_long_ago(connection: Connection, rules: Rules, now: datetime) -> Mapping[int, tuple[str, ...]]:
    """Partner row id to its people whose last complete transcript is older than the rules' `unread_warning_after`."""
    c = lms_users.c
    query = select(c.id, c.enrollment_synced_at).where(c.transcript_read_at.is_not(None))
    read_at: dict[str, datetime] = {row[0]: row[1] for row in connection.execute(query) if row[1]}
    return long_unread(stored_affiliations(connection), read_at, now - rules.unread_warning_after)


def came_since(connection: Connection, rules: Rules, read_at: Mapping[str, datetime]) -> set[str]:
    """Of people whose transcripts were read at these instants, those who count for some partner only since then."""
    basis = _Basis(connection, rules, stored_affiliations(connection))
    came_at = _came_at(basis)
    return {
        each.user_id
        for each in basis.affiliations
        if each.user_id in read_at and (came := came_at(each)) is not None and read_at[each.user_id] <= came
    }


def _not_read(basis: _Basis) -> Mapping[int, tuple[WithheldReason, ...]]:
    return by_partner(each for finder in _FINDERS for each in finder(basis) if each[0] in basis.active)


def _partners(basis: _Basis) -> Found:
    read = {what: basis.began(sync, complete=True) for what, sync in (("groups", _GROUPS), ("contacts", _CONTACTS))}
    return partners_not_followed(basis.active, read)


def _groups(basis: _Basis) -> Found:
    return groups_not_read(basis.groups)


def _overrides(basis: _Basis) -> Found:
    known = select(partners.c.id)
    return overrides_not_applied(
        basis.groups,
        group_overrides(basis.connection),
        basis.connection.execute(known).scalars(),
        lambda name: is_kept_group(name, basis.rules),
    )


def _contacts(basis: _Basis) -> Found:
    c = contacts.c
    query = select(c.id, c.partner_id, c.identity_changed_at, c.lms_user_id).where(
        c.is_active.is_(True), c.partner_id.is_not(None)
    )
    f = contact_affiliations.c
    further = select(c.id, f.partner_id, f.since, c.lms_user_id).join_from(
        contacts, contact_affiliations, c.id == f.contact_id
    )
    read_at, listed_at = basis.began(_USERS, complete=False), basis.began(_USERS, complete=True)
    if read_at is not None and listed_at is not None:
        # Nobody who changed before both readings is in doubt: nearly all of 40,000 stay in the database.
        first = min(read_at, listed_at)
        query, further = query.where(c.identity_changed_at > first), further.where(f.since > first)
    rows = [*basis.connection.execute(query), *basis.connection.execute(further)]
    found = [ContactBasis(row[0], row[1], row[2], row[3] is not None) for row in rows]
    return contacts_not_matched(found, users_read_at=read_at, users_listed_at=listed_at)


def _people(basis: _Basis) -> Found:
    query = select(lms_users.c.id, lms_users.c.transcript_read_at)
    people = {each.user_id for each in basis.affiliations if each.obstacle is None}
    read_at: dict[str, datetime | None] = {
        row[0]: row[1]
        for part in chunks(people)
        for row in basis.connection.execute(query.where(lms_users.c.id.in_(part)))
    }
    return people_not_read(basis.affiliations, _came_at(basis), read_at)


def _came_at(basis: _Basis) -> Callable[[Affiliation], datetime | None]:
    """Since when somebody counts for a partner; None: since before that was noted."""
    linked_at = {group.id: group.linked_at for group in basis.groups}

    def way_open_since(user_id: str, via: Via) -> datetime | None:
        if via.kind == "group":
            return _latest(basis.joined_at.get((via.id, user_id)), linked_at.get(via.id))
        return basis.contacts_since.get(via)

    def came_at(affiliation: Affiliation) -> datetime | None:
        ways = [way_open_since(affiliation.user_id, via) for via in affiliation.via]
        first = None if None in ways else min((each for each in ways if each), default=None)
        return _latest(first, basis.active.get(affiliation.partner_id))

    return came_at


def _refused(basis: _Basis) -> Found:
    """A row that the database refused is missing or out of date: whatever rests on it is not known."""
    for row in refused_rows(basis.connection):
        reason = WithheldReason("row_refused", f"the database refused {row.asset} {row.entity_id}")
        people = row.people | _people_who_took(basis.connection, row.courses)
        partners_of_people = {each.partner_id for each in basis.affiliations if each.user_id in people}
        known = basis.connection.execute(select(lms_courses.c.id).where(lms_courses.c.id.in_(row.courses))).scalars()
        # Nobody can tell who took a course that is not stored at all.
        everybody = set(basis.active) if row.courses - set(known) else set()
        for partner_id in row.partners | partners_of_people | everybody:
            yield partner_id, reason


def _people_who_took(connection: Connection, courses: frozenset[str]) -> set[str]:
    c = lms_enrollments.c
    return set(connection.execute(select(c.user_id).where(c.course_id.in_(courses))).scalars()) if courses else set()


def _counted_before(basis: _Basis) -> Found:
    """Counts made while something was withheld, or before the partner was there, stay withheld until counted again."""
    reason = WithheldReason("not_counted_since", "it was not counted since everything was read; count again")
    counted = last_counted(basis.connection)
    doubtful = counted_without_all(basis.connection)
    for partner_id, changed_at in basis.active.items():
        after = counted is not None and changed_at is not None and changed_at > counted.counted_at
        if after or partner_id in doubtful:
            yield partner_id, reason


def _recounted(basis: _Basis) -> Found:
    """Counts that a recount did not agree with; of those withheld for another reason the other one says more."""
    return ((key, why) for key, why in differing_from_recount(basis.connection).items() if key in basis.active)


def _latest(*instants: datetime | None) -> datetime | None:
    return max((each for each in instants if each is not None), default=None)


_FINDERS: tuple[Callable[[_Basis], Found], ...] = (
    _partners,
    _groups,
    _overrides,
    _contacts,
    _people,
    _refused,
)
