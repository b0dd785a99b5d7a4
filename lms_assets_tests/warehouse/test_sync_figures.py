"""What a sync says it did, and how few statements it needs for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import RejectedRow, SyncCounts, delete_rows, update_existing, upsert
from lms_assets_tests.warehouse.table_rows import partner_rows, stored, sync_partners

LATER = timedelta(hours=6)
NO = (RejectedRow(("x",), "no"), RejectedRow(("y",), "no"))
FULL = SyncCounts(1, 20, 300, 4_000, 50_000, 600_000, 7, NO)


def statements_of(warehouse: Warehouse) -> list[tuple[str, int]]:
    """Each statement's first word, and how many values it was given; filled as they are executed."""
    found: list[tuple[str, int]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        found.append((statement.split()[0].upper(), -1 if many else len(parameters)))

    event.listen(warehouse.engine, "before_cursor_execute", note)
    return found


def writing(statements: list[tuple[str, int]]) -> list[str]:
    return [word for word, _ in statements if word in {"INSERT", "UPDATE", "DELETE"}]


def test_every_row_is_in_one_figure():
    assert FULL.written == 654_021
    assert FULL.processed == 654_323
    assert FULL.figures() == {
        "created": 1,
        "updated": 20,
        "unchanged": 300,
        "deactivated": 4_000,
        "reactivated": 50_000,
        "removed": 600_000,
        "refused_by_database": 2,
    }


def test_figures_of_two_syncs_add_up():
    both = FULL + SyncCounts(1, 1, 1, 1, 1, 1, 1, NO[:1])
    assert both == SyncCounts(2, 21, 301, 4_001, 50_001, 600_001, 8, (*NO, NO[0]))


def test_a_refused_row_is_named_by_its_key_or_where_it_has_none_by_the_crms_id():
    assert RejectedRow(("g1", "u1"), "no").name == "g1/u1"
    assert RejectedRow((None,), "no", {"impartner_id": 7}).name == "7"
    assert RejectedRow((8,), "no", {"impartner_id": 7}).name == "8"


def test_the_log_of_a_sync_adds_up(warehouse, now):
    log_id = sync_log.start(warehouse, "users", now=now)
    with warehouse.transaction() as connection:
        sync_log.complete(connection, log_id, now=now, counts=FULL, skipped=3, failed=10)
    with warehouse.read() as connection:
        entry = sync_log.latest(connection)["users"]
    assert (entry.records_processed, entry.records_created) == (654_336, 1)
    assert (entry.records_updated, entry.records_deleted) == (50_020, 604_000)
    assert (entry.records_skipped, entry.records_failed, entry.api_calls_made) == (3, 12, 0)
    assert entry.details is None


def test_a_sync_without_anything_special_logs_zeros(warehouse, now):
    log_id = sync_log.start(warehouse, "users", now=now)
    with warehouse.transaction() as connection:
        sync_log.complete(connection, log_id, now=now, counts=SyncCounts())
    with warehouse.read() as connection:
        entry = sync_log.latest(connection)["users"]
    assert {entry.records_processed, entry.records_skipped, entry.records_failed, entry.api_calls_made} == {0}
    failing = sync_log.start(warehouse, "users", now=now)
    sync_log.fail(warehouse, failing, now=now, error="no answer")
    with warehouse.read() as connection:
        entry = sync_log.latest(connection)["users"]
    assert (entry.status, entry.api_calls_made) == ("failed", 0)


def test_the_very_first_sync_that_failed_is_found(warehouse, now):
    first = logged(warehouse, "leads", now, "no key")
    with warehouse.read() as connection:
        assert [each.id for each in sync_log.failures_since_completed(connection, "leads")] == [first]


def logged(warehouse: Warehouse, sync_type: str, now: datetime, error: str | None = None) -> int:
    log_id = sync_log.start(warehouse, sync_type, now=now)
    if error is not None:
        sync_log.fail(warehouse, log_id, now=now, error=error, api_calls=2)
        return log_id
    with warehouse.transaction() as connection:
        sync_log.complete(connection, log_id, now=now, counts=SyncCounts())
    return log_id


def test_the_newest_of_each_type_and_what_failed_since_are_found(warehouse, now):
    first = logged(warehouse, "users", now)
    logged(warehouse, "users", now, "before")
    second = logged(warehouse, "users", now)
    failed = [logged(warehouse, "users", now, "no answer") for _ in range(2)]
    other = logged(warehouse, "groups", now)
    never = logged(warehouse, "leads", now, "no key")

    with warehouse.read() as connection:
        assert {key: each.id for key, each in sync_log.latest(connection).items()} == {
            "users": failed[-1], "groups": other, "leads": never,
        }  # fmt: skip
        assert {key: each.id for key, each in sync_log.last_completed(connection).items()} == {
            "users": second, "groups": other,
        }  # fmt: skip
        assert [each.id for each in sync_log.completed_recently(connection, "users", 5)] == [second, first]
        assert [each.id for each in sync_log.completed_recently(connection, "users", 1)] == [second]
        assert [each.id for each in sync_log.failures_since_completed(connection, "users")] == failed
        assert [each.id for each in sync_log.failures_since_completed(connection, "leads")] == [never]
        assert sync_log.failures_since_completed(connection, "groups") == ()
        assert sync_log.failures_since_completed(connection, "leads")[0].api_calls_made == 2


def users(number: int, **values: Any) -> list[dict[str, Any]]:
    return [{"id": f"user-{each:04}", **values} for each in range(number)]


@pytest.mark.parametrize(
    ("number", "values", "most"),
    [
        (1_100, {"enrollment_synced_at": 1}, 3),
        (4, {"enrollment_synced_at": 1}, 1),
        (1_100, {"enrollment_synced_at": 1, "first_name": "A", "last_name": "B"}, 3),
    ],
)
def test_many_rows_that_get_equal_values_are_written_by_a_few_statements(warehouse, now, number, values, most):
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, users(number), key=("id",), now=now)
    given = {name: now if value == 1 else value for name, value in values.items()}
    seen = statements_of(warehouse)
    with warehouse.transaction() as connection:
        counts = update_existing(connection, t.lms_users, users(number, **given), key=("id",), now=now + LATER)

    assert counts == SyncCounts(updated=number)
    assert len(writing(seen)) <= most
    if not warehouse.is_sqlite:
        assert all(values >= 0 for word, values in seen if word == "UPDATE"), "one statement for many rows"
    assert {row[1:] for row in stored(warehouse, t.lms_users, "id", *given, "synced_at")} == {
        (*given.values(), now + LATER)
    }


