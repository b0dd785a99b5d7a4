"""What can go wrong with the database, named by what to do about it.

The texts say what failed, where, and what to do next. They never hold a value of a row, an address of a person or a
password: the drivers' own messages do ("Duplicate entry 'jane@example.com' for key ..."), so those are not passed on.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

UPGRADE = "run `lms-assets db upgrade`"


class WarehouseError(Exception):
    """Something about the warehouse failed.

    Attributes:
        where: the database, without its password.
        problem: what failed.
        remedy: what to do next.
        transient: whether the same work may go through when done again.
        is_configuration: whether a setting or the schema has to be changed, rather than the work done again later.
    """

    transient = False
    is_configuration = True

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"warehouse {where}: {problem}; {remedy}")
        self.where, self.problem, self.remedy = where, problem, remedy

    def __reduce__(self) -> tuple[type[WarehouseError], tuple[str, str, str]]:
        return type(self), (self.where, self.problem, self.remedy)


class TransientWarehouseError(WarehouseError):
    """The transaction is gone, nothing of it was kept, and doing it again helps."""

    transient = True
    is_configuration = False


class LockedByOthers(TransientWarehouseError):
    """Deadlock, lock timeout, or a SQLite file that another process keeps locked."""


class ConnectionLost(TransientWarehouseError):
    """The server went away in the middle."""


class WarehouseUnreachable(TransientWarehouseError):
    """No connection could be made at all."""

    is_configuration = True


class AccessDenied(WarehouseError):
    """Wrong user or password, or a right is missing."""


class ReadOnlyWarehouse(WarehouseError):
    """The database takes no writes."""


class DatabaseFull(WarehouseError):
    """No room left on the database's disk."""

    is_configuration = False


class SchemaNotCurrent(WarehouseError):
    """Tables or columns are missing, or belong to another version of this project."""


class UpgradeRefused(WarehouseError):
    """Something under a name of this project cannot be used as it is; `refusals` has one line for each."""

    def __init__(self, where: str, refusals: tuple[str, ...]) -> None:
        problem = "cannot be upgraded, and nothing was changed:" + "".join(f"\n  - {each}" for each in refusals)
        super().__init__(where, problem, f"\nthen {UPGRADE}")
        self.refusals = refusals

    def __reduce__(self) -> tuple[type[WarehouseError], tuple[str, tuple[str, ...]]]:  # type: ignore[override]
        return type(self), (self.where, self.refusals)


_DENIED = "check user, password and rights in LMS_WAREHOUSE_URL"
_START = "check host, port and that the server runs"
_RERUN = "run it again; nothing of this transaction was kept"

_MYSQL: tuple[tuple[tuple[int, ...], type[WarehouseError], str, str], ...] = (
    ((1044, 1045, 1142, 1143, 1227, 1370, 1698), AccessDenied, "access denied", _DENIED),
    ((2002, 2003, 2005), WarehouseUnreachable, "cannot be reached", _START),
    ((1040, 1203, 1226), WarehouseUnreachable, "takes no more connections", _RERUN),
    ((1049,), WarehouseError, "the database does not exist", "CREATE DATABASE ... CHARACTER SET utf8mb4"),
    ((1205,), LockedByOthers, "another transaction kept its locks too long", _RERUN),
    ((1213,), LockedByOthers, "deadlock with another transaction", _RERUN),
    ((0, 1053, 1927, 2006, 2013, 2014, 2055), ConnectionLost, "the connection was lost", _RERUN),
    ((1290, 1792, 1836), ReadOnlyWarehouse, "takes no writes", "give the primary server in LMS_WAREHOUSE_URL"),
    ((1021, 1026, 1030, 1114), DatabaseFull, "the disk or table space is full", "free space on the server"),
    ((1054, 1146), SchemaNotCurrent, "a table or column is missing", UPGRADE),
    ((1364,), WarehouseError, "a column this project does not know must be given", "give it a default value"),
    ((1153,), WarehouseError, "a statement is too large", "raise max_allowed_packet to 16M on the server"),
)
_REFUSED_ROW_CODES = (3819, 4025)
"""A CHECK constraint failed, on MySQL and on MariaDB; the driver does not class it with the other refusals."""

_BY_MYSQL_CODE = {code: (kind, said, todo) for codes, kind, said, todo in _MYSQL for code in codes}

_BY_SQLITE_NAME: tuple[tuple[str, type[WarehouseError], str, str], ...] = (
    ("SQLITE_BUSY", LockedByOthers, "the file is locked by another process", _RERUN),
    ("SQLITE_LOCKED", LockedByOthers, "the file is locked by another connection", _RERUN),
    ("SQLITE_READONLY", ReadOnlyWarehouse, "the file or its folder takes no writes", "check their permissions"),
    ("SQLITE_FULL", DatabaseFull, "the disk is full", "free space there"),
    ("SQLITE_IOERR", DatabaseFull, "the disk failed or is full", "check the disk and its space"),
    ("SQLITE_CANTOPEN", WarehouseUnreachable, "the file cannot be opened", "check path and permissions"),
    ("SQLITE_PERM", AccessDenied, "the file may not be opened", "check its permissions"),
    ("SQLITE_NOTADB", WarehouseError, "the file is no SQLite database", "check the path in LMS_WAREHOUSE_URL"),
    ("SQLITE_CORRUPT", WarehouseError, "the file is damaged", "restore it from a backup"),
)


