"""What a database server says of itself and of this user's rights; only reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, MetaData, bindparam, text

FOR_RUNS = ("SELECT", "INSERT", "UPDATE", "DELETE")
FOR_UPGRADES = (*FOR_RUNS, "CREATE", "ALTER", "INDEX", "DROP", "REFERENCES")
_GRANT = re.compile(
    r"GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<database>`(?:[^`]|``)+`|\*|\w+)\.(?P<table>\S+) TO ", re.I
)
_ROLE = re.compile(r"GRANT (?P<roles>[`'\"]?[\w%-]+[`'\"]?(?:@\S+)?(?:, ?\S+)*) TO ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """MySQL's or MariaDB's own words.

    Attributes:
        now: the server's clock, UTC.
        zone: the zone of sessions that set none, such as a portal's.
        charset: of new tables that name none.
        grants: this user's, as SHOW GRANTS gives them.
    """

    version: str
    now: datetime
    zone: str
    charset: str
    max_allowed_packet: int
    database: str
    grants: tuple[str, ...]


def server_facts(connection: Connection) -> ServerFacts:
    """Ask a MySQL or MariaDB server."""
    query = """SELECT VERSION(), UTC_TIMESTAMP(),
        CASE @@global.time_zone WHEN 'SYSTEM' THEN @@system_time_zone ELSE @@global.time_zone END,
        @@character_set_database, @@global.max_allowed_packet, DATABASE()"""
    version, now, zone, charset, packet, database = connection.execute(text(query)).one()
    grants = tuple(str(row[0]) for row in connection.execute(text("SHOW GRANTS")))
    return ServerFacts(version, now.replace(tzinfo=UTC), zone, charset, int(packet), database, grants)


def rows_of(connection: Connection, metadata: MetaData) -> int:
    """About how many rows our tables hold, as the server estimates them."""
    query = """SELECT COALESCE(SUM(table_rows), 0) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name IN :names"""
    statement = text(query).bindparams(bindparam("names", list(metadata.tables), expanding=True))
    return int(connection.execute(statement).scalar_one())


def missing_rights(
    grants: Sequence[str], database: str, tables: Iterable[str], needed: Iterable[str] = FOR_RUNS
) -> tuple[str, ...] | None:
    """Rights of `needed` that the grants do not give on every one of the tables, in the order of `needed`.

    None where a role may give what is missing: SHOW GRANTS does not say what a role holds.
    """
    of_database: set[str] = set()
    of_tables: dict[str, set[str]] = {}
    for grant in grants:
        found = _GRANT.match(grant)
        if found is None or not _is_this(found["database"], database):
            continue
        rights = {each.strip().upper() for each in re.sub(r"\([^)]*\)", "", found["rights"]).split(",")}
        rights = set(FOR_UPGRADES) if rights & {"ALL", "ALL PRIVILEGES"} else rights
        if found["table"] == "*":
            of_database |= rights
        else:
            of_tables.setdefault(found["table"].strip("`"), set()).update(rights)
    names = tuple(tables)
    missing = tuple(
        right
        for right in needed
        if right not in of_database and not all(right in of_tables.get(name, ()) for name in names)
    )
    has_role = any(_ROLE.match(grant) and " ON " not in grant for grant in grants)
    return None if missing and has_role else missing


def _is_this(pattern: str, database: str) -> bool:
    """Whether a grant's database is this one; it may be a pattern with % and _, as of LIKE."""
    name = pattern.strip("`")
    if name == "*":
        return True
    parts = re.split(r"(\\.|%|_)", name)
    regex = "".join({"%": ".*", "_": "."}.get(part, re.escape(part.removeprefix("\\"))) for part in parts)
    return re.fullmatch(regex, database, re.IGNORECASE) is not None
