"""What a table looks like, as plain values for people: the columns of an asset in Dagster's UI."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.dialects import mysql

from lms_assets.warehouse.column_notes import NOTES
from lms_assets.warehouse.tables import metadata

__all__ = ["ColumnInfo", "table_columns"]

_PERSONAL = {
    "email",
    "first_name",
    "last_name",
    "phone",
    "name",
    "recipient_email",
    "recipient_name",
    "primary_user_name",
    "primary_user_email",
    "owner_email",
    "account_owner",
    "owner_name",
}
_NAMES_OF_THINGS = {"lms_groups", "lms_courses"}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column; `type` as MySQL writes it, `personal` when it says something about a person, `note` what it means."""

    name: str
    type: str
    nullable: bool
    unique: bool
    personal: bool
    note: str | None = None


def table_columns(table: str) -> tuple[ColumnInfo, ...]:
    """The columns of a table, in order. KeyError when there is no such table."""
    dialect = mysql.dialect()
    found = metadata.tables[table]
    single_key = len(found.primary_key.columns) == 1
    return tuple(
        ColumnInfo(
            column.name,
            column.type.compile(dialect).lower(),
            bool(column.nullable),
            bool(column.unique) or (column.primary_key and single_key),
            column.name in _PERSONAL and table not in _NAMES_OF_THINGS,
            NOTES.get(column.name),
        )
        for column in found.columns
    )
