"""Three countings side by side with the oracle: the rules, the ledger and the recount, on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.seeding.build import build_vendor_state
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.recount import recount
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, count_columns
from lms_assets.warehouse.results.ledger import ledger_counts
from lms_assets_tests import oracle
from lms_assets_tests.end_to_end.by_rules import portal_of
from lms_assets_tests.end_to_end.crowded_states import INSTANTS, crowded_states
from lms_assets_tests.end_to_end.stored_portal import store_portal
from lms_assets_tests.end_to_end.test_rules_equal_the_oracle import START, boundaries, stored_links
from lms_assets_tests.harness.counting import judge_as_of


def differences(
    warehouse: Warehouse, state: dict[str, Any], instants: Iterable[datetime], *, ledger: bool = False
) -> list[str]:
    """One line for each instant, partner and counting that does not say what the oracle says.

    Args:
        ledger: judge as of each instant too, and ask for all of them once the last is judged.
    """
    portal = portal_of(state)
    with warehouse.transaction() as connection:
        store_portal(connection, portal)
    right = oracle.expected_at_each(state, instants, stored_links(state, portal))
    for at in sorted(right) if ledger else ():
        judge_as_of(warehouse, at)
    found = []
    with warehouse.read() as connection:
        for at, expected in right.items():
            ours = {
                "recount": recount(
                    connection, at, months=24, columns=CATEGORY_COLUMNS, gtm_category="go_to_market"
                ).counts,
                "rules": {key: count_columns(each) for key, each in portal.counts(at).items()},
            }
            if ledger:
                sums = ledger_counts(connection, expected.partners, "go_to_market", at=at)
                ours["ledger"] = {key: count_columns(each) for key, each in sums.items()}
            for name, counts in ours.items():
                assert set(counts) >= set(expected.partners)
                for number, partner in expected.partners.items():
                    if counts[number] != partner.counts:
                        found.append(f"{at}: partner {number} by {name}: {counts[number]}, not {partner.counts}")
    return found


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 11))])
def test_rules_ledger_and_recount_say_what_the_oracle_says_at_every_boundary(warehouse: Warehouse, seed: int):
    """Ten vendor states, each at seven instants or more, around the expiries nearest to the chain's start."""
    state = build_vendor_state(SandboxConfig(seed=seed, scale=0.02, now=START)).state()
    instants = boundaries(state, START, 4)
    assert len(instants) >= 7
    assert differences(warehouse, state, instants, ledger=True) == []


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(state=crowded_states())
def test_crowded_vendor_states_are_recounted_right(warehouse: Warehouse, state: dict[str, Any]):
    assert differences(warehouse, state, INSTANTS) == []