def _code_of(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def translate(error: DBAPIError, where: str) -> WarehouseError:
    """Say what a driver's error means; the driver's text is used only to recognise it."""
    if refused_row(error):
        return WarehouseError(where, f"refused a row: {clash_of(error)}", "see the checks of this table")
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return _of_sqlite(name, str(error.orig), where)
    code = _code_of(error)
    if code in _BY_MYSQL_CODE:
        kind, problem, remedy = _BY_MYSQL_CODE[code]
        return kind(where, f"{problem} (error {code})", remedy)
    if error.connection_invalidated:
        return ConnectionLost(where, f"the connection was lost (error {code})", _RERUN)
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", str(error.orig))[:200]
    return WarehouseError(where, f"statement failed: {text}", "see the server's log")


def _of_sqlite(name: str, text: str, where: str) -> WarehouseError:
    for prefix, kind, problem, remedy in _BY_SQLITE_NAME:
        if name.startswith(prefix):
            return kind(where, f"{problem} ({name})", remedy)
    if "no such table" in text or "no such column" in text or "has no column" in text:
        return SchemaNotCurrent(where, text, UPGRADE)
    return WarehouseError(where, f"statement failed ({name}): {text[:200]}", "see the traceback")


def refused_row(error: DBAPIError) -> bool:
    """Whether the database rejected a row's values, and not at anything else."""
    return isinstance(error, IntegrityError | DataError) or _code_of(error) in _REFUSED_ROW_CODES


def clash_of(error: DBAPIError) -> str:
    """Say which rule of the database a row broke, without the row's values."""
    text = str(error.orig)
    if found := re.search(r"UNIQUE constraint failed: ([\w., ]+)", text):
        return f"another row has the same {found[1]}"
    if found := re.search(r"for key '([^']+)'", text):
        return f"another row has the same value in the key {found[1]}"
    if found := re.search(r"NOT NULL constraint failed: ([\w.]+)", text):
        return f"{found[1]} is missing"
    if found := re.search(r"(?:Column|Field) '(\w+)' (?:cannot be null|doesn't have a default)", text):
        return f"{found[1]} is missing"
    if found := re.search(r"FOREIGN KEY \(`(\w+)`\)", text):
        return f"{found[1]} refers to a row that does not exist"
    if "FOREIGN KEY" in text.upper():
        return "it refers to a row that does not exist, or others refer to it"
    if found := re.search(r"for column (?:`[^`]*`\.)*[`']?(\w+)", text):
        return f"{found[1]} cannot hold its value"
    return "it breaks a constraint"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn errors of drivers and pool into WarehouseError; all others pass."""
    try:
        yield
    except PoolTimeoutError:
        raise LockedByOthers(where, "no free connection in the pool", _RERUN) from None
    except DBAPIError as error:
        raise translate(error, where) from None
    except sqlite3.Error as error:
        raise _of_sqlite(getattr(error, "sqlite_errorname", "SQLITE_ERROR"), str(error), where) from None


@contextmanager
def upgrade_errors(where: str) -> Iterator[None]:
    """As `translated`, for statements that change tables: also says which table, statement and right it was.

    Such statements hold no values of rows: the drivers send those apart.
    """
    try:
        with translated(where):
            yield
    except WarehouseError as error:
        cause = error.__context__
        if isinstance(cause, DBAPIError) and cause.statement:
            raise _of_upgrade(error, cause) from None
        raise


def _of_upgrade(error: WarehouseError, cause: DBAPIError) -> WarehouseError:
    statement = " ".join((cause.statement or "").split())
    table = re.search(r"\b(?:TABLE|INTO|UPDATE|FROM|ON)\s+[`\"]?(\w+)", statement, re.IGNORECASE)
    place = f"table {table[1]}: " if table else ""
    problem = f"upgrade stopped at {place}{error.problem}, in the statement: {statement[:200]}"
    remedy = error.remedy
    if isinstance(error, AccessDenied):
        denied = re.match(r"([A-Z][A-Z, ]*?) command denied", str(getattr(cause.orig, "args", ("", ""))[-1]))
        right = denied[1] if denied else "a right"
        remedy = (
            f"{right} is not granted: an upgrade needs SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP and "
            f"REFERENCES on the whole database"
        )
    return type(error)(error.where, problem, f"{remedy}; what was done stays, {UPGRADE} again")
