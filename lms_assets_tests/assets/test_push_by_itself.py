"""The push started by itself, as the UI's button does: no gate runs before it, so it looks at them itself."""

from __future__ import annotations

from sqlalchemy import update

from lms_assets.warehouse.tables import lms_users
from lms_assets_tests.support.chain import ChainRig

PUSH = ("pushed_partner_cert_counts",)


def test_a_push_by_itself_goes_out_on_good_data(synced: ChainRig) -> None:
    result = synced.run("push_to_impartner", assets=PUSH)
    assert result.success, result.errors


def test_a_push_by_itself_on_data_that_a_gate_would_refuse_sends_nothing(synced: ChainRig) -> None:
    with synced.warehouse.transaction() as connection:
        connection.execute(update(lms_users).values(is_active=False, status="deactivated"))
    synced.run("push_to_impartner", assets=("partner_cert_counts",))
    synced.sandbox.reset_stats()
    result = synced.run("push_to_impartner", assets=PUSH)
    assert "users_are_present" in result.errors["pushed_partner_cert_counts"]
    assert "PATCH /Account" not in synced.sandbox.stats()["impartner"]["by_endpoint"]
