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
from lms_assets_tests.assets.looking import a_group_of_people, pairs, row_of
from lms_assets_tests.harness.chain import EVERYTHING, ChainResult, ChainRig

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


def test_a_partner_that_is_active_again_in_the_crm_keeps_its_people_though_no_chain_has_seen_it(
    left: tuple[ChainRig, str, int], tmp_path: Path
) -> None:
    """The warehouse knows yesterday's news: the CRM is asked right before anybody is taken out."""
    rig, group, plan = left
    review(rig, plan)
    people = members_at_the_vendor(rig, group)
    partner = row_of(rig, "lms_groups", id=group)["partner_id"]
    account = row_of(rig, "partners", id=partner)["impartner_id"]
    rig.sandbox.mutate("set_account", account=account, fields={"account_status": "Active"})
    assert apply(rig, plan, tmp_path).success
    assert members_at_the_vendor(rig, group) == people
    dropped = [row for row in rig.rows("lms_offboarding_items") if row["group_id"] == group]
    assert {(row["status"], row["sent_at"]) for row in dropped} == {("dropped", None)}
    assert {row["error"] for row in dropped} == {f"partner {partner} is active in the CRM now"}
    assert row_of(rig, "lms_offboarding_plans", id=plan)["status"] == "applied"


def test_who_left_the_group_or_is_at_an_active_partner_now_is_dropped_and_the_others_leave(
    left: tuple[ChainRig, str, int], tmp_path: Path
) -> None:
    rig, group, plan = left
    review(rig, plan)
    gone, *others = sorted(members_at_the_vendor(rig, group))
    rig.sandbox.mutate("remove_member", group=group, person=gone)
    assert apply(rig, plan, tmp_path).success
    items = {row["user_id"]: row for row in rig.rows("lms_offboarding_items") if row["group_id"] == group}
    assert items[gone]["status"] == "dropped"
    assert items[gone]["error"].startswith("the group does not list the person")
    assert {items[each]["status"] for each in others} == {"removed"}
    assert members_at_the_vendor(rig, group) == set()


def test_a_contact_who_is_active_again_in_the_crm_keeps_the_groups(synced: ChainRig, tmp_path: Path) -> None:
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


def _groups_of(rig: ChainRig, person: str) -> set[str]:
    return {group for group, members in rig.sandbox.world.memberships.items() if person in members}


def _is_member_by_contact(rig: ChainRig, contact: dict[str, Any]) -> bool:
    groups = {row["id"] for row in rig.rows("lms_groups") if row["partner_id"] == contact["partner_id"]}
    member = any(
        row["user_id"] == contact["lms_user_id"] and row["group_id"] in groups for row in rig.rows("lms_group_members")
    )
    return bool(contact["is_active"] and contact["partner_id"] and contact["lms_user_id"] and member)


@pytest.mark.parametrize("kind", ["empty", "server_error", "not_found"])
def test_nobody_is_taken_out_while_the_crm_cannot_say_that_it_is_right(
    left: tuple[ChainRig, str, int], tmp_path: Path, kind: str
) -> None:
    """An answer that lacks everybody confirms nothing."""
    rig, group, plan = left
    review(rig, plan)
    people = members_at_the_vendor(rig, group)
    fault = {"empty": ("cut_short", {"keep": 0})}.get(kind, (kind, {}))
    for path in ("GET /Account", "GET /User"):
        rig.sandbox.faults.add(fault[0], path, **fault[1])
    assert not apply(rig, plan, tmp_path).success
    assert members_at_the_vendor(rig, group) == people
    assert removals_asked(rig) == 0


def test_a_plan_of_old_data_is_neither_written_nor_carried_out(left: tuple[ChainRig, str, int], tmp_path: Path) -> None:
    """As old as what no chain would count with: the CRM's part of it is 48 hours old, whatever else is fresh."""
    rig, _, plan = left
    review(rig, plan)
    with rig.warehouse.transaction() as connection:
        logs = lms_offboarding_plans.metadata.tables["sync_logs"]
        old = {"completed_at": rig.now - timedelta(hours=49)}
        connection.execute(logs.update().where(logs.c.sync_type == SYNC_TYPES["contacts"]).values(old))
    refused = apply(rig, plan, tmp_path)
    assert "Contacts were last synced 49.0 hours ago" in refused.errors["apply_offboarding_plan"]
    written = rig.run("offboarding_plan", assets=("lms_offboarding_plan",), alone=True)
    assert "too old to build on" in written.errors["lms_offboarding_plan"]
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
