"""A sync at its edges: many rows, keys of two columns, refusals in bulk, names as long as their column."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert import write
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert
from lms_assets_tests.warehouse.table_rows import partner_rows, stored, sync_partners

LATER = timedelta(hours=6)
USERS = [{"id": f"user-{number:04}", "first_name": "Ada"} for number in range(1_100)]


def test_only_the_rows_named_change_when_a_key_has_two_columns(warehouse, now):
    rows = [{"group_id": group, "user_id": f"u{n}", "added_at": now} for group in ("g1", "g2") for n in range(6)]
    changed = [row | {"added_at": now + LATER} for row in rows[:5]]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_group_members, rows, key=("group_id", "user_id"), now=now)
        counts = upsert(connection, t.lms_group_members, changed, key=("group_id", "user_id"), now=now)

    assert counts == SyncCounts(updated=5)
    found = stored(warehouse, t.lms_group_members, "group_id", "user_id", "added_at")
    assert {each[:2] for each in found if each[2] == now + LATER} == {("g1", f"u{n}") for n in range(5)}
    assert len(found) == 12


def test_an_update_of_many_that_is_refused_names_each_row_and_writes_the_others(warehouse, now):
    with warehouse.transaction() as connection:
        upsert(connection, t.contacts, [{"id": 1, "email": "ada@example.com"}], key=("id",), now=now)
        upsert(connection, t.lms_users, USERS[:12], key=("id",), now=now)
    rows = [{"id": row["id"], "contact_id": 1 if n < 6 else 999} for n, row in enumerate(USERS[:12])]
    with warehouse.transaction() as connection:
        counts = update_existing(connection, t.lms_users, rows, key=("id",), now=now)

    assert counts.updated == 6
    assert [each.key for each in counts.rejected_rows] == [(row["id"],) for row in USERS[6:12]]
    assert all("does not exist" in each.reason for each in counts.rejected_rows)
    assert counts.rejected_rows[0].values["contact_id"] == 999
    assert [contact for _, contact in stored(warehouse, t.lms_users, "id", "contact_id")] == [1] * 6 + [None] * 6


def test_an_id_that_comes_again_much_later_in_a_long_list_is_still_reported(warehouse, now):
    with warehouse.transaction() as connection:
        again = [*USERS, USERS[0] | {"first_name": "Other"}]
        counts = upsert(connection, t.lms_users, again, key=("id",), now=now)
    assert (counts.created, [each.key for each in counts.rejected_rows]) == (1_100, [("user-0000",)])
    assert stored(warehouse, t.lms_users, "id", "first_name")[0] == ("user-0000", "Ada")


def test_what_comes_after_a_row_that_cannot_be_stored_is_stored(warehouse, now):
    rows = [USERS[0], {"id": "x" * 101, "first_name": "Ada"}, USERS[1], USERS[0], USERS[2]]
    with warehouse.transaction() as connection:
        counts = upsert(connection, t.lms_users, rows, key=("id",), now=now)
    assert (counts.created, len(counts.rejected_rows)) == (3, 2)


def test_every_row_that_was_cut_is_counted(warehouse, now):
    rows = [row | {"first_name": "x" * 300 if n % 2 else "Ada"} for n, row in enumerate(USERS)]
    with warehouse.transaction() as connection:
        assert upsert(connection, t.lms_users, rows, key=("id",), now=now) == SyncCounts(created=1_100, shortened=550)


def test_rows_that_lack_their_key_are_a_mistake_that_names_it(warehouse, now):
    with (
        pytest.raises(ValueError, match="rows for lms_group_members lack the key group_id, user_id"),
        warehouse.transaction() as connection,
    ):
        upsert(connection, t.lms_group_members, [{"added_at": now}], key=("user_id", "group_id"), now=now)


def test_many_rows_are_deactivated_and_counted(warehouse, now):
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, [row | {"is_active": True} for row in USERS], key=("id",), now=now)
        gone = deactivate(connection, t.lms_users, [row["id"] for row in USERS[:1_001]], now=now + LATER)
    assert gone == 1_001
    found = stored(warehouse, t.lms_users, "id", "is_active", "synced_at")
    assert {each[1:] for each in found[:1_001]} == {(False, now + LATER)}
    assert {each[1:] for each in found[1_001:]} == {(True, now)}


def test_columns_for_new_rows_only_are_written_once_and_then_left_alone(warehouse, now):
    def sync(*rows: dict[str, Any]) -> SyncCounts:
        with warehouse.transaction() as connection:
            return upsert(connection, t.lms_users, rows, key=("id",), now=now, insert_only=["first_name"])

    assert sync({"id": "a", "first_name": "Ada", "last_name": "L"}) == SyncCounts(created=1)
    assert sync({"id": "a", "first_name": "Other", "last_name": "L"}) == SyncCounts(unchanged=1)
    assert sync({"id": "a", "first_name": "Other", "last_name": "M"}) == SyncCounts(updated=1)
    assert stored(warehouse, t.lms_users, "id", "first_name", "last_name") == [("a", "Ada", "M")]


def test_a_stamp_moves_when_a_watched_column_changes_and_not_for_others(warehouse, now):
    def sync(when: datetime, *rows: tuple[str, str, bool]) -> None:
        given = [{"id": key, "name": name, "is_active": active, "linked_at": when} for key, name, active in rows]
        with warehouse.transaction() as connection:
            changed_at = ("linked_at", ("is_active",))
            upsert(connection, t.lms_groups, given, key=("id",), now=when, changed_at=changed_at)

    sync(now, ("a", "A", True), ("b", "B", True), ("c", "C", True))
    sync(now + LATER, ("a", "A", True), ("b", "renamed", True), ("c", "C", False), ("d", "D", True))
    found = stored(warehouse, t.lms_groups, "id", "name", "linked_at")
    assert found == [("a", "A", now), ("b", "renamed", now), ("c", "C", now + LATER), ("d", "D", now + LATER)]


LONG = "x" * 255


def test_a_name_as_long_as_its_column_is_marked_within_it_when_given_up(warehouse, now):
    sync_partners(warehouse, partner_rows(LONG), now)
    ((old,),) = stored(warehouse, t.partners, "id")
    with warehouse.transaction() as connection:
        deactivate(connection, t.partners, [old], now=now)
    assert sync_partners(warehouse, partner_rows(LONG), now) == SyncCounts(created=1)

    mark = f" (inactive #{old})"
    names = dict(stored(warehouse, t.partners, "id", "account_name"))
    assert names.pop(old) == LONG[: -len(mark)] + mark
    assert list(names.values()) == [LONG]


def test_a_long_name_that_is_put_back_is_marked_within_its_column(warehouse, now):
    sync_partners(warehouse, partner_rows(LONG, "Beta", "Gamma"), now)
    ids = {name: row_id for row_id, name in stored(warehouse, t.partners, "id", "account_name")}
    wanted = partner_rows("Gamma", LONG, "Gamma", ids=[ids[LONG], ids["Beta"], ids["Gamma"]])
    counts = sync_partners(warehouse, wanted, now)

    assert (counts.updated, [each.key for each in counts.rejected_rows]) == (1, [(ids[LONG],)])
    mark = f" (#{ids[LONG]})"
    names = dict(stored(warehouse, t.partners, "id", "account_name"))
    assert names[ids[LONG]] == LONG[: -len(mark)] + mark
    assert names[ids["Beta"]] == LONG


def test_a_refused_row_that_stepped_aside_gets_its_name_back_while_nobody_has_it(warehouse, now):
    """Alpha and Beta both want Gamma's name, which stays; a new row, written after them, wants Alpha's."""
    sync_partners(warehouse, partner_rows("Alpha", "Beta", "Gamma"), now)
    ids = {name: row_id for row_id, name in stored(warehouse, t.partners, "id", "account_name")}
    wanted = partner_rows("Gamma", "Gamma", "Alpha", ids=[ids["Alpha"], ids["Beta"], None])
    counts = sync_partners(warehouse, wanted, now)

    assert {each.key for each in counts.rejected_rows} >= {(ids["Alpha"],), (ids["Beta"],)}
    names = dict(stored(warehouse, t.partners, "id", "account_name"))
    assert (names[ids["Beta"]], names[ids["Gamma"]]) == ("Beta", "Gamma")
    assert names[ids["Alpha"]] == "Alpha"
    assert counts.written == counts.created == 0


def test_a_second_name_that_is_refused_too_is_a_rejected_row_and_none_gives_up(warehouse, now):
    sync_partners(warehouse, partner_rows("Alpha", "Beta"), now)
    ids = {name: row_id for row_id, name in stored(warehouse, t.partners, "id", "account_name")}
    tried: list[str] = []

    def other(row: Any) -> Any:
        tried.append(row["account_name"])
        return None if row["account_name"] == "Beta" else {**row, "account_name": "Beta"}

    counts = sync_partners(warehouse, partner_rows("Alpha", "Beta", "Delta"), now, on_clash=other)
    assert (counts.created, len(counts.rejected_rows), tried) == (1, 2, ["Alpha", "Beta"])
    moved = partner_rows("Alpha", "New", ids=[ids["Beta"], None])
    counts = sync_partners(warehouse, moved, now, on_clash=lambda row: {**row, "account_name": "Beta (#2)"})
    assert (counts.updated, counts.created, counts.rejected_rows) == (1, 1, ())
    assert dict(stored(warehouse, t.partners, "id", "account_name"))[ids["Beta"]] == "Beta (#2)"


def test_where_no_row_is_ever_inactive_the_one_that_has_a_name_keeps_it(warehouse, now):
    row = {"id": None, "task_type": "sync_users", "task_name": "Users"}
    with warehouse.transaction() as connection:
        connection.execute(t.scheduled_tasks.delete())
        upsert(connection, t.scheduled_tasks, [row], key=("id",), now=now)
        counts = upsert(connection, t.scheduled_tasks, [row | {"task_name": "Other"}], key=("id",), now=now)
    assert (counts.created, len(counts.rejected_rows)) == (0, 1)
    assert stored(warehouse, t.scheduled_tasks, "task_type", "task_name") == [("sync_users", "Users")]


def test_values_of_every_kind_that_change_together_are_each_stored_as_given(warehouse, now):
    """MariaDB gets them written out in one statement, where a column's kind is guessed from all its values."""
    course = {"id": "c1", "name": "A", "is_certification": False, "npcu_value": 0, "synced_at": now}
    person = {"id": "u1", "is_active": True, "status": "active", "last_active_at": now, "first_name": "A"}
    attempt = {"user_id": "u1", "course_id": "c1", "status": "enrolled", "completed_at": None, "score": None}
    before = [{"id": f"e{number}", **attempt} for number in range(4)]
    after = [
        before[0] | {"status": 'it\'s 9 % \\ "%s"', "score": Decimal("95.46")},
        before[1] | {"status": "Čeština 🚀", "completed_at": now + timedelta(days=1)},
        before[2] | {"status": "completed", "score": Decimal("0.00"), "completed_at": now},
        before[3] | {"status": ""},
    ]
    documents = [{"course_id": f"c{number}", "npcu_value": number, "property_data": None} for number in range(3)]
    others = [
        documents[0],
        documents[1] | {"property_data": {"a": [1, None, "ü"]}},
        documents[2] | {"npcu_value": None},
    ]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_courses, [course], key=("id",), now=now)
        upsert(connection, t.lms_users, [person], key=("id",), now=now)
        for rows, given in ((before, documents), (after, others)):
            upsert(connection, t.lms_enrollments, rows, key=("id",), now=now)
            upsert(connection, t.course_properties, given, key=("course_id",), now=now)
        off = {"id": "u1", "is_active": False, "status": "off", "last_active_at": None, "first_name": None}
        assert upsert(connection, t.lms_users, [off], key=("id",), now=now).deactivated == 1

    assert stored(warehouse, t.lms_enrollments, *after[0]) == [tuple(row.values()) for row in after]
    assert stored(warehouse, t.course_properties, *others[0]) == [tuple(row.values()) for row in others]
    assert stored(warehouse, t.lms_users, *off) == [tuple(off.values())]


