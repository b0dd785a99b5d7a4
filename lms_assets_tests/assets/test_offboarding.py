"""Who left the CRM should leave the LMS's groups: planned by itself, carried out only as somebody has reviewed it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lms_assets.console import offboarding
from lms_assets.run_tags import OFFBOARDING_PLAN_TAG
from lms_assets.warehouse.tables import lms_offboarding_plans
from lms_assets_tests.assets.looking import a_group_of_people, pairs, row_of
from lms_assets_tests.support.chain import EVERYTHING, ChainResult, ChainRig

pytestmark = pytest.mark.slow


@pytest.fixture
def left(synced: ChainRig) -> tuple[ChainRig, str, int]:
    """A partner with a group of people went inactive, and a chain has seen it; the group, and the plan's id."""
    group, _ = a_group_of_people(synced)
    account = row_of(synced, "partners", id=row_of(synced, "lms_groups", id=group)["partner_id"])["impartner_id"]
    synced.sandbox.mutate("set_account", account=account, fields={"account_status": "Inactive"})
    assert synced.run(allow=EVERYTHING).success
    planned = synced.run("offboarding_plan")
    assert planned.success, planned.errors
    return synced, group, planned.metadata["lms_offboarding_plan"]["plan"]


def review(rig: ChainRig, plan: int) -> None:
    """What `lms-assets offboarding review` does."""
    with rig.warehouse.transaction() as connection:
        offboarding.review(connection, plan, "reviewer", now=rig.now)


def apply(rig: ChainRig, plan: int, tmp_path: Path, *, limit: int = 1000) -> ChainResult:
    """Apply a plan with so many removals a day."""
    rules = tmp_path / "rules.toml"
    rules.write_text(f"offboarding_removals_per_day = {limit}\n")
    return rig.run("offboarding_apply", tags={OFFBOARDING_PLAN_TAG: str(plan)}, LMS_RULES_FILE=str(rules))


def members_at_the_vendor(rig: ChainRig, group: str) -> set[str]:
    """Who is in the group in the LMS."""
    return set(rig.sandbox.world.memberships[group])


def removals_asked(rig: ChainRig) -> int:
    """Calls that take people out of groups."""
    asked = rig.sandbox.stats()["northpass"]["by_endpoint"]
    return sum(count for endpoint, count in asked.items() if endpoint.startswith("DELETE"))


def test_a_plan_says_who_would_leave_what_and_why_and_sends_nothing(left: tuple[ChainRig, str, int]) -> None:
    rig, group, plan = left
    items = [row for row in rig.rows("lms_offboarding_items") if row["plan_id"] == plan]
    assert {row["user_id"] for row in items if row["group_id"] == group} == members_at_the_vendor(rig, group)
    assert all(row["reason"].endswith("is inactive") for row in items)
    assert removals_asked(rig) == 0


def test_without_a_limit_a_day_applying_is_off(left: tuple[ChainRig, str, int]) -> None:
    rig, _, plan = left
    review(rig, plan)
    refused = rig.run("offboarding_apply", tags={OFFBOARDING_PLAN_TAG: str(plan)})
    assert "Applying plans is off" in refused.errors["apply_offboarding_plan"]
    assert removals_asked(rig) == 0


def test_a_plan_that_nobody_reviewed_is_refused(left: tuple[ChainRig, str, int], tmp_path: Path) -> None:
    rig, _, plan = left
    assert "only one that somebody has reviewed" in apply(rig, plan, tmp_path).errors["apply_offboarding_plan"]
    assert "There is no offboarding plan" in apply(rig, 99, tmp_path).errors["apply_offboarding_plan"]
    assert removals_asked(rig) == 0


def test_a_plan_older_than_a_day_is_refused(left: tuple[ChainRig, str, int], tmp_path: Path) -> None:
    rig, _, plan = left
    review(rig, plan)
    rig.advance(days=1, seconds=1)
    assert "more than a day old" in apply(rig, plan, tmp_path).errors["apply_offboarding_plan"]
    assert removals_asked(rig) == 0


