"""Names that only one row may have: swapped, passed on, given up, refused; as the source says in the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, upsert
from lms_assets_tests.warehouse.table_rows import partner_rows, stored, sync_partners

LATER = timedelta(hours=6)


def test_partners_may_swap_their_unique_names_in_a_circle(warehouse, now):
    sync_partners(warehouse, partner_rows("Alpha", "Beta", "Gamma"), now)
    ids = {name: row_id for row_id, name in stored(warehouse, t.partners, "id", "account_name")}

    moved = partner_rows("Beta", "Gamma", "Alpha", ids=[ids["Alpha"], ids["Beta"], ids["Gamma"]])
    counts = sync_partners(warehouse, moved, now)

    assert counts == SyncCounts(updated=3)
    assert dict(stored(warehouse, t.partners, "id", "account_name")) == {
        ids["Alpha"]: "Beta",
        ids["Beta"]: "Gamma",
        ids["Gamma"]: "Alpha",
    }


def test_a_name_may_change_in_case_only_and_pass_to_a_new_row(warehouse, now):
    sync_partners(warehouse, partner_rows("acme", "Beta"), now)
    ids = {name: row_id for row_id, name in stored(warehouse, t.partners, "id", "account_name")}

    counts = sync_partners(warehouse, partner_rows("ACME", "Delta", "Beta", ids=[ids["acme"], ids["Beta"], None]), now)

    assert counts == SyncCounts(updated=2, created=1)
    assert sorted(name for _, name in stored(warehouse, t.partners, "id", "account_name")) == [
        "ACME",
        "Beta",
        "Delta",
    ]


def test_an_inactive_row_outside_the_sync_gives_up_a_unique_value_recognisably(warehouse, now):
    old = {"id": None, "email": "ada@example.com", "impartner_id": 1, "is_active": False}
    with warehouse.transaction() as connection:
        upsert(connection, t.contacts, [old], key=("id",), now=now)
        counts = upsert(connection, t.contacts, [old | {"impartner_id": 2, "is_active": True}], key=("id",), now=now)

    assert counts == SyncCounts(created=1)
    rows = stored(warehouse, t.contacts, "impartner_id", "email", "is_active")
    assert rows[1] == (2, "ada@example.com", True)
    assert rows[0][0] == 1
    assert rows[0][1].startswith("ada@example.com (inactive #")


def test_a_row_whose_unique_value_an_active_one_holds_is_refused_others_are_written(warehouse, now):
    sync_partners(warehouse, partner_rows("Alpha"), now)

    counts = sync_partners(warehouse, partner_rows("New 1", "Alpha", "New 2"), now)

    assert counts.created == 2
    (rejected_row,) = counts.rejected_rows
    assert "account_name" in rejected_row.reason
    assert "Alpha" not in rejected_row.reason
    assert [name for (name,) in stored(warehouse, t.partners, "account_name")] == ["Alpha", "New 1", "New 2"]


def test_a_refused_row_may_get_another_name(warehouse, now):
    sync_partners(warehouse, partner_rows("Alpha"), now)

    def with_number(row: Any) -> Any:
        return {**row, "account_name": f"{row['account_name']} (#12)"}

    counts = sync_partners(warehouse, partner_rows("Alpha", "Beta"), now, on_clash=with_number)

    assert counts == SyncCounts(created=2)
    assert [name for (name,) in stored(warehouse, t.partners, "account_name")] == [
        "Alpha",
        "Alpha (#12)",
        "Beta",
    ]


def test_a_row_that_stepped_aside_and_is_then_refused_keeps_its_old_values(warehouse, now):
    """Alpha wants the name of Gamma, which stays: so it is refused, and must not be left with a placeholder."""
    sync_partners(warehouse, partner_rows("Alpha", "Beta", "Gamma"), now)
    ids = {name: row_id for row_id, name in stored(warehouse, t.partners, "id", "account_name")}

    counts = sync_partners(
        warehouse,
        partner_rows("Gamma", "Alpha", "Gamma", ids=[ids["Alpha"], ids["Beta"], ids["Gamma"]]),
        now,
    )

    assert counts.updated == 1
    assert [rejected_row.key for rejected_row in counts.rejected_rows] == [(ids["Alpha"],)]
    names = dict(stored(warehouse, t.partners, "id", "account_name"))
    assert names == {ids["Alpha"]: f"Alpha (#{ids['Alpha']})", ids["Beta"]: "Alpha", ids["Gamma"]: "Gamma"}


NAMES = st.permutations([f"Name {letter}" for letter in "ABCDEF"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(orders=st.lists(NAMES, min_size=1, max_size=4), taken=st.integers(1, 6))
def test_any_reshuffling_of_unique_names_ends_as_the_source_says(warehouse, now, orders, taken):
    """A property: whatever is stored, the names of the active rows are those given, each on its row."""
    with warehouse.transaction() as connection:
        connection.execute(t.partners.delete())
    sync_partners(warehouse, partner_rows(*orders[0]), now)
    ids = [row_id for (row_id,) in stored(warehouse, t.partners, "id")]
    for names in orders:
        rows = partner_rows(*names[:taken], ids=list(ids[:taken]))
        with warehouse.transaction() as connection:
            deactivate(connection, t.partners, ids[taken:], now=now)
            counts = upsert(connection, t.partners, rows, key=("id",), now=now)
        assert not counts.rejected_rows
        found = dict(stored(warehouse, t.partners, "id", "account_name"))
        assert [found[row_id] for row_id in ids[:taken]] == list(names[:taken])
