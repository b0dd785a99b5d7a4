"""What all tables share: the metadata, names of constraints, and columns that occur in many of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, DateTime, Dialect, Integer, MetaData, String, Text, false, true
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine


def utc_whole_seconds(value: datetime) -> datetime:
    """Give the same instant as aware UTC, cut to whole seconds.

    Raises:
        ValueError: the value has no zone, so nobody can tell which instant it means.
    """
    if value.tzinfo is None:
        raise ValueError("a datetime without a zone cannot be stored: give it as aware UTC")
    if value.tzinfo is UTC and not value.microsecond:
        return value
    return value.astimezone(UTC).replace(microsecond=0)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, naive UTC in whole seconds in the database.

    Fractions are cut before they are sent, because MySQL rounds them and MariaDB cuts them.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Keep fractions out of SQLite's text form too."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sqlite.DATETIME(truncate_microseconds=True))  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as naive UTC; a datetime without a zone raises ValueError."""
        return None if value is None else utc_whole_seconds(value).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back as aware UTC."""
        # Drivers give text for a date that is none, MySQL's 0000-00-00 in an adopted portal.
        return value.replace(tzinfo=UTC, microsecond=0) if isinstance(value, datetime) else None


def long_text() -> TypeEngine[str]:
    """Text of up to 16 MB (MySQL's TEXT ends at 64 KB)."""
    return Text().with_variant(mysql.MEDIUMTEXT(), "mysql")


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
`domain.records.partners` gives each partner a name that is unique on any collation.
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
