"""What somebody has set by hand wins, stays, and shows when it points to nothing; what was lost by renaming is told."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert

from lms_assets.warehouse.schema.tables import group_partner_overrides
from lms_assets_tests.assets.queries import a_group_of_people, row_of, sample_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import EVERYTHING, ChainHarness

pytestmark = pytest.mark.slow


def override(harness: ChainHarness, group: str, partner: int | None) -> None:
    """Set a link by hand."""
    with harness.warehouse.transaction() as connection:
        row = {"group_id": group, "partner_id": partner, "note": "by hand", "created_at": harness.now}
        connection.execute(insert(group_partner_overrides), [row])


def test_a_group_given_to_another_partner_by_hand_counts_there_chain_after_chain(synced: ChainHarness) -> None:
    group, _ = a_group_of_people(synced)
    other = next(row for row in synced.rows("partners") if row["is_active"] and not row["total_npcu"])
    override(synced, group, other["id"])
    for _ in range(2):
        assert synced.run(allow=EVERYTHING).success
        row = row_of(synced, "lms_groups", id=group)
        assert (row["partner_id"], row["link_method"]) == (other["id"], "override")
        assert differences(synced, {group: other["impartner_id"]}) == []


def test_a_group_said_to_be_nobodys_is_nobodys_until_the_override_goes(synced: ChainHarness) -> None:
    group, _ = a_group_of_people(synced)
    before = row_of(synced, "lms_groups", id=group)["partner_id"]
    override(synced, group, None)
    assert synced.run(allow=EVERYTHING).success
    assert row_of(synced, "lms_groups", id=group)["partner_id"] is None
    assert differences(synced, {group: None}) == []
    with synced.warehouse.transaction() as connection:
        connection.execute(delete(group_partner_overrides))
    assert synced.run(allow=EVERYTHING).success
    assert row_of(synced, "lms_groups", id=group)["partner_id"] == before
    assert differences(synced) == []


@pytest.mark.parametrize("what", ["group", "partner"])
def test_an_override_that_points_to_nothing_shows_in_a_check(synced: ChainHarness, what: str) -> None:
    group, _ = a_group_of_people(synced)
    partner = row_of(synced, "lms_groups", id=group)["partner_id"]
    override(synced, "no-such-group" if what == "group" else group, 99_999 if what == "partner" else partner)
    result = synced.run(assets=("groups",))
    assert "group_overrides_point_to_something" in result.red
    assert result.metadata["groups"]["overrides_that_point_to_nothing"] == 1


def test_a_group_that_lost_its_partner_by_a_rename_is_a_red_check_until_one_acts(synced: ChainHarness) -> None:
    group, _ = a_group_of_people(synced)
    partner = row_of(synced, "partners", id=row_of(synced, "lms_groups", id=group)["partner_id"])
    synced.sandbox.mutate("rename_account", account=partner["impartner_id"], name="Something Else Entirely")
    result = synced.run(allow=EVERYTHING)
    assert result.success, "odd, and no reason to stop"
    assert "group_links_were_kept" in result.red
    (told,) = sample_of(result, "group_links_were_kept")
    assert group in told
    assert f"was partner {partner['id']}'s" in told
    assert differences(synced) == []
    again = synced.run(assets=("groups",))
    assert "group_links_were_kept" in again.red, "nobody has done anything about it"
    override(synced, group, partner["id"])
    fixed = synced.run(allow=EVERYTHING)
    assert fixed.success
    assert "group_links_were_kept" not in fixed.red
    assert differences(synced, {group: partner["impartner_id"]}) == []
