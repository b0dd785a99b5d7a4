"""The chain's row and the portal's task page: true for every job, while it runs, when it fails, when it is resumed."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from lms_assets.automation.chain_log import reconcile_chains
from lms_assets.automation.portal_tasks import TASKS, refresh_tasks
from lms_assets.domain.operations.chain_state import ChainEvent, ChainState, StepRecord, close, fold
from lms_assets.lineage import DAILY_FULL, SYNC_TYPES
from lms_assets.warehouse.bookkeeping.portal_tasks import begin_run, open_runs
from lms_assets_tests.automation.daemon_harness import DaemonHarness, one_row

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)


def test_every_step_of_a_chain_has_its_task_with_its_place_and_its_runs(harness: DaemonHarness):
    harness.be_after("daily_full")
    refresh_tasks(harness.instance, harness.warehouse, harness.now)
    for place, asset in enumerate(DAILY_FULL, start=1):
        task = one_row(harness, "scheduled_tasks", task_type=SYNC_TYPES[asset])
        assert (task["task_chain"], task["chain_order"]) == ("daily_full", place)
        assert not task["enabled"], "a scheduler of the portal's own would start it"
        assert "no other scheduler" in task["config"]["note"]
        assert (task["last_status"], task["run_count"], task["fail_count"]) == ("success", 1, 0)
        history = one_row(harness, "task_run_history", task_type=SYNC_TYPES[asset])
        assert history["status"] == "success"
        assert history["records_processed"] is not None
    whole = one_row(harness, "scheduled_tasks", task_type="daily_sync_chain")
    assert (whole["last_status"], whole["next_run_at"]) == ("success", None), "its schedule is off"


def test_the_next_runs_are_those_of_the_schedules_that_are_on():
    enrollments = next(task for task in TASKS if task.task_type == "enrollments")
    night = datetime(2026, 12, 31, 22, 30, tzinfo=UTC)
    on = frozenset({"daily_full_at_2", "enrollments_every_4_hours"})
    assert enrollments.cron == "0 2,6,10,14,18,22 * * *"
    assert enrollments.next_run(night, on) == datetime(2027, 1, 1, 2, tzinfo=UTC)
    assert enrollments.next_run(night, on - {"daily_full_at_2"}) == datetime(2027, 1, 1, 6, tzinfo=UTC)
    assert enrollments.next_run(night, frozenset()) is None


def test_a_task_that_was_blocked_says_by_what(harness: DaemonHarness):
    harness.sandbox.faults.add("forbidden", "GET /people")
    assert not harness.run().success
    refresh_tasks(harness.instance, harness.warehouse, datetime.now(UTC))
    refresh_tasks(harness.instance, harness.warehouse, datetime.now(UTC))
    failed = one_row(harness, "scheduled_tasks", task_type="users")
    assert (failed["last_status"], failed["fail_count"]) == ("failed", 1)
    held = one_row(harness, "scheduled_tasks", task_type="enrollments")
    assert (held["last_status"], held["last_error"]) == ("skipped", "blocked by users")
    assert len([row for row in harness.rows("task_run_history") if row["task_type"] == "enrollments"]) == 1
    row = one_row(harness, "task_chain_logs")
    assert row["status"] == "failed"
    assert row["error_message"].startswith("users: Northpass, GET /people")


def test_a_partial_job_behind_a_closed_blocking_check_says_which_check_held_it_back(harness: DaemonHarness):
    assert not harness.run("enrollments_incremental").success
    refresh_tasks(harness.instance, harness.warehouse, datetime.now(UTC))
    held = one_row(harness, "scheduled_tasks", task_type="enrollments")
    assert held["last_status"] == "skipped"
    assert "users_are_present" in held["last_error"]


def test_what_a_killed_process_left_running_is_closed(harness: DaemonHarness):
    harness.warehouse.in_transaction(lambda c: begin_run(c, "users", "a-run-nobody-knows", job="daily_full", at=AT))
    reconcile_chains(harness.instance, harness.warehouse)
    with harness.warehouse.read() as connection:
        assert open_runs(connection) == ()
    assert "killed" in one_row(harness, "scheduled_tasks", task_type="users")["last_error"]


def test_what_people_chose_in_an_adopted_portal_stays(harness: DaemonHarness):
    harness.warehouse.in_transaction(lambda c: begin_run(c, "users", "run", job="daily_full", at=AT))
    with harness.warehouse.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE scheduled_tasks SET enabled = 1, task_name = 'Our people' WHERE task_type = 'users'"
        )
    refresh_tasks(harness.instance, harness.warehouse, harness.now)
    task = one_row(harness, "scheduled_tasks", task_type="users")
    assert (task["enabled"], task["task_name"], task["chain_order"]) == (True, "Our people", 5)


def test_a_step_is_blocked_by_what_it_waits_for_and_by_nothing_else():
    events = [
        ChainEvent("started", "memberships", AT),
        ChainEvent("succeeded", "memberships", AT),
        ChainEvent("started", "users", AT),
        ChainEvent("succeeded", "users", AT),
        ChainEvent("check", "users_checks", AT, "none", check="users_are_present", passed=False, blocking=True),
        ChainEvent("started", "groups", AT),
        ChainEvent("failed", "groups", AT, "no answer"),
    ]
    planned = ("users", "groups", "memberships", "enrollments", "leads")
    waits = {"enrollments": ("users", "memberships"), "leads": ("partners",)}
    state = close(fold(events), planned, frozenset(), None, upstream=lambda step: waits.get(step, ()))
    assert state.steps["enrollments"].error == "blocked by users (users_are_present)"
    assert state.steps["leads"].error == "was not reached"


def test_a_check_that_passes_in_a_resumed_run_takes_its_failure_back():
    step = [ChainEvent("started", "users", AT), ChainEvent("succeeded", "users", AT)]
    bad = ChainEvent("check", "users_checks", AT, "none", check="users_are_present", passed=False, blocking=True)
    good = ChainEvent("check", "users_checks", AT, "some", check="users_are_present", passed=True, blocking=True)
    failed = fold([*step, bad])
    assert failed.steps["users"].status == "failed"
    assert fold([good], failed).steps["users"].status == "completed"
    assert fold([good], ChainState()).steps["users"].failed_checks == ()


def test_a_row_that_says_running_though_its_run_is_over_is_corrected(harness: DaemonHarness):
    harness.be_after("daily_full")
    with harness.warehouse.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE task_chain_logs SET status = 'running', completed_at = NULL, steps_completed = '[]'"
        )
    assert reconcile_chains(harness.instance, harness.warehouse) == [harness.instance.get_runs()[0].run_id]
    row = one_row(harness, "task_chain_logs")
    assert row["status"] == "completed"
    assert [step["step"] for step in row["steps_completed"]] == list(DAILY_FULL)
    assert harness.instance.get_runs()[0].status == dg.DagsterRunStatus.SUCCESS


def test_a_partial_chain_says_what_degraded_it_and_what_to_do_and_no_warning(harness: DaemonHarness):
    """Mere warnings are red on the same step, and are not to blame."""
    harness.be_after("daily_full")
    harness.advance(days=1)
    harness.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    harness.run()
    row = one_row(harness, "task_chain_logs")
    assert row["status"] == "partial"
    said = row["error_message"]
    assert said.startswith("memberships: memberships_are_current: The last sync of memberships failed: Northpass")
    assert "HTTP 403" in said
    assert "what the key may do" in said
    assert "--resume" in said
    (step,) = [each for each in row["steps_completed"] if each["step"] == "memberships"]
    warnings = set(step["failed_checks"]) - {"memberships_are_current"}
    assert warnings, "the vendor state has a member who is no LMS user"
    assert not any(name in said for name in warnings)
    whole = one_row(harness, "scheduled_tasks", task_type="daily_sync_chain")
    assert whole["last_status"] == "failed"
    assert whole["last_error"].startswith("partial: memberships: memberships_are_current")


def test_a_partial_chain_whose_end_nobody_noted_is_no_success_either(harness: DaemonHarness):
    harness.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    run = harness.run().run_id
    with harness.warehouse.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE task_run_history SET status = 'running', completed_at = NULL WHERE task_type = 'daily_sync_chain'"
        )
        connection.exec_driver_sql("UPDATE task_chain_logs SET status = 'running', completed_at = NULL")
    assert reconcile_chains(harness.instance, harness.warehouse) == [run]
    assert one_row(harness, "task_chain_logs")["status"] in {"partial", "failed"}
    assert one_row(harness, "task_run_history", task_type="daily_sync_chain")["status"] == "failed"


def test_what_held_a_step_back_names_the_blocking_check_only():
    events = [
        ChainEvent("started", "users", AT),
        ChainEvent("succeeded", "users", AT),
        ChainEvent("check", "users_checks", AT, "odd", check="users_are_odd", passed=False, warning=True),
        ChainEvent("check", "users_checks", AT, "none", check="users_are_present", passed=False, blocking=True),
        ChainEvent("check", "users_checks", AT, "old", check="users_are_recent", passed=False, blocking=True),
    ]
    state = close(fold(events), ("users", "enrollments"), frozenset(), None, upstream=lambda _: ("users",))
    assert state.steps["users"].error == "users_are_present: none; users_are_recent: old"
    assert state.steps["enrollments"].error == "blocked by users (users_are_present, users_are_recent)"
    stored = ChainState({name: StepRecord.from_json(each.as_json()) for name, each in state.steps.items()})
    again = ChainEvent("check", "users_checks", AT, "some", check="users_are_present", passed=True, blocking=True)
    assert fold([again], stored).steps["users"].error == "users_are_recent: old"


def test_every_step_that_degraded_a_chain_is_named():
    def degraded(step: str, check: str) -> list[ChainEvent]:
        steps = [ChainEvent("started", step, AT), ChainEvent("succeeded", step, AT)]
        return [*steps, ChainEvent("check", f"{step}_checks", AT, "bad", check=check, passed=False)]

    events = [*degraded("memberships", "are_current"), *degraded("push", "is_confirmed")]
    state = close(fold(events), ("memberships", "push"), frozenset({"are_current", "is_confirmed"}), None)
    assert state.error_message == "memberships: are_current: bad; push: is_confirmed: bad"
