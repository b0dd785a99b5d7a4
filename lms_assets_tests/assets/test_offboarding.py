"""Who left the CRM should leave the LMS's groups: planned by itself, carried out only as somebody has reviewed it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lms_assets.console.commands import offboarding
from lms_assets.lineage import SYNC_TYPES
from lms_assets.run_tags import OFFBOARDING_PLAN_TAG
from lms_assets.warehouse.schema.tables import lms_offboarding_plans
from lms_assets_tests.assets.queries import a_group_of_people, pairs, row_of
from lms_assets_tests.harness.chain import EVERYTHING, ChainHarness, ChainResult
from lms_assets_tests.harness.checkpoints import Saved

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def planned() -> dict[str, Any]:
    """What `left` has come to, once it has run."""
    return {}


@pytest.fixture
def left(synced: ChainHarness, planned: dict[str, Any]) -> tuple[ChainHarness, str, int]:
    """A partner with a group of people went inactive, and a chain has seen it; the group, and the plan's id."""
    if not planned:
        group, _ = a_group_of_people(synced)
        account = row_of(synced, "partners", id=row_of(synced, "lms_groups", id=group)["partner_id"])["impartner_id"]
        synced.sandbox.mutate("set_account", account=account, fields={"account_status": "Inactive"})
        assert synced.run(allow=EVERYTHING).success
        run = synced.run("offboarding_plan")
        assert run.success, run.errors
        planned |= {"at": Saved.of(synced), "group": group, "plan": run.metadata["lms_offboarding_plan"]["plan"]}
    planned["at"].restore(synced)
    return synced, planned["group"], planned["plan"]


def review(harness: ChainHarness, plan: int) -> None:
    """What `lms-assets offboarding review` does."""
    with harness.warehouse.transaction() as connection:
        offboarding.review(connection, plan, "reviewer", now=harness.now)


def apply(harness: ChainHarness, plan: int, tmp_path: Path, *, limit: int = 1000) -> ChainResult:
    """Apply a plan with so many removals a day."""
    rules = tmp_path / "rules.toml"
    rules.write_text(f"offboarding_removals_per_day = {limit}\n")
    return harness.run("offboarding_apply", tags={OFFBOARDING_PLAN_TAG: str(plan)}, LMS_RULES_FILE=str(rules))


def members_at_the_vendor(harness: ChainHarness, group: str) -> set[str]:
    """Who is in the group in the LMS."""
    return set(harness.sandbox.vendor_state.memberships[group])


def removals_asked(harness: ChainHarness) -> int:
    """Calls that take people out of groups."""
    asked = harness.sandbox.stats()["northpass"]["by_endpoint"]
    return sum(count for endpoint, count in asked.items() if endpoint.startswith("DELETE"))


def test_a_plan_says_who_would_leave_what_and_why_and_sends_nothing(left: tuple[ChainHarness, str, int]) -> None:
    harness, group, plan = left
    items = [row for row in harness.rows("lms_offboarding_items") if row["plan_id"] == plan]
    assert {row["user_id"] for row in items if row["group_id"] == group} == members_at_the_vendor(harness, group)
    assert all(row["reason"].endswith("is inactive") for row in items)
    assert removals_asked(harness) == 0


def test_without_a_limit_a_day_applying_is_off(left: tuple[ChainHarness, str, int]) -> None:
    harness, _, plan = left
    review(harness, plan)
    refused = harness.run("offboarding_apply", tags={OFFBOARDING_PLAN_TAG: str(plan)})
    assert "Applying plans is off" in refused.errors["apply_offboarding_plan"]
    assert removals_asked(harness) == 0


def test_a_plan_that_nobody_reviewed_is_refused(left: tuple[ChainHarness, str, int], tmp_path: Path) -> None:
    harness, _, plan = left
    assert "only one that somebody has reviewed" in apply(harness, plan, tmp_path).errors["apply_offboarding_plan"]
    assert "There is no offboarding plan" in apply(harness, 99, tmp_path).errors["apply_offboarding_plan"]
    assert removals_asked(harness) == 0


def test_a_plan_older_than_a_day_is_refused(left: tuple[ChainHarness, str, int], tmp_path: Path) -> None:
    harness, _, plan = left
    review(harness, plan)
    harness.advance(days=1, seconds=1)
    assert "more than a day old" in apply(harness, plan, tmp_path).errors["apply_offboarding_plan"]
    assert removals_asked(harness) == 0


