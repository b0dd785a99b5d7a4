"""What of a reviewed offboarding plan is sent: nothing that nobody reviewed, and no more than the day allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.safety.offboarding import (
    NO_MEMBER,
    Plan,
    PlanItem,
    PlanRefused,
    Removal,
    due_removals,
    refuse_changed,
    require_reviewed,
    without_changed,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
REVIEWED = Plan(7, NOW - DAY, "reviewed", "reviewer", NOW)


def an_item(number: int, group: str = "g1", status: str = "planned", sent_at: datetime | None = None) -> PlanItem:
    return PlanItem(number, Removal(group, f"person {number}", 1, "partner 1 is inactive"), status, sent_at)


def due(*items: PlanItem, limit: int = 100, sent: int = 0) -> list[list[int]]:
    found = due_removals(items, everybody={"all"}, limit=limit, sent=sent, now=NOW)
    return [[item.id for item in batch] for batch in found.batches]


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (None, "There is no offboarding plan 7"),
        (replace(REVIEWED, status="proposed"), "only one that somebody has reviewed"),
        (replace(REVIEWED, status="applied"), "only one that somebody has reviewed"),
        (replace(REVIEWED, reviewed_by=None), "only one that somebody has reviewed"),
        (replace(REVIEWED, created_at=NOW - DAY - SECOND), "more than a day old"),
    ],
)
def test_a_plan_that_nobody_reviewed_or_that_is_old_is_refused(plan: Plan | None, why: str):
    with pytest.raises(PlanRefused, match=why):
        require_reviewed(plan, 7, NOW)
    assert require_reviewed(REVIEWED, 7, NOW) is REVIEWED
    assert require_reviewed(replace(REVIEWED, status="applying"), 7, NOW).status == "applying"


def test_a_plan_of_which_one_open_removal_is_none_today_is_refused_whole():
    items = [an_item(1), an_item(2), an_item(3, status="removed")]
    refuse_changed(7, items, {items[0].removal, items[1].removal})
    with pytest.raises(PlanRefused, match=r"The facts of 1 removal of plan 7 .*person 2 in g1.* Nothing was sent"):
        refuse_changed(7, items, {items[0].removal})
    other_reason = replace(items[1].removal, reason="contact 5 is inactive")
    with pytest.raises(PlanRefused):
        refuse_changed(7, items, {items[0].removal, other_reason})


def test_no_more_is_sent_than_the_day_still_allows():
    items = [an_item(number) for number in range(5)]
    assert due(*items, limit=3) == [[0, 1, 2]]
    assert due(*items, limit=3, sent=2) == [[0]]
    assert due(*items, limit=3, sent=4) == []
    assert due_removals(items, everybody=(), limit=3, sent=0, now=NOW).waiting == 5


def test_what_was_interrupted_within_a_day_goes_on_and_was_counted_when_it_was_sent():
    begun = an_item(1, status="sent", sent_at=NOW - DAY)
    earlier = an_item(2, status="failed", sent_at=NOW - DAY - SECOND)
    assert due(an_item(0), begun, earlier, limit=1, sent=1) == [[1]]
    assert due(an_item(0), begun, earlier, limit=2, sent=1) == [[0, 1]]


def test_the_group_of_everybody_comes_first_and_a_call_is_of_one_group():
    items = [
        *(an_item(number) for number in range(52)),
        an_item(60, "all"),
        an_item(61, "g0"),
        an_item(62, status="removed"),
    ]
    assert due(*items) == [[60], [61], list(range(50)), [50, 51]]


def test_what_has_changed_is_dropped_unless_an_interrupted_call_took_the_person_out():
    begun, gone_alone, active = (
        an_item(1, status="sent", sent_at=NOW),
        an_item(2),
        an_item(3, status="sent", sent_at=NOW),
    )
    rest = an_item(4)
    changed = {begun: NO_MEMBER, gone_alone: NO_MEMBER, active: "partner 1 is active in the CRM now"}
    batch = without_changed([begun, gone_alone, active, rest], changed)
    assert (batch.send, batch.gone) == ((rest,), (begun,))
    assert batch.dropped == {gone_alone: NO_MEMBER, active: "partner 1 is active in the CRM now"}
