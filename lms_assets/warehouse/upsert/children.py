"""Making a set of child rows equal to what the source says: memberships of a group, enrollments of a person.

These two are removed when they are gone at the source (domain rules, deletions); nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.warehouse.schema.tables import lms_enrollments, lms_group_members, lms_groups
from lms_assets.warehouse.upsert.compare import chunks, value_of
from lms_assets.warehouse.upsert.fitting import Row
from lms_assets.warehouse.upsert.upsert import SyncCounts, delete_rows, upsert


def sync_children(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    parent: str,
    parents: Iterable[Any],
    now: datetime,
    insert_only: Sequence[str] = (),
    removable: ColumnElement[bool] | None = None,
) -> SyncCounts:
    """Make the rows of these parents equal to the given ones; rows of other parents are not looked at.

    Args:
        rows: all children of all `parents`, keyed by the table's primary key.
        parent: column that refers to the parent.
        parents: those whose children were read completely; with none of their rows given all of them are removed.
        insert_only: as in upsert.
        removable: only stored rows for which this holds are removed.
    """
    key = [column.name for column in table.primary_key.columns]
    wanted: set[tuple[Any, ...]] = set()

    def remembered() -> Iterable[Row]:
        for row in rows:
            wanted.add(tuple(value_of(row, name) for name in key))
            yield row

    counts = upsert(connection, table, remembered(), key=key, now=now, insert_only=insert_only)
    gone: list[tuple[Any, ...]] = []
    for part in chunks(parents):
        query = select(*table.primary_key.columns).where(table.c[parent].in_(part))
        if removable is not None:
            query = query.where(removable)
        gone += [tuple(row) for row in connection.execute(query) if tuple(row) not in wanted]
    deleted = delete_rows(connection, table, gone if len(key) > 1 else [values[0] for values in gone])
    return replace(counts, deleted=deleted)


def sync_members(connection: Connection, members: Mapping[str, Iterable[str]], *, now: datetime) -> SyncCounts:
    """Make the memberships of these groups equal to the LMS's.

    `added_at` stays as it was for members known before. Somebody whom the portal added and the LMS does not list yet
    (`pending_source` local) stays; once the LMS lists them they are `api`.

    Args:
        members: group id to the person ids of its complete listing.
    """
    rows = (
        {"group_id": group_id, "user_id": user_id, "added_at": now, "pending_source": "api"}
        for group_id, user_ids in members.items()
        for user_id in dict.fromkeys(user_ids)
    )
    confirmed = lms_group_members.c.pending_source.is_distinct_from("local")
    return sync_children(
        connection,
        lms_group_members,
        rows,
        parent="group_id",
        parents=members,
        now=now,
        insert_only=("added_at",),
        removable=confirmed,
    )


def sync_enrollments(
    connection: Connection, rows: Iterable[Row], *, user_ids: Iterable[str], now: datetime
) -> SyncCounts:
    """Make the enrollments of these people equal to their complete transcripts.

    Args:
        rows: columns of lms_enrollments without the stamp.
        user_ids: people whose transcript was read completely.
    """
    return sync_children(connection, lms_enrollments, rows, parent="user_id", parents=user_ids, now=now)


def add_members(connection: Connection, members: Mapping[str, Iterable[str]], *, now: datetime) -> SyncCounts:
    """Add the members of lists that may lack some: nobody is taken out.

    Args:
        members: group id to the person ids that were seen.
    """
    rows = (
        {"group_id": group_id, "user_id": user_id, "added_at": now, "pending_source": "api"}
        for group_id, user_ids in members.items()
        for user_id in dict.fromkeys(user_ids)
    )
    return upsert(connection, lms_group_members, rows, key=("group_id", "user_id"), now=now, insert_only=("added_at",))


def mark_members_read(connection: Connection, group_ids: Iterable[str], *, now: datetime) -> None:
    """Note when these groups' members were read completely; the groups' own rows count as untouched."""
    for part in chunks(group_ids):
        connection.execute(update(lms_groups).where(lms_groups.c.id.in_(part)).values(members_synced_at=now))
