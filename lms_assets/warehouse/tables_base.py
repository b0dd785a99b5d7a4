"""What all tables share: the metadata, names of constraints, and columns that occur in many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Integer, MetaData, String, false, true
from sqlalchemy.dialects import mysql

from lms_assets.warehouse.types import UtcDateTime

LMS_ID_LENGTH = 100
"""LMS ids may be several UUIDs in a row (Northpass API, transport: compound ids)."""

COLLATION = "utf8mb4_unicode_520_ci"
"""Collation of new MySQL/MariaDB tables, one for all of them so that any two columns can be joined.

Case and accents are ignored, as people expect of names; unlike utf8mb4_unicode_ci and utf8mb4_general_ci it
tells one emoji from another, so 'Acme 🚀' and 'Acme 🌟' can both be a unique account_name. Both MySQL and
MariaDB have it. SQLite compares byte by byte.
Tables created beside those of an adopted portal take that portal's collation instead (see migrations).
"""

EXACT = "utf8mb4_bin"
"""Collation of every column that says which record a row is: ids of the vendors, e-mail addresses, keys of ours.

`josé@` is not `jose@`, and `aB3` is not `Ab3`, as on SQLite. Both servers have it, and they compare such a column with
one of another utf8mb4 collation by this one, so that a portal's own joins go on working.
Names of companies and people are not compared exactly: a portal's users search them without accents, and
`domain.partner_rows` gives each partner a name that is unique on any collation.
"""

MYSQL_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": COLLATION,
}

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def auto_id() -> Column[int]:
    """Integer key that the database counts up."""
    return Column("id", Integer, primary_key=True, autoincrement=True)


def exact_text(length: int) -> String:
    """Text that is compared character by character on every database."""
    return String(length).with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation=EXACT), "mysql")


def is_exact(column: Column[Any]) -> bool:
    """Whether a column is compared character by character on every database."""
    variants: Mapping[str, Any] = getattr(column.type, "_variant_mapping", {})
    return getattr(variants.get("mysql"), "collation", None) == EXACT


def lms_id(name: str, *args: Any, **kwargs: Any) -> Column[str]:
    """Column that holds an id of the LMS, wide enough for compound ids."""
    return Column(name, exact_text(LMS_ID_LENGTH), *args, **kwargs)


def email_address(name: str, **kwargs: Any) -> Column[str]:
    """Column that holds an e-mail address."""
    return Column(name, exact_text(255), **kwargs)


def instant(name: str, **kwargs: Any) -> Column[Any]:
    """Column that holds an instant: aware UTC in Python, whole seconds."""
    return Column(name, UtcDateTime(), **kwargs)


def json_value(name: str) -> Column[Any]:
    """Column that holds a JSON document; None is SQL NULL (LONGTEXT on MariaDB)."""
    return Column(name, JSON(none_as_null=True))


def flag(name: str, *, default: bool | None = None, **kwargs: Any) -> Column[bool]:
    """Boolean; with a default it is NOT NULL."""
    if default is None:
        return Column(name, Boolean, **kwargs)
    return Column(name, Boolean, nullable=False, server_default=true() if default else false(), **kwargs)


def number(name: str, **kwargs: Any) -> Column[int]:
    """Count that starts at 0 and is never NULL."""
    return Column(name, Integer, nullable=False, server_default="0", **kwargs)