def test_a_plan_whose_facts_have_changed_is_refused(left: tuple[ChainHarness, str, int], tmp_path: Path) -> None:
    """The partner is active again: nobody may lose access on account of yesterday's news."""
    harness, group, plan = left
    review(harness, plan)
    partner = row_of(harness, "lms_groups", id=group)["partner_id"]
    account = row_of(harness, "partners", id=partner)["impartner_id"]
    harness.sandbox.mutate("set_account", account=account, fields={"account_status": "Active"})
    assert harness.run(assets=("partners",)).success
    assert "have changed" in apply(harness, plan, tmp_path).errors["apply_offboarding_plan"]
    assert removals_asked(harness) == 0


def test_a_partner_active_again_in_the_crm_keeps_its_people_before_any_chain_saw_it(
    left: tuple[ChainHarness, str, int], tmp_path: Path
) -> None:
    """The warehouse knows yesterday's news: the CRM is asked right before anybody is taken out."""
    harness, group, plan = left
    review(harness, plan)
    people = members_at_the_vendor(harness, group)
    partner = row_of(harness, "lms_groups", id=group)["partner_id"]
    account = row_of(harness, "partners", id=partner)["impartner_id"]
    harness.sandbox.mutate("set_account", account=account, fields={"account_status": "Active"})
    assert apply(harness, plan, tmp_path).success
    assert members_at_the_vendor(harness, group) == people
    dropped = [row for row in harness.rows("lms_offboarding_items") if row["group_id"] == group]
    assert {(row["status"], row["sent_at"]) for row in dropped} == {("dropped", None)}
    assert {row["error"] for row in dropped} == {f"partner {partner} is active in the CRM now"}
    assert row_of(harness, "lms_offboarding_plans", id=plan)["status"] == "applied"


def test_who_left_the_group_or_has_an_active_partner_is_dropped_and_the_others_leave(
    left: tuple[ChainHarness, str, int], tmp_path: Path
) -> None:
    harness, group, plan = left
    review(harness, plan)
    gone, *others = sorted(members_at_the_vendor(harness, group))
    harness.sandbox.mutate("remove_member", group=group, person=gone)
    assert apply(harness, plan, tmp_path).success
    items = {row["user_id"]: row for row in harness.rows("lms_offboarding_items") if row["group_id"] == group}
    assert items[gone]["status"] == "dropped"
    assert items[gone]["error"].startswith("the group does not list the person")
    assert {items[each]["status"] for each in others} == {"removed"}
    assert members_at_the_vendor(harness, group) == set()


def test_a_contact_who_is_active_again_in_the_crm_keeps_the_groups(synced: ChainHarness, tmp_path: Path) -> None:
    """A contact of an active partner, whom the chain saw leave and who is back before the plan is applied."""
    contact = next(row for row in synced.rows("contacts") if _is_member_by_contact(synced, row))
    number = contact["impartner_id"]
    synced.sandbox.mutate("set_contact", contact=number, fields={"contact_status": "Terminated"})
    assert synced.run().success
    plan = synced.run("offboarding_plan").metadata["lms_offboarding_plan"]["plan"]
    review(synced, plan)
    before = _groups_of(synced, contact["lms_user_id"])
    assert before & {row["group_id"] for row in synced.rows("lms_offboarding_items") if row["plan_id"] == plan}
    synced.sandbox.mutate("set_contact", contact=number, fields={"contact_status": "Active"})
    assert apply(synced, plan, tmp_path).success
    assert _groups_of(synced, contact["lms_user_id"]) == before
    items = [row for row in synced.rows("lms_offboarding_items") if row["user_id"] == contact["lms_user_id"]]
    assert {row["error"] for row in items} == {f"contact {contact['id']} is active in the CRM now"}


def _groups_of(harness: ChainHarness, person: str) -> set[str]:
    return {group for group, members in harness.sandbox.vendor_state.memberships.items() if person in members}


def _is_member_by_contact(harness: ChainHarness, contact: dict[str, Any]) -> bool:
    groups = {row["id"] for row in harness.rows("lms_groups") if row["partner_id"] == contact["partner_id"]}
    member = any(
        row["user_id"] == contact["lms_user_id"] and row["group_id"] in groups
        for row in harness.rows("lms_group_members")
    )
    return bool(contact["is_active"] and contact["partner_id"] and contact["lms_user_id"] and member)


@pytest.mark.parametrize("kind", ["empty", "server_error", "not_found"])
def test_nobody_is_taken_out_while_the_crm_cannot_say_that_it_is_right(
    left: tuple[ChainHarness, str, int], tmp_path: Path, kind: str
) -> None:
    """An answer that lacks everybody confirms nothing."""
    harness, group, plan = left
    review(harness, plan)
    people = members_at_the_vendor(harness, group)
    fault = {"empty": ("cut_short", {"keep": 0})}.get(kind, (kind, {}))
    for path in ("GET /Account", "GET /User"):
        harness.sandbox.faults.add(fault[0], path, **fault[1])
    assert not apply(harness, plan, tmp_path).success
    assert members_at_the_vendor(harness, group) == people
    assert removals_asked(harness) == 0


