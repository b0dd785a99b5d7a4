"""The rules, put together, say what the oracle says: for every partner, every count, every person.

Over the sandbox's vendor states at instants around real expiries, and over tiny vendor states in which every case
meets every other. Without HTTP and database, so that a difference is a difference between two readings of the rules.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.seeding.build import build_vendor_state
from lms_assets.sandbox.state.vendor_state import VendorState
from lms_assets_tests import oracle
from lms_assets_tests.end_to_end.by_rules import Portal, portal_of
from lms_assets_tests.end_to_end.crowded_states import INSTANTS, crowded_states
from lms_assets_tests.oracle.holding import CATEGORIES, instant, months_later

SEEDS = range(1, 11)
START = datetime(2026, 3, 1, 2, 0, 0, tzinfo=UTC)


def stored_links(state: Any, portal: Portal) -> dict[str, int | None]:
    """The product's links where the oracle's own measure of likeness has no say."""
    links = portal.links
    return {each.group_id: links[each.group_id].partner_id for each in oracle.unsure_links(state)}


def boundaries(state: dict[str, Any], near: datetime, number: int) -> list[datetime]:
    """The second before, of and after the `number` expiries that lie nearest to an instant, and the instant."""
    expiries = set()
    for row in state["transcripts"]:
        completed = instant(row["completed_at"])
        if row["resource_type"] == "course" and completed is not None:
            expiries.add(instant(row["expires_at"]) or months_later(completed, 24))
    nearest = sorted(expiries, key=lambda moment: (abs(moment - near), moment))[:number]
    second = timedelta(seconds=1)
    return sorted({near, *(moment + shift for moment in nearest for shift in (-second, 0 * second, second))})


def differences(portal: Portal, expected: oracle.Expected, at: datetime) -> list[str]:
    """One line for each partner and figure on which the two do not agree; empty: they agree."""
    found = []
    counted = portal.counts(at)
    if set(portal.partners) != set(expected.partners):
        found.append(f"partners: {set(portal.partners) ^ set(expected.partners)}")
    for number in sorted(set(portal.partners) & set(expected.partners)):
        right, ours = expected.partners[number], counted[number]
        said = {name: ours.by_category.get(name, 0) for name in CATEGORIES}
        if said != dict(right.by_category):
            found.append(f"partner {number}: {said}, not {dict(right.by_category)}")
        if (ours.total_npcu, ours.has_gtm_certification) != (right.total_npcu, right.has_gtm_certification):
            found.append(f"partner {number}: {ours.total_npcu} NPCU, not {right.total_npcu}")
        if portal.people_of(number) != right.user_ids:
            found.append(f"partner {number}: people {set(portal.people_of(number) ^ right.user_ids)}")
    if portal.user_of != dict(expected.contact_of):
        found.append(f"contacts: {set(portal.user_of.items()) ^ set(expected.contact_of.items())}")
    return found


@pytest.fixture(scope="module", params=SEEDS)
def vendor_state(request: pytest.FixtureRequest) -> VendorState:
    return build_vendor_state(SandboxConfig(seed=request.param, scale=0.02, now=START))


def test_every_partner_counts_the_same_at_every_boundary(vendor_state: VendorState):
    """Ten vendor states, each at the twelve expiries nearest to the chain's start and at the start itself."""
    state = vendor_state.state()
    portal = portal_of(state)
    instants = boundaries(state, START, 12)
    right = oracle.expected_at_each(state, instants, stored_links(state, portal))
    assert sum(each.total_npcu for each in right[START].partners.values()) > 0
    wrong = {str(at): lines for at in instants if (lines := differences(portal, right[at], at))}
    assert not wrong


def test_every_group_is_linked_to_whom_it_is_meant_for(vendor_state: VendorState):
    """The vendor state knows whom each group was made for, typing errors and near-twins included."""
    state = vendor_state.state()
    portal = portal_of(state)
    meant = {
        group: partner if partner in portal.partners else None for group, partner in vendor_state.intended_links.items()
    }
    wrong = [link for link in portal.links.values() if link.partner_id != meant[link.group_id]]
    assert not wrong
    sure = {link.group_id: link.partner_id for link in oracle.expected(state, START).links if link.sure}
    assert {group: portal.links[group].partner_id for group in sure} == sure


def test_what_leaves_between_two_states_is_what_the_rules_no_longer_keep(vendor_state: VendorState):
    """Partners, contacts and people that the rules keep are those the oracle keeps, no more and no fewer."""
    state = vendor_state.state()
    portal = portal_of(state)
    kept = oracle.kept(state, stored_links(state, portal))
    assert set(portal.partners) == kept.partners
    assert set(portal.contacts) == kept.contacts
    assert {key for key, user in portal.users.items() if user.is_active} == kept.users
    assert set(portal.links) == kept.groups


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowded_states())
def test_crowded_vendor_states_count_the_same(state: dict[str, Any]):
    """Equal names, shared addresses, lapses to the second: whatever meets, both readings agree."""
    portal = portal_of(state)
    right = oracle.expected_at_each(state, INSTANTS, stored_links(state, portal))
    event("somebody holds something" if any(p.total_npcu for p in right[INSTANTS[1]].partners.values()) else "nothing")
    for at in INSTANTS:
        assert differences(portal, right[at], at) == []
