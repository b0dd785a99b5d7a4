"""The second method of counting says what the oracle says, from the portal's tables, on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.state.build import build_vendor_state
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.recount import recount
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS
from lms_assets_tests import oracle
from lms_assets_tests.end_to_end.by_rules import portal_of
from lms_assets_tests.end_to_end.crowded_states import INSTANTS, crowded_states
from lms_assets_tests.end_to_end.stored_portal import store_portal
from lms_assets_tests.end_to_end.test_rules_equal_the_oracle import START, boundaries, stored_links


def differences(warehouse: Warehouse, state: dict[str, Any], instants: Iterable[datetime]) -> list[str]:
    """One line for each partner and instant on which recount and oracle do not agree."""
    portal = portal_of(state)
    with warehouse.transaction() as connection:
        store_portal(connection, portal)
    right = oracle.expected_at_each(state, instants, stored_links(state, portal))
    found = []
    with warehouse.read() as connection:
        for at, expected in right.items():
            ours = recount(connection, at, months=24, columns=CATEGORY_COLUMNS, gtm_category="go_to_market").counts
            assert set(ours) == set(expected.partners)
            for number, partner in expected.partners.items():
                if ours[number] != partner.counts:
                    found.append(f"{at}: partner {number}: {ours[number]}, not {partner.counts}")
    return found


@pytest.mark.parametrize("seed", range(1, 11))
def test_every_partner_is_recounted_right_at_every_boundary(warehouse: Warehouse, seed: int):
    """Ten vendor states, each at the seconds around the expiries nearest to the chain's start."""
    state = build_vendor_state(SandboxConfig(seed=seed, scale=0.02, now=START)).state()
    assert differences(warehouse, state, boundaries(state, START, 2)) == []


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(state=crowded_states())
def test_crowded_vendor_states_are_recounted_right(warehouse: Warehouse, state: dict[str, Any]):
    assert differences(warehouse, state, INSTANTS) == []
