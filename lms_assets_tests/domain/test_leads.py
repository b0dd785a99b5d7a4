from __future__ import annotations

import pytest

from lms_assets.domain.records.leads import CONVERTED, WITHOUT_PARTNER, lead_from_record, plan_leads, status_name_of


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
def test_leads_that_were_read_as_over_go_whatever_was_listed(full):
    plan = plan_leads([read(), read(Id=6, IsConverted=True), read(Id=8, IsConverted=True)], [5, 6], [], full=full)
    assert [each.impartner_id for each in plan.rows] == [5]
    assert plan.over == {6}


def test_only_a_listing_of_everything_says_who_is_missing():
    assert plan_leads([read()], [5, 6, 9], ["9"], full=True).missing == {6}
    assert plan_leads([read()], [5, 6, 9], ["9"], full=False).missing == set()