def test_no_statement_has_more_values_than_a_database_takes(warehouse, now):
    members = [{"group_id": f"g{n % 2}", "user_id": f"u{n}", "added_at": now} for n in range(1_200)]
    seen = statements_of(warehouse)
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, users(1_100), key=("id",), now=now)
        upsert(connection, t.lms_group_members, members, key=("group_id", "user_id"), now=now)
    with warehouse.transaction() as connection:
        keys = [(row["group_id"], row["user_id"]) for row in members]
        assert delete_rows(connection, t.lms_group_members, keys) == 1_200
        assert delete_rows(connection, t.lms_users, [row["id"] for row in users(1_100)]) == 1_100

    assert max(values for _, values in seen) <= 510
    assert len(writing(seen)) <= 3 + 3 + 5 + 3


def test_groups_of_rows_that_get_different_values_each_get_theirs(warehouse, now):
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, users(12), key=("id",), now=now)
        rows = [{"id": f"user-{n:04}", "first_name": "AB"[n % 2] if n < 10 else f"own {n}"} for n in range(12)]
        counts = update_existing(connection, t.lms_users, rows, key=("id",), now=now + LATER)
    assert counts == SyncCounts(updated=12)
    assert [name for _, name in stored(warehouse, t.lms_users, "id", "first_name")] == [
        *("A", "B") * 5, "own 10", "own 11",
    ]  # fmt: skip


def test_rows_that_come_back_leave_or_change_and_are_refused_are_told_apart(warehouse, now):
    rows = partner_rows("Alpha", "Beta", "Gamma", "Delta")
    rows[1]["is_active"] = False
    sync_partners(warehouse, rows, now)
    ids = [row_id for (row_id,) in stored(warehouse, t.partners, "id")]
    again = partner_rows("Alpha 2", "Beta", "Gamma", "Alpha 2", "New", "New", ids=[*ids, None, None])
    again[1]["is_active"], again[2]["is_active"] = True, False

    counts = sync_partners(warehouse, again, now + LATER)

    assert (counts.created, counts.updated, counts.unchanged) == (1, 1, 0)
    assert (counts.reactivated, counts.deactivated, counts.written, counts.processed) == (1, 1, 4, 6)
    assert sorted(str(each.key) for each in counts.rejected_rows) == [f"({ids[3]},)", "(None,)"]