def test_rows_with_more_text_than_a_statement_takes_are_written_in_several(warehouse, now, monkeypatch):
    monkeypatch.setattr(write, "_MOST_TEXT", 3_000)
    rows = [{"id": f"u{number:02}", "first_name": "x" * 200, "last_name": "a"} for number in range(50)]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, rows, key=("id",), now=now)
        counts = upsert(connection, t.lms_users, [row | {"last_name": row["id"]} for row in rows], key=("id",), now=now)
    assert counts.updated == 50
    assert stored(warehouse, t.lms_users, "last_name") == [(row["id"],) for row in rows]


def test_rows_that_read_alike_and_values_of_another_kind_are_told_apart(warehouse, now):
    """MariaDB compares a row with what is stored as one text."""
    person = {"id": "u1", "first_name": "a\x1fb", "last_name": "c", "contact_id": None, "last_active_at": now}
    others = [
        {"first_name": "a", "last_name": "b\x1fc"},
        {"first_name": "A"},
        {"last_name": None},
        {"last_name": ""},
        {"last_active_at": now + timedelta(seconds=1)},
        {"last_active_at": None},
    ]
    same = [{"last_active_at": now + timedelta(microseconds=5)}, {"first_name": "a\x1fb\x00"}]
    with warehouse.transaction() as connection:
        for given in others:
            upsert(connection, t.lms_users, [person], key=("id",), now=now)
            assert upsert(connection, t.lms_users, [person | given], key=("id",), now=now) == SyncCounts(updated=1)
        upsert(connection, t.lms_users, [person], key=("id",), now=now)
        for given in ({}, *same):
            assert upsert(connection, t.lms_users, [person | given], key=("id",), now=now) == SyncCounts(unchanged=1)
        upsert(connection, t.lms_courses, [{"id": "c1", "npcu_value": 5}], key=("id",), now=now)
        text = upsert(connection, t.lms_courses, [{"id": "c1", "npcu_value": "5"}], key=("id",), now=now)
    assert (text.unchanged, len(text.rejected_rows)) == (0, 1)