def test_a_plan_of_old_data_is_neither_written_nor_carried_out(
    left: tuple[ChainHarness, str, int], tmp_path: Path
) -> None:
    """As old as what no chain would count with: the CRM's part of it is 48 hours old, whatever else is fresh."""
    harness, _, plan = left
    review(harness, plan)
    with harness.warehouse.transaction() as connection:
        logs = lms_offboarding_plans.metadata.tables["sync_logs"]
        old = {"completed_at": harness.now - timedelta(hours=49)}
        connection.execute(logs.update().where(logs.c.sync_type == SYNC_TYPES["contacts"]).values(old))
    refused = apply(harness, plan, tmp_path)
    assert "Contacts were last synced 49.0 hours ago" in refused.errors["apply_offboarding_plan"]
    written = harness.run("offboarding_plan", assets=("lms_offboarding_plan",), alone=True)
    assert "too old to build on" in written.errors["lms_offboarding_plan"]
    assert removals_asked(harness) == 0


def test_a_reviewed_plan_is_carried_out_once(left: tuple[ChainHarness, str, int], tmp_path: Path) -> None:
    harness, group, plan = left
    review(harness, plan)
    done = apply(harness, plan, tmp_path)
    assert done.success, done.errors
    items = [row for row in harness.rows("lms_offboarding_items") if row["plan_id"] == plan]
    assert {row["status"] for row in items} <= {"removed", "absent"}
    assert members_at_the_vendor(harness, group) == set()
    assert not {pair for pair in pairs(harness) if pair[0] == group}
    assert row_of(harness, "lms_offboarding_plans", id=plan)["status"] == "applied"
    assert "is applied" in apply(harness, plan, tmp_path).errors["apply_offboarding_plan"]
    assert harness.run("offboarding_plan").metadata["lms_offboarding_plan"]["dagster/row_count"] == 0


def test_no_more_than_the_limit_leave_within_a_day(left: tuple[ChainHarness, str, int], tmp_path: Path) -> None:
    harness, _, plan = left
    review(harness, plan)
    everybody = len([row for row in harness.rows("lms_offboarding_items") if row["plan_id"] == plan])
    assert everybody > 2
    for _ in range(3):
        assert apply(harness, plan, tmp_path, limit=2).success
    sent = [row for row in harness.rows("lms_offboarding_items") if row["sent_at"] is not None]
    assert len(sent) == 2
    assert row_of(harness, "lms_offboarding_plans", id=plan)["status"] == "applying"


@pytest.mark.parametrize("kind", ["reset_before_status", "answer_lost", "server_error"])
def test_an_interrupted_application_goes_on_where_it_stopped(
    left: tuple[ChainHarness, str, int], tmp_path: Path, kind: str
) -> None:
    harness, group, plan = left
    review(harness, plan)
    harness.sandbox.faults.add(kind, "DELETE *", after=1)
    stopped = apply(harness, plan, tmp_path)
    assert not stopped.success
    assert {row["status"] for row in harness.rows("lms_offboarding_items")} >= {"failed"}
    harness.sandbox.faults.reset()
    again = apply(harness, plan, tmp_path)
    assert again.success, again.errors
    assert members_at_the_vendor(harness, group) == set()
    assert row_of(harness, "lms_offboarding_plans", id=plan)["status"] == "applied"


def test_what_was_killed_between_sending_and_the_answer_is_sent_again(
    left: tuple[ChainHarness, str, int], tmp_path: Path
) -> None:
    """It costs nothing: taking somebody out twice is the same as once. And the day's limit has counted it."""
    harness, _, plan = left
    review(harness, plan)
    items = [row["id"] for row in harness.rows("lms_offboarding_items") if row["plan_id"] == plan]
    with harness.warehouse.transaction() as connection:
        table = lms_offboarding_plans.metadata.tables["lms_offboarding_items"]
        sent = {"status": "sent", "sent_at": harness.now - timedelta(minutes=1)}
        connection.execute(table.update().where(table.c.id.in_(items)).values(sent))
    assert apply(harness, plan, tmp_path, limit=len(items)).success
    assert row_of(harness, "lms_offboarding_plans", id=plan)["status"] == "applied"


def test_a_new_plan_supersedes_one_that_nobody_reviewed(left: tuple[ChainHarness, str, int]) -> None:
    harness, _, plan = left
    newer = harness.run("offboarding_plan").metadata["lms_offboarding_plan"]["plan"]
    assert newer != plan
    assert row_of(harness, "lms_offboarding_plans", id=plan)["status"] == "superseded"