def test_a_plan_whose_facts_have_changed_is_refused(left: tuple[ChainRig, str, int], tmp_path: Path) -> None:
    """The partner is active again: nobody may lose access on account of yesterday's news."""
    rig, group, plan = left
    review(rig, plan)
    partner = row_of(rig, "lms_groups", id=group)["partner_id"]
    account = row_of(rig, "partners", id=partner)["impartner_id"]
    rig.sandbox.mutate("set_account", account=account, fields={"account_status": "Active"})
    assert rig.run(assets=("partners",)).success
    assert "have changed" in apply(rig, plan, tmp_path).errors["apply_offboarding_plan"]
    assert removals_asked(rig) == 0


def test_a_reviewed_plan_is_carried_out_once(left: tuple[ChainRig, str, int], tmp_path: Path) -> None:
    rig, group, plan = left
    review(rig, plan)
    done = apply(rig, plan, tmp_path)
    assert done.success, done.errors
    items = [row for row in rig.rows("lms_offboarding_items") if row["plan_id"] == plan]
    assert {row["status"] for row in items} <= {"removed", "absent"}
    assert members_at_the_vendor(rig, group) == set()
    assert not {pair for pair in pairs(rig) if pair[0] == group}
    assert row_of(rig, "lms_offboarding_plans", id=plan)["status"] == "applied"
    assert "is applied" in apply(rig, plan, tmp_path).errors["apply_offboarding_plan"]
    assert rig.run("offboarding_plan").metadata["lms_offboarding_plan"]["dagster/row_count"] == 0


def test_no_more_than_the_limit_leave_within_a_day(left: tuple[ChainRig, str, int], tmp_path: Path) -> None:
    rig, _, plan = left
    review(rig, plan)
    everybody = len([row for row in rig.rows("lms_offboarding_items") if row["plan_id"] == plan])
    assert everybody > 2
    for _ in range(3):
        assert apply(rig, plan, tmp_path, limit=2).success
    sent = [row for row in rig.rows("lms_offboarding_items") if row["sent_at"] is not None]
    assert len(sent) == 2
    assert row_of(rig, "lms_offboarding_plans", id=plan)["status"] == "applying"


@pytest.mark.parametrize("kind", ["reset_before_status", "answer_lost", "server_error"])
def test_an_interrupted_application_goes_on_where_it_stopped(
    left: tuple[ChainRig, str, int], tmp_path: Path, kind: str
) -> None:
    rig, group, plan = left
    review(rig, plan)
    rig.sandbox.faults.add(kind, "DELETE *", after=1)
    stopped = apply(rig, plan, tmp_path)
    assert not stopped.success
    assert {row["status"] for row in rig.rows("lms_offboarding_items")} >= {"failed"}
    rig.sandbox.faults.reset()
    again = apply(rig, plan, tmp_path)
    assert again.success, again.errors
    assert members_at_the_vendor(rig, group) == set()
    assert row_of(rig, "lms_offboarding_plans", id=plan)["status"] == "applied"


def test_what_was_killed_between_sending_and_the_answer_is_sent_again(
    left: tuple[ChainRig, str, int], tmp_path: Path
) -> None:
    """It costs nothing: taking somebody out twice is the same as once. And the day's limit has counted it."""
    rig, _, plan = left
    review(rig, plan)
    items = [row["id"] for row in rig.rows("lms_offboarding_items") if row["plan_id"] == plan]
    with rig.warehouse.transaction() as connection:
        table = lms_offboarding_plans.metadata.tables["lms_offboarding_items"]
        sent = {"status": "sent", "sent_at": rig.now - timedelta(minutes=1)}
        connection.execute(table.update().where(table.c.id.in_(items)).values(sent))
    assert apply(rig, plan, tmp_path, limit=len(items)).success
    assert row_of(rig, "lms_offboarding_plans", id=plan)["status"] == "applied"


def test_a_new_plan_supersedes_one_that_nobody_reviewed(left: tuple[ChainRig, str, int]) -> None:
    rig, _, plan = left
    newer = rig.run("offboarding_plan").metadata["lms_offboarding_plan"]["plan"]
    assert newer != plan
    assert row_of(rig, "lms_offboarding_plans", id=plan)["status"] == "superseded"
