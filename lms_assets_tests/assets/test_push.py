"""The push by itself: who is told what, what becomes of a refusal, and what the next push sends. No HTTP here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import insert, update

from lms_assets.assets.tier_4_aggregation_and_push.push import AT_ONCE, as_table, figures
from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.domain.counting.push_plan import ImplausiblePush
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.overrides import Overrides
from lms_assets.vendors.impartner.writes import PatchResult
from lms_assets.vendors.transport.errors import AuthenticationFailed, VendorUnavailable
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.state.pushed_values import push_memory
from lms_assets_tests.assets.push_parts import Crm, Run, make_push

NPCU, GROUP, LINK = "Total_NPCU__cf", "LMS_Group_Name__cf", "LMS_Training_Dashboard__cf"
HOUR = timedelta(hours=1)


@pytest.fixture
def full(warehouse: Warehouse, now: datetime) -> Warehouse:
    """Partners 1 and 2 of accounts 11 and 12; 3 without an account, 4 inactive; all that counts rest on was read."""
    partner_rows = [
        {"id": 1, "account_name": "Larch", "impartner_id": 11, "is_active": True, "total_npcu": 5},
        {"id": 2, "account_name": "Beech", "impartner_id": 12, "is_active": True, "total_npcu": 0},
        {"id": 3, "account_name": "Cedar", "impartner_id": None, "is_active": True, "total_npcu": 7},
        {"id": 4, "account_name": "Aspen", "impartner_id": 14, "is_active": False, "total_npcu": 9},
    ]
    group = {"name": "ptr_Larch", "partner_id": 1, "link_method": "exact", "is_active": True, "members_synced_at": now}
    groups = [
        {**group, "id": "g1", "user_count": 3},
        {**group, "id": "g2", "name": "Larch North", "user_count": 9},
        {**group, "id": "g3", "name": "Larch by hand", "link_method": "fuzzy", "user_count": 99},
        {**group, "id": "g4", "name": "Larch of old", "is_active": False, "user_count": 99},
    ]
    log = {"status": "completed", "started_at": now, "details": {"listing_complete": True}}
    logs = [{**log, "sync_type": each} for each in ("groups", "impartner_contacts", "users")]
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partners), partner_rows)
        connection.execute(insert(t.lms_groups), groups)
        connection.execute(insert(t.sync_logs), logs)
    return warehouse


def set_points(warehouse: Warehouse, partner_id: int, points: int) -> None:
    with warehouse.transaction() as connection:
        connection.execute(update(t.partners).where(t.partners.c.id == partner_id).values(total_npcu=points))


def crm(*shown: int) -> Crm:
    """The accounts 11, 12, … with these points."""
    return Crm({11 + place: {NPCU: points} for place, points in enumerate(shown)})


def many_partners(warehouse: Warehouse, number: int) -> None:
    rows = [{"id": n, "account_name": f"Partner {n}", "impartner_id": 1000 + n, "is_active": True, "total_npcu": 1}
            for n in range(10, 10 + number)]  # fmt: skip
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partners), rows)


def test_every_active_partner_with_an_account_is_told_its_counts_and_its_groups_name(full: Warehouse, now: datetime):
    there = crm(0, 0)
    made = make_push(Run(full, now), there, portal_url="https://portal.example")

    assert set(there.accounts) == {11, 12}
    assert (there.accounts[11][NPCU], there.accounts[11][GROUP]) == (5, "Larch North")
    assert (there.accounts[12][NPCU], there.accounts[12].get(GROUP)) == (0, None)
    assert there.accounts[12][LINK] == "https://portal.example/partners/2/training"
    assert (made.plan.partners, made.plan.facts.without_crm_id, made.pushed.sent) == (2, (3,), 2)
    assert (made.pushed.confirmed, made.pushed.refused) == ({11, 12}, {})


def test_the_next_push_sends_what_has_changed_and_nothing_else(full: Warehouse, now: datetime):
    there = crm(0, 0)
    make_push(Run(full, now), there)
    assert make_push(Run(full, now + HOUR), there).pushed.sent == 0
    set_points(full, 2, 3)

    planned = plan_of(full, Rules(), portal_url=None)
    assert [(item.impartner_id, item.changes) for item in planned.items] == [(12, {NPCU: (0, 3)})]
    made = make_push(Run(full, now + 2 * HOUR), there)
    assert there.calls == [[11, 12], [12]]
    assert (made.plan.partners, made.pushed.sent, made.pushed.confirmed) == (2, 1, {12})


def test_a_partner_whose_people_were_not_read_is_not_told_and_named(full: Warehouse, now: datetime):
    with full.transaction() as connection:
        connection.execute(update(t.partners).where(t.partners.c.id == 2).values(identity_changed_at=now + HOUR))
    there = crm(0, 0)
    run = Run(full, now)
    made = make_push(run, there, compare=False)

    assert there.calls == [[11]]
    shown = figures(made.plan, made.pushed)
    assert (shown["partners_withheld"], shown["partners_without_crm_id"], shown["sent"]) == (1, 1, 1)
    assert "partner 2: " in shown["partners_withheld_sample"][0]


def test_a_refused_account_is_alone_in_it_and_is_sent_whole_the_next_time(full: Warehouse, now: datetime):
    there = crm(0, 0)
    there.refusing = {11: "field is read-only"}
    made = make_push(Run(full, now), there)

    assert (made.pushed.sent, made.pushed.confirmed) == (2, {12})
    assert made.pushed.refused == {11: "field is read-only"}
    with full.read() as connection:
        memory = push_memory(connection)
    assert (memory[11].fields, memory[11].last_error, memory[11].failed_attempts) == ({}, "field is read-only", 1)
    assert (memory[12].fields[NPCU], memory[12].last_error, memory[12].confirmed_at) == (0, None, now)

    there.refusing = {}
    again = make_push(Run(full, now + HOUR), there)
    assert there.calls == [[11, 12], [11]]
    assert there.accounts[11][NPCU] == 5
    assert (again.pushed.confirmed, again.pushed.refused) == ({11}, {})


def test_a_refusal_without_a_reason_is_one(full: Warehouse, now: datetime):
    there = crm(0, 0)
    there.refusing = {11: None}
    made = make_push(Run(full, now), there)
    assert made.pushed.refused == {11: "refused"}


def test_what_was_accepted_and_does_not_read_back_is_a_failure_that_names_its_field(full: Warehouse, now: datetime):
    there = crm(0, 0)
    there.deaf = {11}
    made = make_push(Run(full, now), there)
    assert made.pushed.confirmed == {12}
    ((entity, reason),) = made.pushed.refused.items()
    assert (entity, reason.endswith("was accepted and reads back differently")) == (11, True)
    assert make_push(Run(full, now + HOUR), there).pushed.sent == 1, "it is tried again"


def test_accounts_that_were_all_refused_are_not_read_back(full: Warehouse, now: datetime):
    there = crm(0, 0)
    there.refusing = {11: "no", 12: "no"}
    make_push(Run(full, now), there)
    assert there.asked == [[11, 12]], "only the look before the first push"


def test_a_vendor_that_does_not_answer_costs_its_batch_and_the_others_are_sent(full: Warehouse, now: datetime):
    there = crm(0, 0)
    there.blind = VendorUnavailable("Impartner", "GET /Account", None, "no answer", "Run again.")
    there.refusing = {11: "field is read-only"}
    made = make_push(Run(full, now), there, compare=False)

    assert made.pushed.confirmed == set()
    reasons = made.pushed.refused
    assert reasons[11] == "field is read-only", "what the vendor said is kept"
    assert "no answer" in reasons[12]
    there.blind = None
    many_partners(full, 50)
    there.down = VendorUnavailable("Impartner", "PATCH /Account", 503, "no answer", "Run again.")
    made = make_push(Run(full, now + HOUR), there, compare=False)
    assert [len(each) for each in there.calls[1:]] == [50, 2]
    assert (made.pushed.sent, len(made.pushed.refused)) == (0, 52)


def test_a_key_that_is_refused_ends_the_push_at_once(full: Warehouse, now: datetime):
    many_partners(full, 60)
    there = crm(0, 0)
    there.down = AuthenticationFailed("Impartner", "PATCH /Account", 401, "the key is refused", "Check the key.")
    with pytest.raises(AuthenticationFailed):
        make_push(Run(full, now), there)
    assert len(there.calls) == 1


def test_several_calls_are_under_way_and_an_end_of_the_push_loses_no_answer(full: Warehouse, now: datetime):
    many_partners(full, 50 * AT_ONCE + 48)
    together = Barrier(AT_ONCE)

    class Busy(Crm):
        def patch_accounts(self, rows: Sequence[Mapping[str, Any]], *, same: Any) -> list[PatchResult]:
            alone = not self.calls
            results = super().patch_accounts(rows, same=same)
            if not alone and together.wait(timeout=60) == 0:
                raise AuthenticationFailed("Impartner", "PATCH /Account", 401, "the key is refused", "Check the key.")
            return results

    there = Busy({11: {NPCU: 0}, 12: {NPCU: 0}})
    with pytest.raises(AuthenticationFailed):
        make_push(Run(full, now), there)
    assert len(there.calls) == 1 + AT_ONCE
    assert len(plan_of(full, Rules(), portal_url=None).items) == 50, "those of the refused call, and nobody else"


def test_a_push_that_died_before_it_read_back_sends_everything_again(full: Warehouse, now: datetime):
    """What it sent may stand in the CRM, whatever was confirmed before."""
    there = crm(0, 0)
    make_push(Run(full, now), there)
    set_points(full, 1, 6)
    there.down = AuthenticationFailed("Impartner", "PATCH /Account", 401, "the key is refused", "Check the key.")
    with pytest.raises(AuthenticationFailed):
        make_push(Run(full, now + HOUR), there)
    set_points(full, 1, 5)  # what was confirmed first

    there.down = None
    planned = plan_of(full, Rules(), portal_url=None)
    assert [(item.impartner_id, item.fields[NPCU]) for item in planned.items] == [(11, 5)]
    assert make_push(Run(full, now + 2 * HOUR), there).pushed.confirmed == {11}
    assert plan_of(full, Rules(), portal_url=None).items == ()


def test_what_was_confirmed_before_the_run_ended_is_remembered_batch_by_batch(full: Warehouse, now: datetime):
    many_partners(full, 98)
    there = crm(0, 0)
    run = Run(full, now, over_after=1)
    with pytest.raises(RuntimeError, match="over"):
        make_push(run, there)
    assert run.told == [(50, 100, False)]

    run = Run(full, now + HOUR)
    assert make_push(run, there).pushed.sent == 50
    assert run.told == [(50, 50, False), (50, 50, True)]
    assert len({number for call in there.calls for number in call}) == 100


def test_progress_counts_every_batch(full: Warehouse, now: datetime):
    many_partners(full, 68)
    run = Run(full, now)
    assert make_push(run, crm(0, 0)).pushed.sent == 70
    assert run.told == [(50, 70, False), (70, 70, False), (70, 70, True)]


def test_a_first_push_that_would_lower_the_crm_far_is_refused_and_sends_nothing(full: Warehouse, now: datetime):
    there = crm(20, 30)
    with pytest.raises(ImplausiblePush, match="the CRM shows 50, and the first push would make it 5"):
        make_push(Run(full, now), there)
    assert there.calls == []

    allowed = Overrides(frozenset({"first_push"}))
    assert make_push(Run(full, now, allowed), there).pushed.confirmed == {11, 12}
    assert [(use.what, use.number) for use in allowed.uses] == [("first_push", 45)]
    there.accounts[11][NPCU] = 500
    set_points(full, 1, 6)
    assert make_push(Run(full, now + HOUR), there).pushed.sent == 1, "the CRM has confirmed counts of ours by then"


def test_a_first_push_with_nothing_to_send_asks_nothing(warehouse: Warehouse, now: datetime):
    there = crm(500)
    made = make_push(Run(warehouse, now), there)
    assert (made.pushed.sent, there.asked, there.calls) == (0, [], [])


def test_people_see_the_first_hundred_differences_with_what_was_confirmed_before(full: Warehouse, now: datetime):
    there = crm(0, 0)
    make_push(Run(full, now), there)
    set_points(full, 2, 3)
    many_partners(full, 30)
    records = as_table(plan_of(full, Rules(), portal_url=None)).records
    assert records[0].data == {"account": 12, "field": NPCU, "confirmed": "0", "crm_shows": "", "now": "3"}
    assert records[1].data["confirmed"] == "never"
    assert len(records) == 100
