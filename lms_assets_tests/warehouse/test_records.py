"""Logs, failures, staging, the push's memory, the chain's row, incidents and state."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, event, select

from lms_assets.domain.records.values import Rejected
from lms_assets.warehouse import sync_state as state
from lms_assets.warehouse.bookkeeping import alerts, failures, sync_log
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, ChainStore, latest_chain
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.state import pushed_values as push_memory
from lms_assets.warehouse.state import transcripts as staging
from lms_assets.warehouse.upsert.upsert import RejectedRow, SyncCounts, upsert
from lms_assets_tests.harness.incidents import an_incident
from lms_assets_tests.harness.waits import LONGEST_SECONDS

LATER = timedelta(minutes=5)


def log_rows(warehouse):
    with warehouse.read() as connection:
        c = t.sync_logs.c
        return [tuple(r) for r in connection.execute(select(c.status, c.completed_at, c.error_message).order_by(c.id))]


def test_a_sync_is_logged_as_running_then_completed_with_what_it_did(warehouse, now):
    log_id = sync_log.start(warehouse, "users", now=now)
    assert log_rows(warehouse) == [("running", None, None)]

    counts = SyncCounts(
        created=3, updated=2, unchanged=5, deactivated=1, reactivated=1, rejected_rows=(RejectedRow(("x",), "no"),)
    )
    with warehouse.transaction() as connection:
        sync_log.complete(
            connection, log_id, now=now + LATER, counts=counts, api_calls=9, skipped=4, failed=2, details={"pages": 1}
        )

    with warehouse.read() as connection:
        entry = sync_log.last_completed(connection)["users"]
    assert (entry.records_processed, entry.records_created, entry.records_updated) == (19, 3, 3)
    assert (entry.records_deleted, entry.records_skipped, entry.records_failed) == (1, 4, 3)
    assert (entry.api_calls_made, entry.details, entry.completed_at) == (9, {"pages": 1}, now + LATER)


def test_the_log_and_the_data_are_kept_together_or_not_at_all(warehouse, now):
    log_id = sync_log.start(warehouse, "users", now=now)

    def work(connection: Connection) -> None:
        counts = upsert(connection, t.lms_users, [{"id": "u1"}], key=("id",), now=now)
        sync_log.complete(connection, log_id, now=now, counts=counts)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        warehouse.in_transaction(work)
    assert log_rows(warehouse) == [("running", None, None)]

    error = "could not write ada@example.com to mysql://portal:pass@db/x"
    sync_log.fail(warehouse, log_id, now=now, error=error)
    assert log_rows(warehouse) == [("failed", now, "could not write <e-mail> to mysql://<credentials>@db/x")]


def test_a_sync_whose_process_was_killed_is_closed_as_failed_by_the_next_of_its_type(warehouse, now):
    sync_log.start(warehouse, "users", now=now)
    sync_log.start(warehouse, "groups", now=now)
    sync_log.start(warehouse, "users", now=now + LATER)

    rows = log_rows(warehouse)
    assert [row[0] for row in rows] == ["failed", "running", "running"]
    assert "did not finish" in rows[0][2]
    with warehouse.read() as connection:
        assert sync_log.last_completed(connection) == {}
        assert sync_log.latest(connection)["users"].started_at == now + LATER


def bad(entity_id: str, reason: str = "no such date") -> Rejected:
    return Rejected("bad", "contact", entity_id, reason)


def test_a_bad_record_is_kept_once_refreshed_and_resolved_when_it_is_corrected(warehouse, now):
    def replace_failures(*rejected, **options):
        with warehouse.transaction() as connection:
            return failures.replace_failures(connection, "impartner_contacts", "contact", rejected, now=now, **options)

    with warehouse.transaction() as connection:
        failures.replace_failures(connection, "users", "person", [bad("1")], now=now)
    assert replace_failures(bad("1"), bad("2"), RejectedRow(("3",), "email is missing")) == 3
    assert replace_failures(bad("1"), bad("2", "text where a number belongs"), complete=False, right={"3"}) == 0

    with warehouse.read() as connection:
        found = failures.open_failures(connection, "impartner_contacts")
        others = failures.open_failures(connection, "users")
    assert [(f.entity_id, f.reason) for f in found] == [("1", "no such date"), ("2", "text where a number belongs")]
    assert len(others) == 1

    assert replace_failures(bad("1"), complete=False) == 0
    with warehouse.read() as connection:
        assert failures.open_failure_counts(connection) == {"impartner_contacts": 2, "users": 1}
    replace_failures()
    with warehouse.read() as connection:
        assert failures.open_failure_counts(connection) == {"users": 1}
    assert replace_failures(bad("1")) == 1


def test_the_same_failures_again_write_nothing(warehouse, now):
    with warehouse.transaction() as connection:
        failures.replace_failures(connection, "users", "person", [bad("1"), bad("2")], now=now)
    statements = []
    event.listen(warehouse.engine, "before_cursor_execute", lambda *args: statements.append(args[2].split()[0]))
    with warehouse.transaction() as connection:
        failures.replace_failures(connection, "users", "person", [bad("1"), bad("2")], now=now + LATER)
    assert not {"INSERT", "UPDATE"} & set(statements)


def test_staged_transcripts_survive_for_the_chain_that_read_them_only(warehouse, now):
    def staged(number: int, outcome: str = "read") -> staging.Staged:
        return staging.Staged(f"p{number:04}", outcome, [{"id": f"e{number}", "name": "株式会社 🚀"}])

    with warehouse.transaction() as connection:
        staging.put_staged(connection, "run-1", (staged(n) for n in range(1200)), now=now)
        staging.put_staged(connection, "run-1", [staged(7, "gone")], now=now)
        staging.put_staged(connection, "run-2", [staged(1)], now=now + LATER)

    with warehouse.read() as connection:
        assert len(staging.staged_ids(connection, "run-1")) == 1200
        found = list(staging.staged_transcripts(connection, "run-1"))
    assert found == [staged(n, "gone" if n == 7 else "read") for n in range(1200)]

    with warehouse.transaction() as connection:
        assert staging.clear_staging(connection, "run-1") == 1200
        assert staging.clear_staging_before(connection, now + LATER) == 0
        assert staging.clear_staging_before(connection, now + 2 * LATER) == 1


def test_the_push_remembers_what_was_confirmed_and_what_was_refused(warehouse, now):
    with warehouse.transaction() as connection:
        push_memory.remember_attempts(connection, [1, 2], now=now)
        push_memory.remember_confirmed(connection, {1: {"Total_NPCU__cf": 5, "LMS_Group_Name__cf": "ptr_A"}}, now=now)
        push_memory.remember_refused(connection, {2: "mail to ada@example.com failed"}, now=now)
        push_memory.remember_refused(connection, {1: "locked", 2: "locked"}, now=now + LATER)
        push_memory.remember_confirmed(connection, {1: {"Total_NPCU__cf": 6}}, now=now + LATER)

    with warehouse.read() as connection:
        memory = push_memory.push_memory(connection)
    assert memory[1].fields == {"Total_NPCU__cf": 6, "LMS_Group_Name__cf": "ptr_A"}
    assert (memory[1].confirmed_at, memory[1].failed_attempts, memory[1].last_error) == (now + LATER, 0, None)
    assert (memory[2].fields, memory[2].failed_attempts, memory[2].last_error) == ({}, 2, "locked")


def test_a_chain_has_one_row_however_often_it_is_opened_and_keeps_its_instant(warehouse, now):
    store = ChainStore(warehouse, "daily_full")
    first = store.open("run-1", now=now)
    again = store.open("run-1", now=now + LATER)
    other = store.open("run-2", now=now + LATER)

    assert (first.id, first.as_of, first.started_at) == (again.id, now, now)
    assert again.as_of == now
    assert store.running() == (first, other)
    assert store.latest() == other
    assert ChainStore(warehouse, "another").latest() is None
    assert store.change("no-such-run", lambda row: row) is None


def test_steps_reported_by_several_processes_at_once_are_all_kept(warehouse, now):
    store = ChainStore(warehouse, "daily_full")
    store.open("run-1", now=now)
    names = [f"step_{number}" for number in range(8)]

    def report(name: str) -> None:
        store.change(
            "run-1", lambda row: replace(row, steps=(*row.steps, {"step": name, "rows": 1}), current_step=name)
        )

    threads = [threading.Thread(target=report, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=LONGEST_SECONDS)

    row = store.latest()
    assert row is not None
    assert sorted(step["step"] for step in row.steps) == names
    assert row.current_step in names


def test_a_finished_chain_reads_back_whole(warehouse, now):
    store = ChainStore(warehouse, "daily_full")
    store.open("run-1", now=now)

    def finish(row: ChainRow) -> ChainRow:
        return replace(
            row,
            steps=({"step": "courses", "status": "completed"}, {"step": "partners"}),
            status="partial",
            completed_at=now + LATER,
            total_duration_seconds=300,
            error_message="push: refused",
        )

    finished = store.change("run-1", finish)

    with warehouse.read() as connection:
        assert latest_chain(connection, "daily_full") == finished
    assert finished is not None
    assert [step["step"] for step in finished.steps] == ["courses", "partners"]
    assert finished.steps[0]["status"] == "completed"
    assert store.running() == ()


def test_one_incident_is_announced_once_and_its_end_once(warehouse, now):
    def to_announce(*, mark: bool) -> list[tuple[str, bool]]:
        with warehouse.transaction() as connection:
            due = alerts.incidents_to_announce(connection)
            if mark:
                alerts.mark_announced(connection, due, now=now)
        return [(each.key, each.closed_at is None) for each in due]

    def seen(key: str) -> tuple[int, datetime | None]:
        c = t.alert_incidents.c
        with warehouse.transaction() as connection:
            alerts.raise_incident(connection, an_incident(key), now=now)
            row = connection.execute(select(c.occurrences, c.notified_at).where(c.incident_key == key)).one()
        return row.occurrences, row.notified_at

    def over(key: str) -> bool:
        with warehouse.transaction() as connection:
            return alerts.close_incident(connection, key, now=now)

    assert [seen("chain")[0] for _ in range(3)] == [1, 2, 3]
    assert to_announce(mark=False) == [("chain", True)]
    assert to_announce(mark=True) == [("chain", True)]
    assert to_announce(mark=True) == []
    assert (over("chain"), over("chain"), over("never")) == (True, False, False)
    assert to_announce(mark=True) == [("chain", False)]
    assert to_announce(mark=True) == []
    assert seen("chain") == (1, None)
    assert to_announce(mark=True) == [("chain", True)]


def test_an_incident_that_was_over_before_anybody_was_told_is_not_announced(warehouse, now):
    with warehouse.transaction() as connection:
        alerts.raise_incident(connection, an_incident("short"), now=now)
        alerts.close_incident(connection, "short", now=now)
        assert alerts.incidents_to_announce(connection) == ()
        assert alerts.open_incidents(connection) == ()


def test_state_is_kept_by_name(warehouse, now):
    with warehouse.transaction() as connection:
        assert state.get_state(connection, "cursor") is None
        state.put_state(connection, "cursor", {"seen": ["é", 1, None]}, now=now)
        state.put_state(connection, "cursor", {"seen": ["é", 2, None]}, now=now)
        state.put_state(connection, "other", 5, now=now)
        state.remove_state(connection, "other")
    with warehouse.read() as connection:
        assert state.get_state(connection, "cursor") == {"seen": ["é", 2, None]}
        assert state.get_state(connection, "other") is None
