"""LMS_WAREHOUSE_URL: which databases are accepted, and how one is named without its password."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["display_name", "parse_url", "sqlite_path"]

_ACCEPTED = "give sqlite:///path/to/file.db or mysql+pymysql://user:password@host:3306/database"


def parse_url(text: str) -> URL:
    """Read a warehouse URL; any mysql or mariadb URL gets the pure-Python driver PyMySQL.

    Raises:
        ValueError: no URL, another kind of database, an in-memory one, or a server without a database name. The text
            never repeats what was given, since it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"not a database URL: {_ACCEPTED}") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ValueError(f"a SQLite warehouse must be a file, since several processes share it: {_ACCEPTED}")
        return url
    if backend in ("mysql", "mariadb"):
        if not url.host and "unix_socket" not in url.query:
            raise ValueError(f"the database URL names no host: {_ACCEPTED}")
        if not url.database:
            raise ValueError(f"the database URL names no database: {_ACCEPTED}")
        return url.set(drivername="mysql+pymysql")
    raise ValueError(f"a {backend} database is not supported: {_ACCEPTED}")


def display_name(url: URL) -> str:
    """Where the warehouse is, for people: kind, host, port and database, neither user nor password."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:{url.database}"
    port = f":{url.port}" if url.port else ""
    return f"mysql:{url.host or url.query.get('unix_socket')}{port}/{url.database}"


def sqlite_path(url: URL) -> Path | None:
    """Give the file of a SQLite URL; None for servers and for SQLite's own `file:` form."""
    if url.get_backend_name() != "sqlite" or url.database is None or url.database.startswith("file:"):
        return None
    return Path(url.database)
