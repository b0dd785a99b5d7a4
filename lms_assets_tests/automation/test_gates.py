"""Data that fails a gate: nothing further down runs or is written, in the full chain, in the partial jobs, by sensor.

Every gating check of the catalogue has its line here; a new one without is a failing test.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.automation.jobs import ASSETS_OF_JOBS
from lms_assets.automation.sensors import push_after_enrollments_sensor
from lms_assets.checks.specs import CHECKS, ancestors
from lms_assets.lineage import SYNC_TYPES
from lms_assets_tests.automation.rig import WatchedRig, watched_rig

OLD = "2020-01-01 00:00:00.000000"
AGES_AGO = "2020-01-01T00:00:00+00:00"
GATES = {line.name: line.asset for line in CHECKS if line.blocking}


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


def test_every_gate_of_the_catalogue_is_tried_here():
    assert set(DAMAGES) == set(GATES)


@pytest.fixture(scope="module")
def chain() -> Iterator[WatchedRig]:
    """A warehouse after a full chain, and a sync of enrollments hours later whose counts are not pushed yet."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lms-gates-", dir=shared if shared.is_dir() else None))
    with watched_rig(folder) as rig:
        assert rig.run().success
        rig.advance(hours=7)
        person = next(row["user_id"] for row in rig.rows("lms_enrollments") if row["status"] == "completed")
        course = next(row["id"] for row in rig.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")
        rig.sandbox.mutate("complete_course", person=person, course=course)
        assert rig.run("enrollments_incremental").success
        rig.warehouse.close()
        _copy(folder / "warehouse.db", folder / "good.db")
        yield rig
    shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture
def rig(chain: WatchedRig) -> WatchedRig:
    chain.warehouse.close()
    _copy(chain.folder / "good.db", chain.folder / "warehouse.db")
    return chain


def damage(rig: WatchedRig, gate: str) -> None:
    """Make the data fail the gate now, and again at the end of every sync of its asset."""
    statements = DAMAGES[gate]
    with contextlib.closing(sqlite3.connect(rig.folder / "warehouse.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        if gate not in ONLY_BEFORE:
            condition = f"NEW.status = 'completed' AND NEW.sync_type = '{SYNC_TYPES[GATES[gate]]}'"
            body = "; ".join(statements)
            connection.execute(f"CREATE TRIGGER damage AFTER UPDATE ON sync_logs WHEN {condition} BEGIN {body}; END")
        connection.commit()


def syncs_begun(rig: WatchedRig) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rig.rows("sync_logs"):
        found[row["sync_type"]] = found.get(row["sync_type"], 0) + 1
    return found


def test_the_push_sensor_fires_as_long_as_every_gate_holds(rig: WatchedRig):
    assert isinstance(rig.tick(push_after_enrollments_sensor), dg.RunRequest)


# The push stands furthest from the gates: one that it reaches through another asset, one before it, one of its own.
IN_THE_PUSH = ("courses_are_present", "enrollments_are_present", "counts_are_plausible")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gate", "job"),
    [
        *((gate, job) for gate in DAMAGES for job in ("daily_full", "enrollments_incremental")),
        *((gate, "push_to_impartner") for gate in IN_THE_PUSH),
    ],
)
def test_nothing_that_builds_on_a_closed_gate_runs_or_is_written(rig: WatchedRig, gate: str, job: str):
    below = [asset for asset in ASSETS_OF_JOBS[job] if GATES[gate] in ancestors((asset,))]
    damage(rig, gate)
    before, pushed = syncs_begun(rig), rig.sandbox.stats()["patch_records"]
    result = rig.run(job)
    assert not result.success
    assert result.checks[gate] is False
    began = {event.step_key for event in result.events if event.event_type_value == "STEP_START"}
    assert not began & set(below), "these steps began behind a closed gate"
    after = syncs_begun(rig)
    assert [asset for asset in below if after.get(SYNC_TYPES[asset]) != before.get(SYNC_TYPES[asset])] == []
    assert rig.sandbox.stats()["patch_records"] == pushed, "the CRM was told something"
    if job == "enrollments_incremental":
        answer = rig.tick(push_after_enrollments_sensor)
        assert isinstance(answer, dg.SkipReason)
        assert gate in (answer.skip_message or "") or gate == "enrollments_are_recent"
