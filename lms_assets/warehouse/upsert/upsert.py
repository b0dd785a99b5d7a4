"""Making stored rows equal to given ones: the only way rows of a vendor reach a table.

Every function works in the caller's transaction, compares before it writes, and writes only what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, or_, update
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.warehouse.upsert.compare import CHUNK, Change, SyncPlan, chunks, compare
from lms_assets.warehouse.upsert.counts import RejectedRow, SyncCounts
from lms_assets.warehouse.upsert.fitting import Row, Values
from lms_assets.warehouse.upsert.unique_values import make_way, marked, unique_columns
from lms_assets.warehouse.upsert.write import STAMPS, PlanWriter, Refused

__all__ = ["RejectedRow", "SyncCounts", "deactivate", "delete_rows", "update_existing", "upsert"]

OnClash = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Given the values of a row that was refused, other values to try once, or None to give up on it."""


def upsert(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    key: Sequence[str],
    now: datetime,
    insert_only: Iterable[str] = (),
    changed_at: tuple[str, tuple[str, ...]] | None = None,
    on_clash: OnClash | None = None,
) -> SyncCounts:
    """Insert the rows whose key is not stored, update those that differ, leave the others untouched.

    `synced_at`, `updated_at`, `fetched_at` (and `created_at` of inserted rows) become `now` on written rows only.
    Values of unique columns may move between rows, also in a circle. A row that the database refuses is named in
    `rejected_rows`; the others are written.

    Args:
        rows: all with the same columns, as mappings or as dataclasses whose fields are columns. A key column that is
            None means a new row whose id the database gives. Of several rows with one key the first counts and the
            others are rejected rows.
        key: columns that identify a row.
        insert_only: columns written for new rows and neither compared nor changed on stored ones.
        changed_at: a column and those that it watches: it too is written for new rows only, and becomes `now` on stored
            rows of which a watched column changes. For tables whose key is one column.
        on_clash: gets a refused row's values and may give others to try once, e.g. another name.

    Raises:
        ValueError: unknown columns or rows with different ones.
    """
    stamp, watched = changed_at or (None, ())
    written_once = frozenset(insert_only) | ({stamp} if stamp else set())
    plan = compare(connection, table, rows, key=tuple(key), insert_only=written_once)
    if stamp:
        stamped = (each.key[0] for each in plan.changes if not plan.differing([each]).isdisjoint(watched))
        for part in chunks(stamped):
            connection.execute(update(table).where(table.c[plan.key[0]].in_(part)).values({stamp: now}))
    return _write(connection, table, plan, now=now, on_clash=on_clash)


def update_existing(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    key: Sequence[str],
    now: datetime,
) -> SyncCounts:
    """Update stored rows that differ, as upsert does, but never insert: keys that are not stored are passed over."""
    plan = compare(connection, table, rows, key=tuple(key))
    plan.inserts = []
    return _write(connection, table, plan, now=now, on_clash=None)


def _write(
    connection: Connection, table: Table, plan: SyncPlan, *, now: datetime, on_clash: OnClash | None
) -> SyncCounts:
    return _counts(plan, _write_plan(connection, table, plan, now=now, on_clash=on_clash))


def _counts(plan: SyncPlan, rejected_rows: list[RejectedRow]) -> SyncCounts:
    refused = {rejected_row.key for rejected_row in rejected_rows}
    updated = deactivated = reactivated = 0
    has_active = "is_active" in plan.compared
    for change in plan.changes:
        if change.key in refused:
            continue
        before = plan.stored(change, "is_active") if has_active else None
        after = plan.given(change.values, "is_active") if has_active else None
        if before is None or bool(before) == bool(after):
            updated += 1
        elif after:
            reactivated += 1
        else:
            deactivated += 1
    changed = {change.key for change in plan.changes}
    refused_inserts = sum(rejected_row.key not in changed for rejected_row in rejected_rows)
    return SyncCounts(
        created=len(plan.inserts) - refused_inserts,
        updated=updated,
        unchanged=plan.unchanged,
        deactivated=deactivated,
        reactivated=reactivated,
        shortened=plan.shortened,
        rejected_rows=(*plan.rejected_rows, *rejected_rows),
    )


def deactivate(
    connection: Connection,
    table: Table,
    ids: Iterable[Any],
    *,
    now: datetime,
    values: Mapping[str, Any] | None = None,
) -> int:
    """Mark rows as no longer at the source: `is_active` false, `deleted_at` now where there is one, and `values`.

    Args:
        ids: values of the table's `id` column. Rows that are inactive already are left as they are.

    Returns:
        How many rows became inactive.
    """
    changes: dict[str, Any] = {"is_active": False}
    changes |= {name: now for name in ("deleted_at", *STAMPS) if name in table.c}
    changes |= dict(values or {})
    count = 0
    for part in chunks(ids):
        statement = update(table).where(table.c.id.in_(part), table.c.is_active.is_(True)).values(changes)
        count += connection.execute(statement).rowcount
    return count


def delete_rows(connection: Connection, table: Table, keys: Iterable[Any]) -> int:
    """Remove rows: memberships, enrollments and leads that are gone at the source, nothing else.

    Args:
        keys: values of the primary key, tuples when it has several columns.

    Returns:
        How many rows were removed.
    """
    columns = list(table.primary_key.columns)
    count = 0
    if len(columns) == 1:
        for part in chunks(keys):
            count += connection.execute(delete(table).where(columns[0].in_(part))).rowcount
        return count
    for part in chunks(keys, CHUNK // len(columns)):
        wanted: list[ColumnElement[bool]] = [
            and_(*(column == value for column, value in zip(columns, values, strict=True))) for values in part
        ]
        count += connection.execute(delete(table).where(or_(*wanted))).rowcount
    return count


def _write_plan(
    connection: Connection, table: Table, plan: SyncPlan, *, now: datetime, on_clash: OnClash | None
) -> list[RejectedRow]:
    """Write what the plan says and give the rows that the database refused."""
    writer = PlanWriter(connection, table, plan, now)
    parked = make_way(connection, table, plan)
    rejected_rows: list[RejectedRow] = []

    refused = _second_try(plan, writer.change(plan.changes), on_clash, writer.update)
    for row, reason in refused:
        of_row = tuple(plan.given(row, name) for name in plan.key)
        rejected_rows.append(RejectedRow(of_row, reason, plan.named(row)))
        if of_row in parked:
            _put_back(writer, table, parked[of_row], plan)

    refused = _second_try(plan, writer.insert(plan.inserts), on_clash, writer.insert)
    return rejected_rows + [
        RejectedRow(tuple(plan.given(row, name) for name in plan.key), reason, plan.named(row))
        for row, reason in refused
    ]


def _second_try(
    plan: SyncPlan, refused: list[Refused], on_clash: OnClash | None, write: Callable[[list[Values]], list[Refused]]
) -> list[Refused]:
    if on_clash is None:
        return refused
    final: list[Refused] = []
    for row, reason in refused:
        other = on_clash(plan.named(row))
        final += [(row, reason)] if other is None else write([tuple(other[name] for name in plan.columns)])
    return final


def _put_back(writer: PlanWriter, table: Table, change: Change, plan: SyncPlan) -> None:
    """Give a row that stepped aside and was then refused its old values, marked if another has them by now."""
    old = plan.named(change.values) | dict(zip(plan.compared, change.stored, strict=True))
    if not writer.update([tuple(old.values())]):
        return
    mark = f" (#{'_'.join(map(str, change.key))})"
    for column in unique_columns(table, plan.key, plan.compared):
        old[column.name] = marked(old[column.name], mark, column)
    writer.update([tuple(old.values())])
