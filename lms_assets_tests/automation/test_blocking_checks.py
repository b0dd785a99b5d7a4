"""Data that fails a blocking check: nothing downstream runs or is written, in full chain, partial jobs, by sensor.

Every gating check of the catalogue has its line here; a new one without is a failing test.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import dagster as dg
import pytest

from lms_assets.automation.sensors import push_after_enrollments_sensor
from lms_assets.checks.specs import CHECKS
from lms_assets.lineage import ASSETS_OF_JOBS, SYNC_TYPES, ancestors
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.harness.checkpoints import in_memory, put_back
from lms_assets_tests.harness.folders import temporary_folder

OLD = "2020-01-01 00:00:00.000000"
AGES_AGO = "2020-01-01T00:00:00+00:00"
BLOCKING_CHECKS = {line.name: line.asset for line in CHECKS if line.blocking}


def state(name: str, value: str) -> str:
    return f"INSERT OR REPLACE INTO sync_state (name, value, updated_at) VALUES ('{name}', '{value}', '{OLD}')"


# What makes the data fail: in a job that syncs the asset itself it happens at the end of that sync, in its transaction.
DAMAGES: dict[str, tuple[str, ...]] = {
    "courses_are_present": ("DELETE FROM lms_enrollments", "DELETE FROM lms_courses"),
    "certifications_are_present": ("UPDATE lms_courses SET is_certification = 0",),
    "certifications_did_not_vanish": (state("certifications_when_last_counted", "5000"),),
    "partners_are_present": ("UPDATE partners SET is_active = 0",),
    "partner_crm_ids_are_unique": (
        "INSERT INTO partners (account_name, impartner_id, is_active) SELECT "
        "'Again ' || (SELECT count(*) FROM partners), impartner_id, 1 FROM partners "
        "WHERE is_active = 1 AND impartner_id IS NOT NULL LIMIT 1",
    ),
    "contacts_are_present": ("UPDATE contacts SET is_active = 0",),
    "users_are_present": ("UPDATE lms_users SET is_active = 0",),
    "groups_are_present": ("UPDATE lms_groups SET is_active = 0",),
    "groups_are_linked": ("UPDATE lms_groups SET partner_id = NULL",),
    "memberships_are_present": ("DELETE FROM lms_group_members",),
    "enrollments_are_present": ("DELETE FROM lms_enrollments",),
    "enrollments_refer_to_known_rows": (
        "INSERT INTO lms_enrollments (id, user_id, course_id, status) "
        "SELECT 'lost', 'nobody', min(id), 'enrolled' FROM lms_courses",
    ),
    "counts_are_plausible": (state("npcu_when_last_pushed", "1000000"),),
    "counts_are_recent": (state("partner_cert_counts", f'{{"as_of": "{AGES_AGO}", "counted_at": "{AGES_AGO}"}}'),),
    **{
        f"{asset}_are_recent": (f"UPDATE sync_logs SET completed_at = '{OLD}' WHERE sync_type = '{SYNC_TYPES[asset]}'",)
        for asset in ("courses", "course_npcu", "partners", "contacts", "users", "groups", "enrollments")
    },
}
# The database itself refuses this inside a sync; it stands in the table before, as a restored backup may bring it.
ONLY_BEFORE = {"enrollments_refer_to_known_rows"}


def test_every_blocking_check_of_the_catalogue_is_tried_here():
    assert set(DAMAGES) == set(BLOCKING_CHECKS)


@pytest.fixture(scope="module")
def chain() -> Iterator[tuple[DaemonHarness, bytes]]:
    """A warehouse after a full chain, and a sync of enrollments hours later whose counts are not pushed yet."""
    with temporary_folder() as folder, watched_harness(folder) as harness:
        harness.be_after("daily_full")
        harness.advance(hours=7)
        person = next(row["user_id"] for row in harness.rows("lms_enrollments") if row["status"] == "completed")
        course = next(row["id"] for row in harness.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")
        harness.sandbox.mutate("complete_course", person=person, course=course)
        assert harness.run("enrollments_incremental").success
        yield harness, in_memory(folder / "warehouse.db")


@pytest.fixture
def harness(chain: tuple[DaemonHarness, bytes]) -> DaemonHarness:
    made, good = chain
    put_back(good, made.folder / "warehouse.db")
    return made


def damage(harness: DaemonHarness, blocking_check: str) -> None:
    """Make the data fail the blocking check now, and again at the end of every sync of its asset."""
    statements = DAMAGES[blocking_check]
    with contextlib.closing(sqlite3.connect(harness.folder / "warehouse.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        if blocking_check not in ONLY_BEFORE:
            condition = f"NEW.status = 'completed' AND NEW.sync_type = '{SYNC_TYPES[BLOCKING_CHECKS[blocking_check]]}'"
            body = "; ".join(statements)
            connection.execute(f"CREATE TRIGGER damage AFTER UPDATE ON sync_logs WHEN {condition} BEGIN {body}; END")
        connection.commit()


def syncs_begun(harness: DaemonHarness) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in harness.rows("sync_logs"):
        found[row["sync_type"]] = found.get(row["sync_type"], 0) + 1
    return found


def test_the_push_sensor_fires_as_long_as_every_blocking_check_holds(harness: DaemonHarness):
    assert isinstance(harness.tick(push_after_enrollments_sensor), dg.RunRequest)


# The push stands furthest down: one check through another asset, one right before it, one of its own.
IN_THE_PUSH = ("courses_are_present", "enrollments_are_present", "counts_are_plausible")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blocking_check", "job", "whole"),
    [
        *((each, "enrollments_incremental", True) for each in DAMAGES),
        *((each, "push_to_impartner", True) for each in IN_THE_PUSH),
        *((each, "daily_full", True) for each in IN_THE_PUSH),
        *((each, "daily_full", False) for each in DAMAGES if each not in IN_THE_PUSH),
        *(
            pytest.param(each, "daily_full", True, marks=pytest.mark.long)
            for each in DAMAGES
            if each not in IN_THE_PUSH
        ),
    ],
)
def test_nothing_that_builds_on_a_closed_blocking_check_runs_or_is_written(
    harness: DaemonHarness, blocking_check: str, job: str, whole: bool
):
    """Of a chain that is not whole the steps before the check's asset are left out: their rows are in the tables."""
    below = [asset for asset in ASSETS_OF_JOBS[job] if BLOCKING_CHECKS[blocking_check] in ancestors((asset,))]
    damage(harness, blocking_check)
    before, pushed = syncs_begun(harness), harness.sandbox.stats()["patch_records"]
    result = harness.run(job, assets=() if whole else (BLOCKING_CHECKS[blocking_check], *below))
    assert not result.success
    assert result.checks[blocking_check] is False
    began = {event.step_key for event in result.events if event.event_type_value == "STEP_START"}
    assert not began & set(below), "these steps began behind a failed blocking check"
    after = syncs_begun(harness)
    assert [asset for asset in below if after.get(SYNC_TYPES[asset]) != before.get(SYNC_TYPES[asset])] == []
    assert harness.sandbox.stats()["patch_records"] == pushed, "something was sent to the CRM"
    if job == "enrollments_incremental":
        answer = harness.tick(push_after_enrollments_sensor)
        assert isinstance(answer, dg.SkipReason)
        assert blocking_check in (answer.skip_message or "") or blocking_check == "enrollments_are_recent"
