"""What a sync does to a table: written, untouched, moved, refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from lms_assets.domain.records.users import LmsUser
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, delete_rows, update_existing, upsert
from lms_assets_tests.warehouse.table_rows import partner_rows, stored, sync_partners

LATER = timedelta(hours=6)


def user(number: int, **values: Any) -> dict[str, Any]:
    row = {"id": f"user-{number}", "email": f"p{number}@example.com", "first_name": "Ada", "is_active": True}
    return row | values


def sync_users(warehouse: Warehouse, rows: list[Any], now: datetime) -> SyncCounts:
    with warehouse.transaction() as connection:
        return upsert(connection, t.lms_users, rows, key=("id",), now=now)


def test_each_row_is_created_updated_or_unchanged_and_only_written_rows_are_stamped(warehouse, now):
    sync_users(warehouse, [user(1), user(2)], now)

    counts = sync_users(warehouse, [user(1), user(2, first_name="Grace"), user(3)], now + LATER)

    assert counts == SyncCounts(created=1, updated=1, unchanged=1)
    assert stored(warehouse, t.lms_users, "id", "first_name", "synced_at") == [
        ("user-1", "Ada", now),
        ("user-2", "Grace", now + LATER),
        ("user-3", "Ada", now + LATER),
    ]


def test_a_dataclass_whose_fields_are_columns_is_a_row_as_it_stands(warehouse, now):
    person = LmsUser("user-1", "p1@example.com", "Ada", None, now, None, None, "active", True, None)
    rows = [person, replace(person, id="x" * 300), replace(person, id="user-2", first_name="Grace" * 100)]

    counts = sync_users(warehouse, rows, now)

    assert (counts.created, counts.shortened, [each.key for each in counts.rejected_rows]) == (2, 1, [("x" * 300,)])
    assert counts.rejected_rows[0].values["email"] == "p1@example.com"
    assert sync_users(warehouse, [replace(person, email=None)], now + LATER) == SyncCounts(updated=1)
    assert stored(warehouse, t.lms_users, "id", "email") == [("user-1", None), ("user-2", "p1@example.com")]


def test_unchanged_rows_send_no_writing_statement(warehouse, now):
    rows = [user(number, last_active_at=now, email="same@example.com") for number in range(1200)]
    sync_users(warehouse, rows, now)
    statements: list[str] = []
    event.listen(warehouse.engine, "before_cursor_execute", lambda *args: statements.append(args[2].split()[0].upper()))

    counts = sync_users(warehouse, rows, now + LATER)

    assert counts == SyncCounts(unchanged=1200)
    assert not {"INSERT", "UPDATE", "DELETE"} & set(statements)


def test_values_that_the_database_returns_in_another_form_are_not_different(warehouse, now):
    sync_users(warehouse, [user(1)], now)
    enrollment = {
        "id": "e1",
        "user_id": "user-1",
        "course_id": "c1",
        "status": "completed",
        "score": 95.456,
        "completed_at": datetime(2026, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC),
        "progress_percent": 100.0,
    }
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_courses, [{"id": "c1", "is_certification": 1}], key=("id",), now=now)
        first = upsert(connection, t.lms_enrollments, [enrollment], key=("id",), now=now)
    with warehouse.transaction() as connection:
        again = upsert(connection, t.lms_enrollments, [enrollment], key=("id",), now=now + LATER)
        same = upsert(connection, t.lms_courses, [{"id": "c1", "is_certification": True}], key=("id",), now=now)

    assert (first, again, same) == (SyncCounts(created=1), SyncCounts(unchanged=1), SyncCounts(unchanged=1))
    assert stored(warehouse, t.lms_enrollments, "score", "completed_at", "progress_percent") == [
        (Decimal("95.46"), datetime(2026, 1, 1, 12, tzinfo=UTC), 100)
    ]


def test_a_row_that_comes_back_is_reactivated_and_one_that_left_is_deactivated_once(warehouse, now):
    row = {"id": None, "account_name": "Example Ltd", "impartner_id": 7, "is_active": True, "deleted_at": None}
    with warehouse.transaction() as connection:
        upsert(connection, t.partners, [row], key=("id",), now=now)
    ((partner_id,),) = stored(warehouse, t.partners, "id")

    with warehouse.transaction() as connection:
        gone = [
            deactivate(connection, t.partners, [partner_id], now=now, values={"account_status": "Inactive"})
            for _ in range(2)
        ]
    assert gone == [1, 0]
    columns = "account_name", "is_active", "deleted_at", "account_status"
    assert stored(warehouse, t.partners, *columns) == [("Example Ltd", False, now, "Inactive")]

    with warehouse.transaction() as connection:
        back = upsert(
            connection,
            t.partners,
            [row | {"id": partner_id, "account_status": "Active"}],
            key=("id",),
            now=now,
        )
    assert back == SyncCounts(reactivated=1)
    assert stored(warehouse, t.partners, *columns) == [("Example Ltd", True, None, "Active")]


def test_an_enrollment_of_somebody_who_is_not_stored_is_refused_by_itself(warehouse, now):
    sync_users(warehouse, [user(1)], now)
    rows = [
        {"id": f"e{number}", "user_id": f"user-{number}", "course_id": "c1", "status": "enrolled"} for number in (1, 2)
    ]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_courses, [{"id": "c1"}], key=("id",), now=now)
        counts = upsert(connection, t.lms_enrollments, rows, key=("id",), now=now)

    assert counts.created == 1
    assert [rejected_row.key for rejected_row in counts.rejected_rows] == [("e2",)]
    assert "does not exist" in counts.rejected_rows[0].reason


def test_one_row_in_thousands_that_is_refused_costs_only_itself(warehouse, now):
    names = [f"Partner {number:04}" for number in range(2500)]
    sync_partners(warehouse, partner_rows("Taken"), now)

    counts = sync_partners(warehouse, partner_rows(*names[:1700], "Taken", *names[1700:]), now)

    assert (counts.created, len(counts.rejected_rows)) == (2500, 1)


def test_text_that_is_too_long_is_cut_and_says_so_but_an_id_is_never_cut(warehouse, now):
    long_name, long_id = "é" * 300, "x" * 101
    counts = sync_users(warehouse, [user(1, first_name=long_name), user(2, id=long_id)], now)

    assert (counts.created, counts.shortened) == (1, 1)
    assert counts.rejected_rows[0].reason == "id is longer than 100 characters"
    assert sync_users(warehouse, [user(1, first_name=long_name)], now).unchanged == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("last_active_at", "yesterday"),
        ("is_active", "yes"),
        ("email", 7),
        ("contact_id", 2**40),
        ("contact_id", float("nan")),
    ],
)
def test_a_value_of_a_wrong_kind_never_stops_the_others(warehouse, now, column, value):
    row = user(1) | {"last_active_at": None, "contact_id": None}
    counts = sync_users(warehouse, [row | {column: value}, row | {"id": "user-2"}], now)

    assert counts.created + len(counts.rejected_rows) == 2
    assert "user-2" in [row_id for (row_id,) in stored(warehouse, t.lms_users, "id")]


def test_the_same_id_twice_counts_once_and_is_reported(warehouse, now):
    counts = sync_users(warehouse, [user(1), user(1, first_name="Other")], now)

    assert counts.created == 1
    assert "twice" in counts.rejected_rows[0].reason
    assert stored(warehouse, t.lms_users, "id", "first_name") == [("user-1", "Ada")]


def test_names_in_other_scripts_emoji_and_apostrophes_come_back_as_they_went(warehouse, now):
    names = ["Müller & Söhne", "株式会社サンプル", 'O\'Brien \\ "q"', "Acme 🚀", "Acme 🌟", "=cmd|' /C calc'!A0", "%s"]
    counts = sync_partners(warehouse, partner_rows(*names), now)

    assert counts == SyncCounts(created=len(names))
    assert {name for (name,) in stored(warehouse, t.partners, "account_name")} == set(names)


def test_rows_that_are_not_stored_are_passed_over_when_only_existing_ones_may_change(warehouse, now):
    sync_users(warehouse, [user(1)], now)
    with warehouse.transaction() as connection:
        rows = [{"id": "user-1", "enrollment_synced_at": now}, {"id": "nobody", "enrollment_synced_at": now}]
        counts = update_existing(connection, t.lms_users, rows, key=("id",), now=now)
        nothing = update_existing(connection, t.lms_users, [], key=("id",), now=now)

    assert (counts, nothing) == (SyncCounts(updated=1), SyncCounts())
    assert stored(warehouse, t.lms_users, "id", "enrollment_synced_at") == [("user-1", now)]


def test_rows_are_deleted_by_key_also_when_the_key_has_two_columns(warehouse, now):
    rows = [{"group_id": f"g{n % 3}", "user_id": f"u{n}", "added_at": now} for n in range(900)]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_group_members, rows, key=("group_id", "user_id"), now=now)
        keys = [(row["group_id"], row["user_id"]) for row in rows[:700]]
        assert delete_rows(connection, t.lms_group_members, keys) == 700
    assert len(stored(warehouse, t.lms_group_members, "user_id")) == 200


def test_a_mistake_in_the_program_is_an_error_and_not_a_rejected_row(warehouse, now):
    for rows in ([{"id": "a", "no_such_column": 1}], [user(1), {"id": "b"}], [{"email": "a@example.com"}]):
        with pytest.raises(ValueError), warehouse.transaction() as connection:
            upsert(connection, t.lms_users, rows, key=("id",), now=now)
    assert stored(warehouse, t.lms_users, "id") == []
