"""Portal and CRM after a chain against the oracle: one line for each difference."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lms_assets_tests.harness.chain import ChainHarness
from lms_assets_tests.oracle import expected, kept, unsure_links
from lms_assets_tests.oracle.table_differences import (
    differences_in_crm,
    differences_in_partners,
    differences_in_records,
)

RECORDS = ("contacts", "lms_users", "lms_groups", "lms_group_members")


def differences(
    harness: ChainHarness, overrides: Mapping[str, int | None] | None = None, at: datetime | None = None
) -> list[str]:
    """Everything in which the portal's records and counts, and the CRM's, are not what the oracle says, `at` or now.

    How near two names have to be is the product's business: where the oracle calls a link unsure it takes the
    product's. `overrides`: links set by hand, group to account.
    """
    links = {**links_taken_over(harness), **(overrides or {})}
    right = expected(harness.sandbox.vendor_state, at or harness.now, links)
    state = harness.sandbox.vendor_state.state()
    found = differences_in_partners(harness.rows("partners"), right)
    found += differences_in_records({name: harness.rows(name) for name in RECORDS}, kept(state, links))
    return found + differences_in_crm(state["accounts"], right)


def links_taken_over(harness: ChainHarness) -> dict[str, int | None]:
    """The product's links of groups of which the oracle is unsure: group to account."""
    accounts = {row["id"]: row["impartner_id"] for row in harness.rows("partners")}
    linked = {row["id"]: accounts.get(row["partner_id"]) for row in harness.rows("lms_groups") if row["is_active"]}
    return {link.group_id: linked.get(link.group_id) for link in unsure_links(harness.sandbox.vendor_state)}
