"""Which partners must not be pushed, and why. Every reason is one finder here; push, check, `status`, `why` use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection, select

from lms_assets.domain.rules import Rules
from lms_assets.domain.withheld import WithheldReason, by_partner
from lms_assets.warehouse.tables import lms_groups, partners

__all__ = ["withheld_partners"]

Found = Iterator[tuple[int, WithheldReason]]


def withheld_partners(connection: Connection, rules: Rules) -> Mapping[int, tuple[WithheldReason, ...]]:
    """Row id of every active partner whose counts must not leave, with the reasons; the others are not there."""
    active = set(connection.execute(select(partners.c.id).where(partners.c.is_active.is_(True))).scalars())
    found = (each for finder in _FINDERS for each in finder(connection, rules))
    return by_partner(each for each in found if each[0] in active)


def _groups_never_read_whole(connection: Connection, _: Rules) -> Found:
    c = lms_groups.c
    query = select(c.partner_id, c.id).where(
        c.is_active.is_(True), c.partner_id.is_not(None), c.members_synced_at.is_(None)
    )
    for partner_id, group_id in connection.execute(query):
        yield partner_id, WithheldReason("group_never_read", f"members of group {group_id} were never read completely")


_FINDERS: tuple[Callable[[Connection, Rules], Found], ...] = (_groups_never_read_whole,)
