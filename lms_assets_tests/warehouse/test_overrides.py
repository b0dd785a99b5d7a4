"""What was taken away and what was allowed, as both databases keep it."""

from __future__ import annotations

from datetime import datetime, timedelta

from lms_assets.domain.safety.overrides import Overrides
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import sync_deactivations, sync_override_uses, sync_overrides
from lms_assets.warehouse.state.baselines import deactivated_lately, note_deactivations
from lms_assets.warehouse.state.cleanup import remove_old_logs
from lms_assets.warehouse.state.overrides import claim, issue, note_uses
from lms_assets_tests.warehouse.table_rows import stored

USERS = "mass_deactivation:users"


def _note(warehouse: Warehouse, kind: str, number: int, at: datetime, scope: str = "", allowed: bool = False) -> None:
    with warehouse.transaction() as connection:
        note_deactivations(connection, kind, number, scope=scope, allowed=allowed, run_id="run", now=at)


def test_what_left_is_summed_over_24_hours_by_kind_and_part_without_what_was_allowed(
    warehouse: Warehouse, now: datetime
):
    _note(warehouse, "memberships", 3, now - timedelta(hours=23), "g1")
    _note(warehouse, "memberships", 4, now - timedelta(hours=1), "g1")
    _note(warehouse, "memberships", 5, now - timedelta(hours=1), "g2")
    _note(warehouse, "memberships", 50, now - timedelta(hours=2), "g2", allowed=True)
    _note(warehouse, "memberships", 60, now - timedelta(hours=24), "g1")
    _note(warehouse, "contacts", 7, now)
    with warehouse.read() as connection:
        assert deactivated_lately(connection, "memberships", now) == {"g1": 7, "g2": 5}
        assert deactivated_lately(connection, "contacts", now) == {"": 7}
        assert deactivated_lately(connection, "leads", now) == {}


def test_a_transaction_that_is_run_again_counts_once(warehouse: Warehouse, now: datetime):
    for _ in range(2):
        _note(warehouse, "contacts", 7, now)
    with warehouse.read() as connection:
        assert deactivated_lately(connection, "contacts", now) == {"": 7}


def test_each_use_is_kept_with_who_when_and_how_many_once_also_in_a_repeated_step(warehouse: Warehouse, now: datetime):
    with warehouse.transaction() as connection:
        token = issue(connection, [USERS], by="Ada", now=now)
        claimed = claim(connection, token, run_id="run", run_created_at=now, now=now)
        for number in (30, 31):
            overrides = Overrides(claimed.names, "daily_full", claimed.id)
            assert overrides.allows(USERS, number)
            note_uses(connection, overrides, asset="users", run_id="run", now=now)
    columns = ("what", "asset", "number", "used_by", "used_at", "run_id")
    assert stored(warehouse, sync_override_uses, *columns) == [(USERS, "users", 31, "Ada", now, "run")]


def test_the_cleanup_keeps_what_was_used_and_the_last_day(warehouse: Warehouse, now: datetime):
    old = now - timedelta(days=40)
    _note(warehouse, "contacts", 1, old)
    _note(warehouse, "contacts", 2, now - timedelta(hours=20))
    with warehouse.transaction() as connection:
        issue(connection, [USERS], by="nobody used it", now=old)
        used = issue(connection, [USERS], by="Ada", now=old)
        claimed = claim(connection, used, run_id="run", run_created_at=old, now=old)
        overrides = Overrides(claimed.names, "daily_full", claimed.id)
        overrides.allows(USERS, 30)
        note_uses(connection, overrides, asset="users", run_id="run", now=old)
        # Even one that is asked to remove everything leaves what the limit over 24 hours needs.
        remove_old_logs(connection, before=now, now=now)
    assert stored(warehouse, sync_deactivations, "number") == [(2,)]
    assert stored(warehouse, sync_overrides, "issued_by") == [("Ada",)]
    assert stored(warehouse, sync_override_uses, "number") == [(30,)]
