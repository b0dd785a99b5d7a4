from __future__ import annotations

import pytest

from lms_assets.domain.records.leads import CONVERTED, WITHOUT_PARTNER, lead_from_record, status_name_of
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import Answers, Doubt, ListingResult
from lms_assets.domain.sync_plans.leads import doubtful_leads, plan_leads


def read(**fields):
    return lead_from_record({"Id": 5, "PartnerAccountId": 7, "StatusId": 2} | fields, {2: "Open"})


@pytest.mark.parametrize(
    ("fields", "over"),
    [
        ({}, None),
        ({"IsConverted": False}, None),
        ({"IsConverted": True}, CONVERTED),
        ({"PartnerAccountId": None}, WITHOUT_PARTNER),
        ({"PartnerAccountId": 0}, WITHOUT_PARTNER),
        ({"IsConverted": True, "PartnerAccountId": None}, CONVERTED),
    ],
)
def test_a_lead_is_over_when_it_is_converted_or_nobodys(fields, over):
    assert read(**fields).over == over


@pytest.mark.parametrize("fields", [{"Id": 0}, {"PartnerAccountId": "seven"}, {"IsConverted": "maybe"}])
def test_a_field_that_decides_and_cannot_be_read_makes_the_record_bad(fields):
    assert read(**fields).kind == "bad"


def test_a_status_is_stored_by_the_name_it_has_in_the_crm():
    assert (read().lead.status_name, read(StatusId=3).lead.status_name) == ("Open", None)
    assert lead_from_record({"Id": 5}, {1: "New"}).lead.status_name is None
    assert status_name_of("x" * 150) == "x" * 100


@pytest.mark.parametrize("full", [True, False])
def test_leads_that_were_read_as_over_go_once_they_say_so_again(full):
    over = read(Id=6, IsConverted=True)
    listing = ListingResult((read(), over, read(Id=8, IsConverted=True)))
    doubts = doubtful_leads(listing, [5, 6], [], full=full)
    assert (doubts[Doubt.OVER], doubts[Doubt.ABSENT]) == ([6], [])
    plan = plan_leads(listing, {Doubt.OVER: Answers(frozenset([6]), {6: over})})
    assert ([each.impartner_id for each in plan.rows], plan.leaving) == ([5], {6})


def test_only_a_complete_listing_of_everything_says_who_is_missing():
    bad = (Rejected("bad", "lead", "9", "why"),)
    listing = ListingResult((read(),), bad)
    assert doubtful_leads(listing, [5, 6, 9], [], full=True)[Doubt.ABSENT] == [6]
    assert doubtful_leads(listing, [5, 6, 9], [], full=False)[Doubt.ABSENT] == []
    assert doubtful_leads(listing.incomplete("drifted"), [5, 6, 9], [], full=True)[Doubt.ABSENT] == []


def test_an_answer_that_contradicts_the_listing_makes_earlier_deletions_doubtful():
    """The vendor's log calls 6 deleted; 7 seemed to be over and is not."""
    answers = {
        Doubt.DELETED: Answers(frozenset([6])),
        Doubt.OVER: Answers(frozenset([7]), {7: read(Id=7)}),
    }
    plan = plan_leads(ListingResult(), answers)
    assert (plan.leaving, plan.listing.complete) == (set(), False)