def test_of_two_rows_with_one_id_the_first_counts_also_when_the_second_is_as_stored(warehouse, now):
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, USERS[:3], key=("id",), now=now)
        twice = [USERS[0] | {"first_name": "Bea"}, *USERS[:3]]
        counts = upsert(connection, t.lms_users, twice, key=("id",), now=now)
    assert (counts.updated, counts.unchanged, [each.key for each in counts.rejected_rows]) == (1, 2, [("user-0000",)])
    assert stored(warehouse, t.lms_users, "id", "first_name")[0] == ("user-0000", "Bea")


def test_only_columns_in_which_a_row_differs_are_written(warehouse, now):
    rows = [{"id": f"u{number}", "first_name": "A", "last_name": "B", "status": "active"} for number in range(4)]
    after = [rows[0] | {"first_name": "C"}, rows[1] | {"last_name": "D"}, *rows[2:]]
    written: list[str] = []
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, rows, key=("id",), now=now)
        event.listen(warehouse.engine, "before_cursor_execute", lambda *args: written.append(args[2]))
        assert upsert(connection, t.lms_users, after, key=("id",), now=now).updated == 2
    changes = [each for each in written if each.startswith("UPDATE")]
    assert [[name in each for name in ("first_name", "last_name", "status")] for each in changes] == [
        [True, True, False]
    ]
    assert stored(warehouse, t.lms_users, *rows[0]) == [tuple(row.values()) for row in after]
