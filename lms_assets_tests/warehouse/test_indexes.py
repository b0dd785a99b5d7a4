"""Which indexes MariaDB uses for what is asked many times, or of many rows, as EXPLAIN says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.enrollments import enrollments_that_may_count
from lms_assets.warehouse.reading.people import members_of
from lms_assets.warehouse.results.ledger import ledger_counts, ledger_items
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert

PEOPLE = 3_000
SOME = [f"u{number:04}" for number in range(400, 430)]


def _change_people(connection: Connection, now: datetime) -> None:
    upsert(connection, t.lms_users, [{"id": each, "first_name": "B"} for each in SOME], key=("id",), now=now)


ASKED: dict[str, tuple[Callable[[Connection, datetime], Any], dict[str, str]]] = {
    "changing_many_rows": (_change_people, {"lms_users": "PRIMARY", "stored": "PRIMARY"}),
    "enrollments_of_people": (
        lambda connection, _: list(enrollments_that_may_count(connection, SOME)),
        {"lms_enrollments": "ix_lms_enrollments_user_id", "lms_courses": "PRIMARY"},
    ),
    "members_of_a_group": (
        lambda connection, _: members_of(connection, ["g3"]),
        {"lms_group_members": "PRIMARY"},
    ),
    "the_ledger_of_a_partner": (
        lambda connection, _: list(ledger_items(connection, partner_id=3)),
        {"partner_certifications": "ix_partner_certifications_partner_id"},
    ),
    "the_sums_of_the_ledger": (
        lambda connection, _: ledger_counts(connection, [], "go_to_market"),
        {"partner_certifications": "ix_partner_certifications_valid_to"},
    ),
}


@pytest.mark.parametrize("warehouse", ["mariadb"], indirect=True)
def test_what_is_asked_of_large_tables_goes_by_an_index(warehouse, now):
    _fill(warehouse, now)
    used: dict[str, dict[str, str | None]] = {}
    with warehouse.transaction() as connection:
        for name, (ask, _) in ASKED.items():
            statements: list[tuple[str, Any]] = []
            note = _noting(statements)
            event.listen(warehouse.engine, "before_cursor_execute", note)
            ask(connection, now)
            event.remove(warehouse.engine, "before_cursor_execute", note)
            used[name] = {
                row["table"]: row["key"]
                for statement, values in statements
                if statement.startswith(("SELECT", "UPDATE"))
                for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values).mappings()
            }
    wanted = {name: keys for name, (_, keys) in ASKED.items()}
    assert {name: {table: used[name].get(table) for table in keys} for name, keys in wanted.items()} == wanted


def _noting(found: list[tuple[str, Any]]) -> Callable[..., None]:
    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    return note


def _fill(warehouse: Warehouse, now: datetime) -> None:
    """Enough rows that reading a whole table would cost more than asking its index."""
    people = [f"u{number:04}" for number in range(PEOPLE)]
    with warehouse.transaction() as connection:
        rows: list[tuple[Any, list[dict[str, Any]]]] = [
            (t.lms_users, [{"id": each} for each in people]),
            (t.lms_courses, [{"id": f"c{number}", "npcu_value": number % 2} for number in range(50)]),
            (t.lms_group_members, [{"group_id": f"g{each[-2:]}", "user_id": each} for each in people]),
            (t.lms_enrollments, [
                {"id": f"e{each}{n}", "user_id": each, "course_id": f"c{n}", "status": "completed"}
                for each in people for n in range(3)
            ]),
            (t.partner_certifications, [
                {"partner_id": number % 100, "user_id": each, "course_id": "c1", "enrollment_id": f"e{each}", "npcu": 1,
                 "belongs_by": "group", "group_ids": "g", "contact_ids": "", "verdict": "counted", "reason": "",
                 "counted": True, "fingerprint": each, "valid_from": now, "valid_to": now if number % 10 else None}
                for number, each in enumerate(people)
            ]),
        ]  # fmt: skip
        for table, of_table in rows:
            connection.execute(table.insert(), of_table)
        connection.execute(text("ANALYZE TABLE lms_users, lms_enrollments, lms_group_members, partner_certifications"))
