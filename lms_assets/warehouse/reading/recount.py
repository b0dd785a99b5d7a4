"""The counts worked out a second time, by another method: frames of the base tables, merged, filtered, grouped.

Shares no code with `domain` (an import contract holds that), so that a mistake there cannot be repeated here. SQL only
narrows; pandas decides, so that text is compared character by character whatever collation the database has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Integer, Select, String, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.warehouse.schema.tables import (
    contact_affiliations,
    contacts,
    lms_courses,
    lms_enrollments,
    lms_group_members,
    lms_groups,
    lms_users,
    partners,
)

# Said, since a table without rows has none by itself.
_TYPES = {
    **dict.fromkeys(("partner_id", "contact_id"), "int64"),
    **dict.fromkeys(("group_id", "user_id", "course_id", "status", "category"), "str"),
    **dict.fromkeys(("is_active", "npcu_value"), "float64"),
}
_ONCE = ["partner_id", "user_id", "course_id"]


@dataclass(frozen=True)
class Recount:
    """Every active partner's counts, by row id and stored column.

    `held`: one row for each partner, person (LMS id) and course (LMS id) that counts.
    """

    counts: Mapping[int, Mapping[str, int]]
    held: pd.DataFrame

    def rows_of(self, partner_id: int) -> frozenset[tuple[str, str]]:
        """(person, course) of each certification that counts for the partner."""
        rows = self.held[self.held["partner_id"] == partner_id]
        return frozenset(zip(rows["user_id"], rows["course_id"], strict=True))


def recount(
    connection: Connection, at: datetime, *, months: int, columns: Mapping[str, str], gtm_category: str
) -> Recount:
    """Count every active partner as of the instant `at` (UTC), from what the tables hold now.

    Args:
        months: calendar months that a certification without an expiry lasts.
        columns: category to the column that counts it.
        gtm_category: the category of which one certification makes `has_gtm_certification` true.
    """
    active = _active_partners(connection)
    people = _people(connection).merge(active, on="partner_id")
    held = people.merge(_held(connection, at, months), on="user_id").drop_duplicates(_ONCE)
    of_partner = held.groupby("partner_id")
    counts = pd.DataFrame(index=pd.Index(active["partner_id"]))
    for category, column in columns.items():
        counts[column] = (held["category"] == category).groupby(held["partner_id"]).sum()
    counts["total_npcu"] = of_partner["npcu_value"].sum()
    counts["has_gtm_certification"] = (held["category"] == gtm_category).groupby(held["partner_id"]).any()
    whole = counts.astype("float64").fillna(0).astype("int64")
    rows = zip(whole.index.tolist(), whole.to_dict(orient="records"), strict=True)
    return Recount({key: {str(name): number for name, number in row.items()} for key, row in rows}, held)


def _active_partners(connection: Connection) -> pd.DataFrame:
    c = partners.c
    rows = _read(select(c.id.label("partner_id"), _as_number(c.is_active)), connection)
    return rows.loc[rows["is_active"].fillna(0) != 0, ["partner_id"]]


def _people(connection: Connection) -> pd.DataFrame:
    """Each partner's people, once: (partner_id, user_id), by an active group, an active contact or a further one."""
    ways = pd.concat([_by_group(connection), _by_contact(connection), _by_further_contact(connection)])
    u = lms_users.c
    users = _read(select(u.id.label("user_id"), u.status, _as_number(u.is_active)), connection)
    active = users[(users["is_active"].fillna(0) != 0) & (users["status"] == "active")]
    return ways.drop_duplicates().merge(active[["user_id"]], on="user_id")


def _by_group(connection: Connection) -> pd.DataFrame:
    g, m = lms_groups.c, lms_group_members.c
    columns = g.id.label("group_id"), g.partner_id, _as_number(g.is_active)
    groups = _read(select(*columns).where(g.partner_id.is_not(None)), connection)
    members = _read(select(m.group_id, m.user_id), connection)
    found = groups[groups["is_active"].fillna(0) != 0].merge(members, on="group_id")
    return found[["partner_id", "user_id"]]


def _by_contact(connection: Connection) -> pd.DataFrame:
    c = contacts.c
    columns = c.partner_id, c.lms_user_id.label("user_id"), _as_number(c.is_active)
    linked = c.partner_id.is_not(None), c.lms_user_id.is_not(None)
    found = _read(select(*columns).where(*linked), connection)
    return found.loc[found["is_active"].fillna(0) != 0, ["partner_id", "user_id"]]


def _by_further_contact(connection: Connection) -> pd.DataFrame:
    """Further contacts with a contact's address; they are there as long as the CRM has them, active or not."""
    c, f = contacts.c, contact_affiliations.c
    further = _read(select(f.contact_id, f.partner_id), connection)
    persons = select(c.id.label("contact_id"), c.lms_user_id.label("user_id")).where(c.lms_user_id.is_not(None))
    return further.merge(_read(persons, connection), on="contact_id")[["partner_id", "user_id"]]


def _held(connection: Connection, at: datetime, months: int) -> pd.DataFrame:
    """What each person holds at the instant, each course once."""
    k, e = lms_courses.c, lms_enrollments.c
    columns = k.id.label("course_id"), k.npcu_value, k.certification_category.label("category")
    courses = _read(select(*columns).where(k.npcu_value > 0), connection)
    times = (type_coerce(each, String).label(each.name) for each in (e.completed_at, e.expires_at))
    certifications = select(k.id).where(k.npcu_value > 0)
    query = select(e.user_id, e.course_id, e.status, *times)
    query = query.where(e.completed_at.is_not(None), e.course_id.in_(certifications))
    attempts = _read(query, connection)
    now = pd.Timestamp(at.astimezone(UTC).replace(tzinfo=None))
    attempts["completed_at"] = _instants(attempts["completed_at"])
    done = attempts[(attempts["status"] == "completed") & (attempts["completed_at"] <= now)]
    lasting = _instants(done["expires_at"]).fillna(done["completed_at"] + pd.DateOffset(months=months))
    return done.loc[lasting > now, ["user_id", "course_id"]].drop_duplicates().merge(courses, on="course_id")


def _read(query: Select[Any], connection: Connection) -> pd.DataFrame:
    types = {column.key: _TYPES[column.key] for column in query.selected_columns if column.key in _TYPES}
    return pd.read_sql(query, connection, dtype=types)


def _as_number(column: ColumnElement[bool]) -> ColumnElement[int]:
    return type_coerce(column, Integer).label(str(column.key))


def _instants(stored: pd.Series) -> pd.Series:
    """Stored times, naive UTC and whole seconds; what is no date is none (MySQL's 0000-00-00)."""
    return pd.to_datetime(stored, errors="coerce", format="ISO8601").astype("datetime64[s]")
