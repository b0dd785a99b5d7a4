"""A failed chain is run again by itself where that may help, and only there: asked of the daemon's own function."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
import yaml

from lms_assets.runs.tags import RETRY_ON_FAILURE_TAG, mark_for_retry
from lms_assets_tests.architecture import source
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.harness import dagster_internals
from lms_assets_tests.harness.chain import ChainResult
from lms_assets_tests.harness.folders import temporary_folder

PRODUCTION: dict[str, Any] = yaml.safe_load((source.ROOT / "dagster.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def after_a_chain() -> Iterator[DaemonHarness]:
    """A harness after one good chain, whose instance retries as production's does."""
    retries = {"run_retries": PRODUCTION["run_retries"]}
    with temporary_folder() as folder, watched_harness(folder, dagster_yaml=retries) as harness:
        harness.be_after("daily_full")
        harness.advance(hours=4)
        for row in [row for row in harness.rows("contacts") if row["is_active"]][:20]:
            harness.sandbox.mutate("delete_contact", contact=row["impartner_id"])
        yield harness


@pytest.fixture
def harness(after_a_chain: DaemonHarness) -> Iterator[DaemonHarness]:
    """20 contacts are gone at the source, which the deactivation limit does not let pass."""
    yield after_a_chain
    after_a_chain.sandbox.faults.reset()


def retried(harness: DaemonHarness, result: ChainResult) -> bool:
    run = harness.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    return list(dagster_internals.filter_runs_to_should_retry([run], harness.instance)) == [run]


def test_a_chain_stopped_by_the_deactivation_limit_is_not_run_again(harness: DaemonHarness):
    result = harness.run(assets=("contacts",))
    assert "would be deactivated" in result.errors["contacts"]
    assert not retried(harness, result)


def test_a_chain_whose_key_was_refused_is_not_run_again(harness: DaemonHarness):
    harness.sandbox.faults.add("forbidden", "GET /courses")
    assert not retried(harness, harness.run(assets=("courses",)))


def test_a_chain_that_a_vendor_failed_is_run_again(harness: DaemonHarness):
    harness.sandbox.faults.add("server_error", "GET /courses")
    assert retried(harness, harness.run(assets=("courses",)))


def test_one_failure_that_may_be_over_is_enough_to_run_again(harness: DaemonHarness):
    harness.sandbox.faults.add("server_error", "GET /courses")
    result = harness.run(assets=("courses", "contacts"))
    assert set(result.failed) == {"courses", "contacts"}
    assert retried(harness, result)


def test_what_the_run_before_was_told_does_not_hold_for_the_one_that_continues_it(harness: DaemonHarness):
    """Somebody fixed the cause and re-executes in the UI, which hands the tags on; then the vendor fails."""
    harness.sandbox.faults.add("server_error", "GET /courses")
    assert retried(harness, harness.run(assets=("courses",), tags={RETRY_ON_FAILURE_TAG: "false"}))


def test_a_check_that_did_not_pass_is_run_again_as_its_data_are_then_fetched_again(harness: DaemonHarness):
    with sqlite3.connect(harness.folder / "warehouse.db") as connection:
        connection.execute("UPDATE sync_state SET value = '5000' WHERE name = 'certifications_when_last_counted'")
    result = harness.run()
    assert set(result.failed) == {"course_npcu_checks", "contacts"}
    assert retried(harness, result)


def test_a_step_that_outlived_its_run_changes_nothing_about_it(harness: DaemonHarness):
    result = harness.run(assets=("contacts",))
    harness.instance.add_run_tags(result.run_id, {RETRY_ON_FAILURE_TAG: "as it was"})
    mark_for_retry(harness.instance, result.run_id)
    run = harness.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[RETRY_ON_FAILURE_TAG] == "as it was"
