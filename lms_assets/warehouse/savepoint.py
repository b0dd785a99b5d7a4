"""A part of a transaction that may be refused by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from lms_assets.warehouse.errors import refused_row

__all__ = ["savepoint"]


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo only what is done inside when the database refuses a row; the error is passed on.

    After any other error nothing is undone here. A deadlock, a full disk or a lost connection has ended the whole
    transaction, its savepoints included: asking for one would hide that error behind another.
    """
    nested = connection.begin_nested()
    try:
        yield
    except DBAPIError as error:
        if refused_row(error):
            nested.rollback()
        raise
    nested.commit()
