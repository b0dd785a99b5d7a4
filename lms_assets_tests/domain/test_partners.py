from __future__ import annotations

import pytest

from lms_assets.domain.records.partners import Partner, partner_from_account
from lms_assets.domain.records.values import Rejected
from lms_assets_tests.domain.records import RULES, account


def read(**fields):
    return partner_from_account(account(**fields), RULES, {1: "EMEA"})


def test_an_account_becomes_a_partner_with_every_column_that_the_crm_fills():
    partner = read(
        Account_Owner__cf=" Avery Stone ",
        Account_Owner_Email__cf="Avery@PAM.example.org",
        Partner_Type__cf="Reseller",
        Website="https://larch.example",
        CrmId="0015000000abcDEAAA",
        MailingCountry="Spain",
        RegionId=1,
        ParentAccountId=2,
        PrimaryUserId="3",
    )
    assert partner == Partner(
        account_name="Larch Systems",
        partner_tier="Premier",
        account_status="Active",
        account_region="EMEA",
        country="Spain",
        account_owner="Avery Stone",
        owner_email="avery@pam.example.org",
        primary_user_id=3,
        partner_type="Reseller",
        website="https://larch.example",
        salesforce_id="0015000000abcDEAAA",
        impartner_id=7,
        impartner_parent_id=2,
    )


@pytest.mark.parametrize("tier", RULES.partner_tiers)
def test_partner_tiers_kept(tier):
    assert read(Partner_Tier__cf=f" {tier.upper()} ").partner_tier == tier


@pytest.mark.parametrize("tier", [None, "", "  ", "Pending", "Gold", "Premier Minus"])
def test_a_blank_or_pending_or_unknown_tier_is_left_out(tier):
    assert read(Partner_Tier__cf=tier).kind == "excluded"


@pytest.mark.parametrize("status", ["Inactive", " inactive ", "INACTIVE"])
def test_partners_left_out_by_account_status_inactive(status):
    assert read(Account_Status__cf=status).kind == "excluded"


@pytest.mark.parametrize("status", [None, "", "Active", "On hold", "Not Inactive"])
def test_another_account_status_leaves_nobody_out_and_none_is_active(status):
    assert read(Account_Status__cf=status).account_status == (status or "Active")


@pytest.mark.parametrize("name", ["Nintex", "Nintex Demo Partner", "myNINTEXshop", "ｎｉｎｔｅｘ"])
def test_partners_left_out_by_the_vendors_own_name(name):
    assert read(Name=name).kind == "excluded"


@pytest.mark.parametrize("name", [None, "", "   ", "\x00"])
def test_partners_left_out_without_a_name(name):
    assert read(Name=name).kind == "excluded"


@pytest.mark.parametrize("flags", [{"IsActive": False}, {"IsTest": True}, {"IsActive": "nonsense"}])
def test_flags_that_the_rules_do_not_name_leave_nobody_out(flags):
    assert isinstance(read(**flags), Partner)


@pytest.mark.parametrize(
    "fields",
    [
        {"Id": None}, {"Id": 0}, {"Id": -1}, {"Id": True}, {"Id": "seven"}, {"Id": 2**31}, {"Id": 1.5},
        {"Id": "9" * 30}, {"Name": 5}, {"Name": []}, {"Name": "x" * 256}, {"Partner_Tier__cf": 1},
        {"Account_Status__cf": {}},
    ],
)  # fmt: skip
def test_what_identifies_or_decides_must_be_readable_or_the_record_is_bad(fields):
    answer = read(**fields)
    assert isinstance(answer, Rejected)
    assert answer.kind == "bad"
    assert next(iter(fields)) in answer.reason


def test_an_id_may_be_text_of_digits():
    assert read(Id=" 12 ").impartner_id == 12
    assert read(Id=12.0).impartner_id == 12


def test_what_decides_nothing_may_be_broken_without_losing_the_partner():
    partner = read(
        Account_Owner_Email__cf="nobody",
        RegionId=[],
        MailingCountry={},
        PrimaryUserId="x",
        Website="h" * 600,
        CrmId="0" * 51,
        ParentAccountId=False,
        Account_Owner__cf="A\x00B\ud800",
    )
    assert (partner.owner_email, partner.account_region, partner.country) == (None, None, None)
    assert (partner.primary_user_id, partner.salesforce_id, partner.impartner_parent_id) == (None, None, None)
    assert len(partner.website) == 500
    assert partner.account_owner == "A B\ufffd"


def test_names_keep_apostrophes_emoji_and_other_scripts():
    for name in ("O'Larch 🚀", "株式会社さくら", "<script>alert(1)</script> & Söhne", "=cmd"):
        assert read(Name=name).account_name == name
