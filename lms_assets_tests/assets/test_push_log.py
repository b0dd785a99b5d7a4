"""The log of everything that was sent to the CRM: nothing that left is ever missing from it, whatever happens then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.domain.rules import Rules
from lms_assets.vendors.impartner.writes import PatchResult
from lms_assets.vendors.transport.errors import AuthenticationFailed, VendorUnavailable
from lms_assets.warehouse.bookkeeping.push_log import LoggedField, push_history
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.state.cleanup import remove_old_logs
from lms_assets.warehouse.state.pushed_values import crm_drift, remember_shown
from lms_assets_tests.assets.push_parts import Crm, Made, Run, make_push

NPCU, GROUP, K2 = "Total_NPCU__cf", "LMS_Group_Name__cf", "Nintex_K2_Certifications__cf"
HOUR = timedelta(hours=1)


@pytest.fixture
def two(warehouse: Warehouse, now: datetime) -> Warehouse:
    """Partners 1 and 2 of accounts 11 and 12, with 5 and 3 points; all that counts rest on was read."""
    rows = [
        {"id": 1, "account_name": "Larch", "impartner_id": 11, "is_active": True, "total_npcu": 5},
        {"id": 2, "account_name": "Beech", "impartner_id": 12, "is_active": True, "total_npcu": 3},
    ]
    group = {"id": "g1", "name": "ptr_Larch", "partner_id": 1, "link_method": "exact", "is_active": True}
    log = {"status": "completed", "started_at": now, "details": {"listing_complete": True}}
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partners), rows)
        connection.execute(insert(t.lms_groups).values(**group, members_synced_at=now))
        connection.execute(
            insert(t.sync_logs), [{**log, "sync_type": each} for each in ("groups", "impartner_contacts", "users")]
        )
    return warehouse


def push(warehouse: Warehouse, crm: Crm, now: datetime, *, rules: Rules | None = None, only: int | None = None) -> Made:
    run = Run(warehouse, now, run_id=f"run of {now:%H:%M}", rules=rules or Rules())
    return make_push(run, crm, only=only, compare=False)


def history(warehouse: Warehouse, partner_id: int = 1) -> list[LoggedField]:
    with warehouse.read() as connection:
        return push_history(connection, partner_id, 10 + partner_id)


def listed(warehouse: Warehouse, shown: Mapping[int, Mapping[str, Any]], at: datetime) -> None:
    """As the nightly listing of accounts notes it."""
    with warehouse.transaction() as connection:
        remember_shown(connection, shown, at=at)


def set_points(warehouse: Warehouse, partner_id: int, points: int) -> None:
    with warehouse.transaction() as connection:
        connection.execute(update(t.partners).where(t.partners.c.id == partner_id).values(total_npcu=points))


def test_every_field_sent_is_there_with_the_value_known_before_and_the_outcome(two: Warehouse, now: datetime):
    crm = Crm()
    push(two, crm, now)
    first = {each.field: each for each in history(two)}
    assert set(first) == {*Rules().crm_count_fields.values(), NPCU, GROUP}
    npcu = first[NPCU]
    assert (npcu.partner_id, npcu.impartner_id, npcu.run_id, npcu.sent_at) == (1, 11, "run of 02:00", now)
    assert (npcu.last_confirmed, npcu.crm_showed, npcu.sent, npcu.read_back) == (None, None, "5", "5")
    assert (npcu.outcome, npcu.answer_code, npcu.answer, npcu.attempt) == ("confirmed", None, None, 1)

    listed(two, {11: {NPCU: 5.0}}, now + HOUR)
    set_points(two, 1, 6)
    push(two, crm, now + 2 * HOUR)
    (newest, *older) = history(two)
    assert (newest.field, newest.last_confirmed, newest.crm_showed, newest.sent) == (NPCU, "5", "5", "6")
    assert older == [first[each.field] for each in older], "what stood there before is as it was"


def test_a_refusal_is_there_with_its_code_and_the_attempts_are_counted(two: Warehouse, now: datetime):
    crm = Crm(refusing={11: "a rule of ada@example.com refuses"}, codes={11: "ValidationFailed"})
    for hour in range(2):
        push(two, crm, now + hour * HOUR)
    crm.refusing, crm.deaf = {}, {11}
    push(two, crm, now + 2 * HOUR)
    crm.deaf = set()
    push(two, crm, now + 3 * HOUR)
    of_points = [each for each in history(two) if each.field == NPCU]
    assert [(each.outcome, each.attempt) for each in of_points] == [
        ("confirmed", 4), ("differs", 3), ("refused", 2), ("refused", 1),
    ]  # fmt: skip
    assert (of_points[-1].answer_code, of_points[-1].answer) == ("ValidationFailed", "a rule of <e-mail> refuses")
    assert (of_points[1].read_back, of_points[0].read_back) == (None, "5")
    set_points(two, 1, 9)
    push(two, crm, now + 4 * HOUR)
    assert history(two)[0].attempt == 1, "the last one was confirmed"


def test_no_row_of_the_log_is_ever_changed(two: Warehouse, now: datetime):
    """What stands there while the call is under way stands there for ever; the answer is another row."""

    def rows() -> list[list[tuple[Any, ...]]]:
        with two.read() as connection:
            tables = t.partner_push_log, t.partner_push_answers
            return [[tuple(row) for row in connection.execute(each.select().order_by(each.c.id))] for each in tables]

    class Looking(Crm):
        def patch_accounts(self, each: Sequence[Mapping[str, Any]], *, same: Any) -> list[PatchResult]:
            under_way.extend(rows())
            return super().patch_accounts(each, same=same)

    under_way: list[list[tuple[Any, ...]]] = []
    push(two, crm := Looking(), now)
    sent, answers = rows()
    assert (under_way, len(answers)) == ([sent, []], len(sent) > 0 and len(sent))
    set_points(two, 1, 6)
    push(two, crm, now + HOUR)
    assert [each[: len(sent)] for each in rows()] == [sent, answers]


def test_a_run_that_dies_between_sending_and_answer_loses_nothing_of_what_it_sent(two: Warehouse, now: datetime):
    class Dying(Crm):
        def patch_accounts(self, rows: Sequence[Mapping[str, Any]], *, same: Any) -> list[PatchResult]:
            super().patch_accounts(rows, same=same)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(two, Dying(), now)
    (npcu,) = [each for each in history(two) if each.field == NPCU]
    assert (npcu.sent, npcu.outcome, npcu.answered_at) == ("5", None, None)
    push(two, Crm(), now + HOUR)
    again, first = [each for each in history(two) if each.field == NPCU]
    assert (again.outcome, again.attempt, first) == ("confirmed", 2, npcu)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VendorUnavailable("Impartner", "PATCH /Account", None, "no answer", "Run again."), "VendorUnavailable"),
        (AuthenticationFailed("Impartner", "PATCH /Account", 401, "the key is refused", "Check the key."), "HTTP 401"),
    ],
)
def test_what_the_vendor_said_to_the_whole_call_is_the_answer_to_each_of_its_fields(
    two: Warehouse, now: datetime, error: Any, code: str
):
    crm = Crm(down=error)
    if error.stops_everything:
        with pytest.raises(AuthenticationFailed):
            push(two, crm, now)
    else:
        push(two, crm, now)
    assert {(each.outcome, each.answer_code) for each in history(two)} == {("refused", code)}
    assert error.problem in str(history(two)[0].answer)


def test_one_partner_can_be_sent_again_whole_and_nobody_else(two: Warehouse, now: datetime):
    crm = Crm()
    push(two, crm, now)
    set_points(two, 2, 9)
    made = push(two, crm, now + HOUR, only=1)
    assert crm.calls == [[11, 12], [11]]
    assert made.pushed.confirmed == {11}
    fields = {each.field for each in history(two) if each.sent_at == now + HOUR}
    assert fields == {*Rules().crm_count_fields.values(), NPCU, GROUP}


def test_a_partner_that_is_withheld_is_not_sent_by_anybody(two: Warehouse, now: datetime):
    with two.transaction() as connection:
        connection.execute(update(t.partners).where(t.partners.c.id == 1).values(identity_changed_at=now + HOUR))
    made = push(two, crm := Crm(), now + HOUR, only=1)
    assert (crm.calls, made.plan.items, list(made.plan.facts.withheld)) == ([], (), [1])


def test_what_somebody_changed_in_the_crm_is_sent_again(two: Warehouse, now: datetime):
    crm = Crm()
    push(two, crm, now)
    crm.accounts[11][NPCU] = 50
    listed(two, {11: {NPCU: 50.0, GROUP: "ptr_Larch"}, 12: {NPCU: "3"}}, now + HOUR)
    with two.read() as connection:
        (drift,) = crm_drift(connection)
    assert (drift.impartner_id, drift.field, drift.ours, drift.theirs, drift.since) == (11, NPCU, 5, 50.0, now + HOUR)

    push(two, crm, now + 2 * HOUR)
    assert (crm.calls[-1], crm.accounts[11][NPCU]) == ([11], 5)
    newest = history(two)[0]
    assert (newest.field, newest.last_confirmed, newest.crm_showed, newest.sent) == (NPCU, "5", "50", "5")
    with two.read() as connection:
        assert crm_drift(connection) == [], "it was pushed after it was listed"
    listed(two, {11: {NPCU: 5.0}}, now + 3 * HOUR)
    assert plan_of(two, Rules(), portal_url=None).items == ()


def test_a_group_name_that_we_cleared_and_somebody_filled_is_cleared_again(two: Warehouse, now: datetime):
    crm = Crm()
    push(two, crm, now)
    with two.transaction() as connection:
        connection.execute(update(t.lms_groups).values(is_active=False))
    push(two, crm, now + HOUR)
    assert crm.accounts[11][GROUP] == ""
    listed(two, {11: {GROUP: "by hand"}}, now + 2 * HOUR)
    push(two, crm, now + 3 * HOUR)
    assert crm.accounts[11][GROUP] == ""


def test_with_report_it_is_only_told_and_keeps_its_first_time(two: Warehouse, now: datetime):
    rules = Rules(crm_drift="report")
    crm = Crm()
    push(two, crm, now, rules=rules)
    for hour, points in ((1, 50), (2, 51)):
        listed(two, {11: {NPCU: points}}, now + hour * HOUR)
        assert plan_of(two, rules, portal_url=None).items == ()
    with two.read() as connection:
        (drift,) = crm_drift(connection)
    assert (drift.theirs, drift.since) == (51, now + HOUR)
    set_points(two, 1, 6)
    push(two, crm, now + 3 * HOUR, rules=rules)
    assert crm.accounts[11][NPCU] == 6, "what changed on our side is sent anyway"


@pytest.mark.parametrize("hours", [-1, 0])
def test_a_listing_from_before_the_push_says_nothing_about_it(two: Warehouse, now: datetime, hours: int):
    push(two, Crm(), now)
    listed(two, {11: {NPCU: 1}}, now + hours * HOUR)
    with two.read() as connection:
        assert crm_drift(connection) == []


def test_what_was_sent_and_never_answered_is_no_drift(two: Warehouse, now: datetime):
    crm = Crm()
    push(two, crm, now)
    crm.down = VendorUnavailable("Impartner", "PATCH /Account", None, "no answer", "Run again.")
    set_points(two, 1, 8)
    push(two, crm, now + HOUR)
    listed(two, {11: {NPCU: 8}}, now + 2 * HOUR)
    with two.read() as connection:
        assert crm_drift(connection) == []
    planned = plan_of(two, Rules(), portal_url=None)
    assert (planned.unfinished, [item.impartner_id for item in planned.items]) == ({11}, [11])


def test_what_was_sent_is_kept_for_400_days(two: Warehouse, now: datetime):
    push(two, Crm(), now)
    set_points(two, 1, 8)
    push(two, Crm(), now + HOUR)
    later = now + timedelta(days=400)
    for at, gone in ((later, 0), (later + HOUR, 11)):
        with two.transaction() as connection:
            assert remove_old_logs(connection, before=at - timedelta(days=30), now=at)["partner_push_log"] == gone
    assert [each.sent for each in history(two)] == ["8"]
