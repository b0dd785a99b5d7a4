"""Too much would go at once: nothing is written, somebody is told how much, and only an explicit word lets it pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lms_assets_tests.assets.queries import the_state
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow


def _empty_the_crm_view(harness: ChainHarness) -> None:
    for row in [row for row in harness.rows("partners") if row["is_active"]][:20]:
        harness.sandbox.mutate("set_account", account=row["impartner_id"], fields={"partner_tier": "Pending"})


def _delete_accounts(harness: ChainHarness) -> None:
    for row in [row for row in harness.rows("partners") if row["is_active"]][:20]:
        harness.sandbox.mutate("delete_account", account=row["impartner_id"])


def _delete_contacts(harness: ChainHarness) -> None:
    for row in [row for row in harness.rows("contacts") if row["is_active"]][:20]:
        harness.sandbox.mutate("delete_contact", contact=row["impartner_id"])


def _delete_people(harness: ChainHarness) -> None:
    for row in [row for row in harness.rows("lms_users") if row["is_active"]][:20]:
        harness.sandbox.mutate("delete_person", person=row["id"], keep_memberships=True)


def _disable_people(harness: ChainHarness) -> None:
    for row in [row for row in harness.rows("lms_users") if row["is_active"]][:20]:
        harness.sandbox.mutate("disable_person", person=row["id"])


def _delete_groups(harness: ChainHarness) -> None:
    for row in [row for row in harness.rows("lms_groups") if row["is_active"]][:20]:
        harness.sandbox.mutate("delete_group", group=row["id"])


def _empty_one_group(harness: ChainHarness) -> None:
    everybody = next(row["id"] for row in harness.rows("lms_groups") if row["name"] == "All Partners")
    for row in [row for row in harness.rows("lms_group_members") if row["group_id"] == everybody][:20]:
        harness.sandbox.mutate("remove_member", group=everybody, person=row["user_id"])


def _a_few_of_every_group(harness: ChainHarness) -> None:
    left: dict[str, int] = {}
    for row in harness.rows("lms_group_members"):
        if left.get(row["group_id"], 0) < 2:
            harness.sandbox.mutate("remove_member", group=row["group_id"], person=row["user_id"])
            left[row["group_id"]] = left.get(row["group_id"], 0) + 1


def _remove_transcripts(harness: ChainHarness) -> None:
    for row in harness.rows("lms_enrollments")[:40]:
        harness.sandbox.mutate("remove_transcript", transcript=row["id"])


CASES: list[tuple[str, Callable[[ChainHarness], None]]] = [
    ("partners", _empty_the_crm_view),
    ("partners", _delete_accounts),
    ("contacts", _delete_contacts),
    ("users", _delete_people),
    ("users", _disable_people),
    ("groups", _delete_groups),
    ("memberships", _empty_one_group),
    ("memberships", _a_few_of_every_group),
    ("enrollments", _remove_transcripts),
]


@pytest.mark.parametrize(("asset", "change"), CASES, ids=[f"{asset}{change.__name__}" for asset, change in CASES])
def test_above_the_deactivation_limit_nothing_is_written_until_it_is_allowed(
    synced: ChainHarness, asset: str, change: Callable[[ChainHarness], None]
) -> None:
    before = the_state(synced)
    change(synced)
    stopped = synced.run(assets=(asset,))
    assert the_state(synced) == before
    told = stopped.errors.get(asset) or stopped.metadata[asset]["reason"]
    assert "would be deactivated" in told
    assert "Ids: " in told
    assert told.endswith(f"lms-assets run daily_full --resume --allow mass_deactivation:{asset}")
    (log,) = [row for row in synced.rows("sync_logs") if row["status"] == "failed"]
    assert "would be deactivated" in log["error_message"]
    allowed = synced.run(assets=(asset,), alone=True, allow=(f"mass_deactivation:{asset}",))
    assert allowed.success, allowed.errors
    assert the_state(synced) != before
    used = [row for row in synced.rows("sync_override_uses") if row["what"] == f"mass_deactivation:{asset}"]
    assert {(row["asset"], row["used_by"], row["run_id"]) for row in used} == {(asset, "the test", allowed.run_id)}
    assert sum(row["number"] for row in used) > 10


def test_a_chain_stopped_by_the_deactivation_limit_is_not_tried_again_by_itself(synced: ChainHarness) -> None:
    """Running again does not help before somebody has looked."""
    _delete_contacts(synced)
    stopped = synced.run()
    tries = [event for event in stopped.events if event.is_step_start and event.step_key == "contacts"]
    assert len(tries) == 1
    assert not any(event.is_step_up_for_retry for event in stopped.events)


def test_the_limit_holds_over_24_hours_and_all_runs(synced: ChainHarness) -> None:
    """Eight now and eight four hours later, found by two different syncs: together more than ten may leave in a day."""
    rows = [row for row in synced.rows("contacts") if row["is_active"]]

    def delete(some: list[dict[str, object]]) -> None:
        for row in some:
            synced.sandbox.mutate("delete_contact", contact=row["impartner_id"])

    delete(rows[:8])
    synced.advance(minutes=10)
    first = synced.run("enrollments_incremental", assets=("crm_deactivations",), alone=True)
    assert first.metadata["crm_deactivations"]["deactivated"] == 8
    delete(rows[8:16])
    synced.advance(hours=4)
    stopped = synced.run(assets=("contacts",), alone=True)
    assert "and 8 left in the last 24 hours" in stopped.errors["contacts"]
    synced.advance(hours=20)
    passed = synced.run(assets=("contacts",), alone=True)
    assert passed.metadata["contacts"]["deactivated"] == 8
    # What somebody allows does not use up the limit for what comes after it.
    delete(rows[16:32])
    synced.advance(hours=24)
    assert "contacts" in synced.run(assets=("contacts",), alone=True).errors
    assert synced.run(assets=("contacts",), alone=True, allow=("mass_deactivation:contacts",)).success
    delete(rows[32:40])
    synced.advance(hours=1)
    assert synced.run(assets=("contacts",), alone=True).metadata["contacts"]["deactivated"] == 8


def test_an_override_of_one_kind_does_not_pass_the_limit_of_another(synced: ChainHarness) -> None:
    _delete_contacts(synced)
    stopped = synced.run(assets=("contacts",), alone=True, allow=("mass_deactivation:partners", "fall:npcu"))
    assert "would be deactivated" in stopped.errors["contacts"]
    assert not synced.rows("sync_override_uses")


def test_a_run_whose_override_has_no_token_writes_nothing(synced: ChainHarness) -> None:
    """A page that an operator opens can start a run with any tag; it cannot make a token."""
    _delete_contacts(synced)
    before = the_state(synced)
    refused = synced.run(tags={"lms/allow": "mass_deactivation:contacts fall:npcu first_push"})
    assert not refused.success
    assert "lms-assets allow" in refused.errors["courses"]
    assert the_state(synced) == before
