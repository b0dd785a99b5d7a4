from __future__ import annotations

import copy
import pickle
import tomllib

import pytest

from lms_assets.domain.checked_values import WrongValues
from lms_assets.domain.rules import CategoryRule, Rules


def rules_of(text: str) -> Rules:
    return Rules.from_mapping(tomllib.loads(text))


def test_the_defaults_are_those_of_the_domain_rules():
    rules = Rules()
    assert rules.partner_tiers == ("Premier", "Premier Plus", "Select", "Certified", "Registered", "Aggregator")
    assert rules.excluded_email_domains == ("nintex.com", "bill.com", "safalo.com", "crestan.com")
    assert " ".join(rules.excluded_local_part_words) == "demo sales support accounts test renewals finance payable"
    assert rules.certification_months == 24
    assert (rules.mass_deactivation_share, rules.mass_deactivation_minimum) == (0.05, 10)
    assert len(rules.category_rules) == 16
    assert set(rules.crm_count_fields) == {"nintex_ce", "nintex_k2", "nintex_salesforce", "go_to_market"}


def test_no_text_leaves_the_defaults():
    assert rules_of("") == Rules()


def test_every_kind_of_value_can_be_set():
    rules = rules_of(
        """
        partner_tiers = ["Gold", " Silver "]
        fuzzy_threshold = 95
        certification_months = 12
        crm_total_field = "Points__cf"
        [crm_count_fields]
        basics = "Basics__cf"
        [[category_rules]]
        category = "basics"
        pattern = "Intro"
        priority = 5
        """
    )
    assert rules.partner_tiers == ("Gold", "Silver")
    assert rules.fuzzy_threshold == 95.0
    assert rules.category_rules == (CategoryRule("basics", "Intro", 5),)
    assert rules.crm_fields == ("Basics__cf", "Points__cf", "LMS_Group_Name__cf", "LMS_Training_Dashboard__cf")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("partner_tires = []", "partner_tires"),
        ("partner_tiers = 'Gold'", "partner_tiers"),
        ("partner_tiers = ['Gold', 3]", r"partner_tiers\[1\]"),
        ("partner_tiers = []", "partner_tiers"),
        ("excluded_email_domains = ['']", "excluded_email_domains"),
        ("certification_months = 0", "certification_months"),
        ("certification_months = true", "certification_months"),
        ("certification_months = 24.0", "certification_months"),
        ("mass_deactivation_share = 5", "mass_deactivation_share"),
        ("mass_deactivation_minimum = -1", "mass_deactivation_minimum"),
        ("fuzzy_threshold = nan", "fuzzy_threshold"),
        ("fuzzy_threshold = 20", "fuzzy_threshold"),
        ("crm_total_field = ''", "crm_total_field"),
        ("crm_count_fields = {}", "crm_count_fields"),
        ("crm_count_fields = 'Points__cf'", "crm_count_fields"),
        ("crm_count_fields = {a = 1}", r"crm_count_fields\.a"),
        ("category_rules = [{category = 'a', pattern = 'b'}]", r"category_rules\[0\]"),
        ("category_rules = [{category = 'a', pattern = '', priority = 1}]", r"category_rules\[0\]\.pattern"),
        ("dashboard_path = 'partners'", "dashboard_path"),
        ("dashboard_path = '{partner_id}?x={y}'", "dashboard_path"),
        ("crm_drift = 'hide'", "crm_drift must be 'resend' or 'report'"),
        ("category_rules = [{category = 'a', pattern = 'b', priority = 1, more = 1}]", r"category_rules\[0\]\.more"),
    ],
)
def test_a_wrong_rule_is_named(text, named):
    with pytest.raises(ValueError, match=named):
        rules_of(text)


def test_every_mistake_is_named_at_once():
    with pytest.raises(WrongValues) as caught:
        rules_of("certification_months = 0\nfuzzy_threshold = 'high'\npartner_tires = []\npartner_tiers = [1, ' ']")
    assert caught.value.problems == [
        "certification_months must be 1 to 1200, not 0",
        "fuzzy_threshold must be a number",
        "unknown key 'partner_tires'; did you mean 'partner_tiers'?",
        "partner_tiers[0] must be text that is not blank",
        "partner_tiers[1] must be text that is not blank",
    ]


def test_the_path_of_a_dashboard_may_say_how_the_number_is_written():
    assert Rules(dashboard_path="partners/{partner_id:06d}").dashboard_path.format(partner_id=7) == "partners/000007"


def test_rules_can_be_handed_to_another_process():
    rules = Rules()
    assert pickle.loads(pickle.dumps(rules)) == rules == copy.deepcopy(rules)
