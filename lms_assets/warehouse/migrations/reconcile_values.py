"""First values of new columns of an adopted portal: from the columns that say the same thing, not from a default.

A person whose `status` is `deactivated` must not become active because `is_active` is added with its default of 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Inspector, MetaData

_LEFT = "('deactivated', 'deleted', 'disabled', 'inactive', 'suspended', 'terminated')"
Columns = Mapping[str, frozenset[str]]
"""Table to its columns."""


@dataclass(frozen=True, slots=True)
class FirstValues:
    """One statement that fills a new column; `sources` are the columns that it reads, as people are told."""

    table: str
    column: str
    sources: tuple[str, ...]
    statement: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A column that says whether the new column's condition holds, for rows where it says anything."""

    column: str
    holds: str


# New flag, the value it gets, and the columns any of which says so. All others keep the default.
_FLAGS: tuple[tuple[str, str, str, tuple[_Source, ...]], ...] = (
    (
        "lms_users",
        "is_active",
        "0",
        (_Source("status", f"LOWER(TRIM(status)) IN {_LEFT}"), _Source("deactivated_at", "deactivated_at IS NOT NULL")),
    ),
    (
        "lms_users",
        "status",
        "'deactivated'",
        (_Source("is_active", "is_active = 0"), _Source("deactivated_at", "deactivated_at IS NOT NULL")),
    ),
    (
        "partners",
        "is_active",
        "0",
        (
            _Source("account_status", "LOWER(TRIM(account_status)) = 'inactive'"),
            _Source("deleted_at", "deleted_at IS NOT NULL"),
        ),
    ),
    (
        "partners",
        "account_status",
        "'Inactive'",
        (_Source("is_active", "is_active = 0"), _Source("deleted_at", "deleted_at IS NOT NULL")),
    ),
    ("partners", "has_gtm_certification", "1", (_Source("cert_count_go_to_market", "cert_count_go_to_market > 0"),)),
    ("contacts", "is_active", "0", (_Source("deleted_at", "deleted_at IS NOT NULL"),)),
    (
        "lms_groups",
        "is_active",
        "0",
        (
            _Source("deleted_at", "deleted_at IS NOT NULL"),
            _Source("deletion_reason", "deletion_reason IS NOT NULL AND deletion_reason <> ''"),
        ),
    ),
    ("lms_courses", "is_certification", "1", (_Source("npcu_value", "npcu_value > 0"),)),
    ("partner_managers", "email_reports_enabled", "0", (_Source("is_active_pam", "is_active_pam = 0"),)),
    ("email_log", "status", "'sent'", (_Source("sent_at", "sent_at IS NOT NULL"),)),
)

# New column without a default, its value as an expression, and the columns that are needed for it.
_EXPRESSIONS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "lms_enrollments",
        "status",
        "CASE WHEN completed_at IS NOT NULL THEN 'completed' ELSE 'enrolled' END",
        ("completed_at",),
    ),
    (
        "sync_logs",
        "status",
        "CASE WHEN completed_at IS NULL OR error_message IS NOT NULL THEN 'failed' ELSE 'completed' END",
        ("completed_at", "error_message"),
    ),
    ("sync_logs", "started_at", "completed_at", ("completed_at",)),
    ("email_log", "created_at", "sent_at", ("sent_at",)),
)

# New column, and where another table has its value: (table, column) of the value, its key there, our key.
_FROM_OTHER_TABLES: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("lms_courses", "npcu_value", "course_properties", "npcu_value", "course_id", "id"),
    ("contacts", "lms_user_id", "lms_users", "id", "contact_id", "id"),
    ("lms_users", "contact_id", "contacts", "id", "lms_user_id", "id"),
)


def first_values(inspector: Inspector, metadata: MetaData) -> Iterator[FirstValues]:
    """What fills the columns that are about to be added to tables which are there already."""
    there = set(inspector.get_table_names())
    stored = {
        name: frozenset(column["name"] for column in inspector.get_columns(name))
        for name in metadata.tables
        if name in there
    }

    def is_new(table: str, column: str) -> bool:
        return table in stored and column not in stored[table]

    for table, column, value, sources in _FLAGS:
        present = [source for source in sources if source.column in stored.get(table, ())]
        if is_new(table, column) and present:
            names = tuple(f"{table}.{source.column}" for source in present)
            holds = " OR ".join(f"({source.holds})" for source in present)
            yield FirstValues(table, column, names, _update(table, column, value, holds))
    for table, column, expression, needed in _EXPRESSIONS:
        if is_new(table, column) and set(needed) <= stored[table]:
            names = tuple(f"{table}.{name}" for name in needed)
            yield FirstValues(table, column, names, _update(table, column, expression, "1 = 1"))
    for table, column, other, value, key, ours in _FROM_OTHER_TABLES:
        if is_new(table, column) and {value, key} <= stored.get(other, frozenset()) and ours in stored[table]:
            source = f"FROM {other} WHERE {other}.{key} = {table}.{ours} AND {other}.{value} IS NOT NULL"
            statement = _update(table, column, f"(SELECT MIN({other}.{value}) {source})", f"EXISTS (SELECT 1 {source})")
            yield FirstValues(table, column, (f"{other}.{value}",), statement)


def _update(table: str, column: str, value: str, where: str) -> str:
    # Every part is a constant of this module.
    return f"UPDATE {table} SET {column} = {value} WHERE {where}"  # noqa: S608
