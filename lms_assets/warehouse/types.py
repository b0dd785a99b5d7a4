"""Column types that behave the same on SQLite and MySQL/MariaDB. No tables here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["UtcDateTime", "long_text", "utc_whole_seconds"]


def utc_whole_seconds(value: datetime) -> datetime:
    """Give the same instant as aware UTC, cut to whole seconds.

    Raises:
        ValueError: the value has no zone, so nobody can tell which instant it means.
    """
    if value.tzinfo is None:
        raise ValueError("a datetime without a zone cannot be stored: give it as aware UTC")
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
