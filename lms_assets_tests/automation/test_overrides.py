"""A run's tag alone allows nothing: it needs a token that somebody took at the terminal, for this run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lms_assets.run_tags import ALLOW_TAG, ALLOW_TOKEN_TAG
from lms_assets.runs.tags import OverrideRefused, allowing_tags, overrides_of

USERS, FIRST = "mass_deactivation:users", "first_push"
NOW = datetime.now(UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run_with(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    return instance.create_run_for_job(_job(), tags=tags)


def _job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def some_job() -> None:
        nothing()

    return some_job


def test_a_token_is_for_the_run_that_comes_first_and_for_all_of_its_steps(instance, warehouse):
    tags = allowing_tags(warehouse, [USERS, FIRST], by="somebody")
    first, second = run_with(instance, tags), run_with(instance, tags)
    for _ in range(2):
        assert overrides_of(instance, first, warehouse, NOW).names == {USERS, FIRST}
    with pytest.raises(OverrideRefused, match=f"was for run {first.run_id[:8]}"):
        overrides_of(instance, second, warehouse, NOW)


def test_a_run_that_continues_one_with_an_override_is_neither_allowed_nor_refused(instance, warehouse):
    """Retries and re-executions inherit the tags; a page could re-execute a run of last month."""
    tags = allowing_tags(warehouse, [USERS], by="somebody")
    first = run_with(instance, tags)
    assert USERS in overrides_of(instance, first, warehouse, NOW)
    retry = instance.create_run_for_job(_job(), tags=tags, root_run_id=first.run_id, parent_run_id=first.run_id)
    assert not overrides_of(instance, retry, warehouse, NOW).names
    again = instance.create_run_for_job(_job(), tags=tags, root_run_id=first.run_id, parent_run_id=retry.run_id)
    assert not overrides_of(instance, again, warehouse, NOW).names


def test_a_token_of_the_terminal_is_for_its_run_before_any_other_could_come(instance, warehouse):
    """The tags of a run that waits in the queue can be read by whoever reaches the webserver."""
    tags = allowing_tags(warehouse, [USERS], by="somebody", run_id="11111111-0000-4000-8000-000000000001")
    with pytest.raises(OverrideRefused, match="was for run 11111111"):
        overrides_of(instance, run_with(instance, tags), warehouse, NOW)
    own = instance.create_run_for_job(_job(), tags=tags, run_id="11111111-0000-4000-8000-000000000001")
    assert USERS in overrides_of(instance, own, warehouse, NOW)


def test_a_run_that_asks_for_nothing_is_allowed_nothing(instance, warehouse):
    overrides = overrides_of(instance, run_with(instance, {}), warehouse, NOW)
    assert not overrides.names
    assert not overrides.allows(USERS, 5)


@pytest.mark.parametrize("token", [None, "", "guessed", "' OR 1=1"])
def test_the_tag_alone_is_refused_with_the_command_for_a_token(instance, warehouse, token):
    tags = {ALLOW_TAG: USERS} | ({} if token is None else {ALLOW_TOKEN_TAG: token})
    with pytest.raises(OverrideRefused, match=f"token is unknown.*lms-assets allow {USERS}"):
        overrides_of(instance, run_with(instance, tags), warehouse, NOW)


def test_a_token_allows_what_it_was_made_for_only(instance, warehouse):
    tags = allowing_tags(warehouse, [USERS], by="somebody") | {ALLOW_TAG: f"{USERS} {FIRST}"}
    with pytest.raises(OverrideRefused, match="does not allow first_push"):
        overrides_of(instance, run_with(instance, tags), warehouse, NOW)


def test_a_name_that_is_no_override_is_refused(instance, warehouse):
    with pytest.raises(OverrideRefused, match="there is no such override"):
        overrides_of(instance, run_with(instance, {ALLOW_TAG: "everything"}), warehouse, NOW)


def test_a_token_expires_after_half_an_hour_and_a_run_that_was_queued_may_come_late(instance, warehouse):
    in_time = allowing_tags(warehouse, [USERS], by="somebody")
    too_late = allowing_tags(warehouse, [USERS], by="somebody")
    waited, late = run_with(instance, in_time), run_with(instance, too_late)
    assert USERS in overrides_of(instance, waited, warehouse, NOW + timedelta(hours=3))
    with warehouse.transaction() as connection:
        connection.exec_driver_sql("UPDATE sync_overrides SET expires_at = '2026-01-01' WHERE run_id IS NULL")
    with pytest.raises(OverrideRefused, match="expired at 2026-01-01 00:00 UTC"):
        overrides_of(instance, late, warehouse, NOW)


def test_the_warehouse_does_not_hold_the_token_itself(warehouse):
    token = allowing_tags(warehouse, [USERS], by="somebody")[ALLOW_TOKEN_TAG]
    with warehouse.read() as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM sync_overrides").mappings()
    assert token not in str(dict(row))
    assert row["issued_by"] == "somebody"
