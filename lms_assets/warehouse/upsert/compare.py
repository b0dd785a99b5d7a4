"""Comparing rows with what is stored: which to insert, which to change. Reads, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, select

from lms_assets.warehouse.upsert.convert import Fitter
from lms_assets.warehouse.upsert.counts import RejectedRow

__all__ = ["CHUNK", "Change", "SyncPlan", "chunks", "compare", "stored_rows"]

CHUNK = 500
"""Rows or ids of one statement: far below SQLite's limit of variables and MySQL's packet size."""

T = TypeVar("T")
Key = tuple[Any, ...]


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut an iterable into lists of at most `size`."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


@dataclass(slots=True)
class Change:
    """A stored row that differs: its key, all given values, and what was stored in the given columns."""

    key: Key
    values: dict[str, Any]
    stored: dict[str, Any]


@dataclass(slots=True)
class SyncPlan:
    """What has to be written so that the stored rows are as given.

    `key` identifies a row; the columns of `insert_only` are written for new rows and not looked at otherwise.
    """

    key: tuple[str, ...]
    insert_only: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    inserts: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    shortened: int = 0
    rejected_rows: list[RejectedRow] = field(default_factory=list)
    seen: set[Key] = field(default_factory=set)

    @property
    def compared(self) -> list[str]:
        """Columns whose stored value has to be as given."""
        return [name for name in self.columns if name not in self.insert_only]


def compare(
    connection: Connection,
    table: Table,
    rows: Iterable[Mapping[str, Any]],
    *,
    key: Sequence[str],
    insert_only: frozenset[str] = frozenset(),
) -> SyncPlan:
    """Compare rows with the stored ones that have the same key.

    A row whose key holds None is an insert. Of several rows with one key the first counts, the others are rejected.

    Raises:
        ValueError: a column that the table lacks, rows with different columns, or a key column that is not given.
    """
    plan = SyncPlan(tuple(key), insert_only)
    fitter: Fitter | None = None
    for part in chunks(rows):
        if fitter is None:
            plan.columns = tuple(part[0])
            missing = set(key) - set(plan.columns)
            if missing:
                raise ValueError(f"rows for {table.name} lack the key {', '.join(sorted(missing))}")
            fitter = Fitter(table, plan.columns, key)
        _compare_part(connection, table, _fit_part(plan, fitter, part), plan)
    return plan


def _fit_part(plan: SyncPlan, fitter: Fitter, part: list[Mapping[str, Any]]) -> list[tuple[Key, dict[str, Any]]]:
    by_key: dict[Key, dict[str, Any]] = {}
    new: list[tuple[Key, dict[str, Any]]] = []
    for row in part:
        fitted = fitter.fit(row)
        of_row = tuple(fitted.values[name] for name in plan.key)
        if fitted.problem is not None:
            plan.rejected_rows.append(RejectedRow(of_row, fitted.problem, fitted.values))
            continue
        if None in of_row:
            new.append((of_row, fitted.values))
        elif of_row in plan.seen:
            plan.rejected_rows.append(RejectedRow(of_row, "was given twice; the first counts", fitted.values))
            continue
        else:
            by_key[of_row] = fitted.values
            plan.seen.add(of_row)
        plan.shortened += bool(fitted.shortened)
    return [*by_key.items(), *new]


def _compare_part(connection: Connection, table: Table, part: list[tuple[Key, dict[str, Any]]], plan: SyncPlan) -> None:
    compared = plan.compared
    known = stored_rows(connection, table, [k for k, _ in part if None not in k], plan.key, compared)
    for of_row, values in part:
        stored = known.get(of_row)
        if stored is None:
            plan.inserts.append(values)
        elif all(values[name] == stored[name] for name in compared):
            plan.unchanged += 1
        else:
            plan.changes.append(Change(of_row, values, stored))


def stored_rows(
    connection: Connection, table: Table, keys: list[Key], key: Sequence[str], columns: Sequence[str]
) -> dict[Key, dict[str, Any]]:
    """Read the given columns of the rows with these keys, by key.

    With several key columns each is narrowed by itself and the rest is sorted out here: MariaDB uses no index for a
    list of tuples.
    """
    if not keys:
        return {}
    wanted: dict[str, Column[Any]] = {name: table.c[name] for name in (*key, *columns)}
    query = select(*wanted.values())
    for position, name in enumerate(key):
        query = query.where(table.c[name].in_({k[position] for k in keys}))
    asked = set(keys)
    found: dict[Key, dict[str, Any]] = {}
    for row in connection.execute(query):
        values = dict(zip(wanted, row, strict=True))
        of_row = tuple(values[name] for name in key)
        if of_row in asked:
            found[of_row] = values
    return found
