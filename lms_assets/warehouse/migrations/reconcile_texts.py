"""Character sets and collations of text columns on MySQL and MariaDB: which have to be converted, and into what.

A portal's latin1 or utf8mb3 column cannot hold every name, and a column that says which record a row is has to be
compared character by character. Both ends of a foreign key need one collation, so columns of a portal's own tables
that foreign keys tie to a converted column are converted too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Enum, Inspector, MetaData, String, inspect, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine.interfaces import ReflectedColumn

from lms_assets.warehouse.schema.base import COLLATION, EXACT, is_exact

Place = tuple[str, str]
"""Table and column."""

_COLUMNS = """
    SELECT table_name, column_name, character_set_name, collation_name, column_type
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND character_set_name IS NOT NULL"""
_TABLES = """
    SELECT table_name, table_collation, row_format FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"""
_LARGER: Mapping[str, type[Any]] = {"TINYTEXT": mysql.TEXT, "TEXT": mysql.MEDIUMTEXT, "MEDIUMTEXT": mysql.LONGTEXT}


@dataclass(frozen=True, slots=True)
class StoredText:
    """How a text column is stored; `kind` is its full type, `varchar(50)`."""

    charset: str
    collation: str
    kind: str


class Texts:
    """How the texts of this database are stored, and how they have to be. Empty on SQLite."""

    def __init__(self, connection: Connection, metadata: MetaData) -> None:
        self.columns: dict[Place, StoredText] = {}
        self._tables: dict[str, tuple[str, str]] = {}
        if connection.dialect.name == "mysql":
            for table, column, *stored in connection.execute(text(_COLUMNS)):
                self.columns[table, column] = StoredText(*stored)
            for table, collation, row_format in connection.execute(text(_TABLES)):
                self._tables[table] = collation or "", (row_format or "").upper()
        ours = [self._tables[name][0] for name in ("partners", "lms_users", *metadata.tables) if name in self._tables]
        portal = (each for each in ours if each.startswith("utf8mb4") and not each.endswith("_bin"))
        # Texts of two collations cannot be joined, so everything else takes the portal's.
        self.collation = next(portal, COLLATION)

    def wanted(self, column: Column[Any]) -> str | None:
        """The collation that a stored column has to get; None when it is right, or no text."""
        stored = self.columns.get((column.table.name, column.name))
        if stored is None or isinstance(column.type, Enum):
            return None
        if is_exact(column):
            return EXACT if stored.collation != EXACT else None
        return self.collation if stored.charset != "utf8mb4" else None

    def charset_of(self, place: Place) -> str:
        """Character set of a stored column, "" for none."""
        stored = self.columns.get(place)
        return stored.charset if stored else ""

    def table_needs_default(self, table: str) -> bool:
        """Whether new columns of a stored table would not be utf8mb4."""
        return table in self._tables and not self._tables[table][0].startswith("utf8mb4")

    def has_short_keys(self, table: str) -> bool:
        """Whether a stored table's row format limits a key to 767 bytes: 191 characters of utf8mb4."""
        return self._tables.get(table, ("", ""))[1] in ("COMPACT", "REDUNDANT")


def converted_type(stored: ReflectedColumn, length: int | None, collation: str | None, *, new_charset: bool) -> Any:
    """The type of a stored text column with another collation, at least `length` characters wide.

    A TEXT gets the next larger kind with a new character set: its limit is in bytes, and utf8mb4 needs more of them.
    """
    kind = stored["type"]
    name = type(kind).__name__.upper()
    if name in _LARGER and new_charset:
        return _LARGER[name](collation=collation)
    if name in (*_LARGER, "LONGTEXT"):
        return type(kind)(collation=collation)  # type: ignore[call-arg]
    was = getattr(kind, "length", None) or 0
    enums = getattr(kind, "enums", None) or ()
    widest = max([was, length or 0, *(len(value) for value in enums)])
    return String(widest, collation=collation)


def tied_columns(
    connection: Connection, texts: Texts, changing: Mapping[Place, str], ours: Collection[str]
) -> dict[Place, str]:
    """Text columns of other tables that foreign keys tie to changing ones, each with the statement that converts it.

    Args:
        changing: columns of our tables and the collation that each will have.
        ours: names of our tables.
    """
    pairs = list(_tied_pairs(inspect(connection)))
    collations = dict(changing)
    todo = list(changing)
    while todo:
        place = todo.pop()
        for one, other in pairs:
            far = other if one == place else one if other == place else None
            if far is None or far in collations or far[0] in ours or far not in texts.columns:
                continue
            collations[far] = collations[place]
            todo.append(far)
    far_away = {place: collation for place, collation in collations.items() if place[0] not in ours}
    return {place: _modify(connection, texts, place, collation) for place, collation in sorted(far_away.items())}


def _tied_pairs(inspector: Inspector) -> Iterator[tuple[Place, Place]]:
    for (_, table), keys in inspector.get_multi_foreign_keys().items():
        for key in keys:
            for begin, end in zip(key["constrained_columns"], key["referred_columns"], strict=True):
                yield (table, begin), (key["referred_table"], end)


def _modify(connection: Connection, texts: Texts, place: Place, collation: str) -> str:
    table, name = place
    quote = connection.dialect.identifier_preparer.quote
    (column,) = [each for each in inspect(connection).get_columns(table) if each["name"] == name]
    parts = [
        f"ALTER TABLE {quote(table)} MODIFY {quote(name)} {texts.columns[place].kind}",
        f"CHARACTER SET utf8mb4 COLLATE {collation}",
        "NULL" if column["nullable"] else "NOT NULL",
    ]
    if column["default"] is not None:
        parts.append(f"DEFAULT {column['default']}")
    if column.get("comment"):
        comment = str(column["comment"]).replace("\\", "\\\\").replace("'", "''")
        parts.append(f"COMMENT '{comment}'")
    return " ".join(parts)
