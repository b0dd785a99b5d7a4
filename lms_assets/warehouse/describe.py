"""What the tables look like, as plain values, for people who look at the graph."""

from __future__ import annotations

from dataclasses import dataclass

from lms_assets.warehouse.tables import metadata

PERSONAL = frozenset(
    {
        "email",
        "first_name",
        "last_name",
        "phone",
        "owner_email",
        "primary_user_name",
        "primary_user_email",
        "recipient_email",
        "recipient_name",
    }
)


@dataclass(frozen=True)
class ColumnInfo:
    """One column: its SQL type as text, and whether it says something about a person."""

    name: str
    type: str
    nullable: bool
    unique: bool
    personal: bool


def table_columns(table: str) -> tuple[ColumnInfo, ...]:
    """The columns of a table, in their order.

    Raises:
        KeyError: there is no such table.
    """
    return tuple(
        ColumnInfo(
            column.name,
            str(column.type).lower(),
            bool(column.nullable),
            bool(column.unique or column.primary_key),
            column.name in PERSONAL,
        )
        for column in metadata.tables[table].columns
    )
