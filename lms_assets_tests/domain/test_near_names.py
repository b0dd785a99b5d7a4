"""Links between groups and partners at their exact bounds, and what is shown of those that came into question."""

from __future__ import annotations

import pytest

from lms_assets.domain.linking.group_links import (
    GroupLink,
    LinkablePartner,
    dangling_overrides,
    link_groups,
    naming_groups,
)
from lms_assets.domain.records.groups import LmsGroup
from lms_assets.domain.rules import Rules
from lms_assets_tests.domain.records import RULES

NAME = "larchwood consulting international partners agency"  # 50 letters: each that is another one costs 2 points
ONE_OFF = "larchwood consulxing international partners agency"
TWO_OFF = "larchwood consulxing international partxers agency"


def group(name, group_id="g", users=1):
    return LmsGroup(group_id, name, None, users)


def link(name, *partner_names, inactive=(), overrides=None, **rules):
    partners = [LinkablePartner(index + 1, each, each not in inactive) for index, each in enumerate(partner_names)]
    return link_groups([group(name)], partners, overrides or {}, Rules(**rules))[0]


def test_a_score_of_exactly_the_threshold_is_enough():
    assert link(NAME, ONE_OFF, fuzzy_threshold=98.0) == GroupLink("g", 1, "fuzzy", 98.0, ((1, 98.0),))
    assert link(NAME, ONE_OFF, fuzzy_threshold=98.01) == GroupLink("g", None, "none", 98.0, ((1, 98.0),))


def test_another_name_exactly_the_margin_below_is_no_rival():
    assert link(NAME, ONE_OFF, TWO_OFF, fuzzy_margin=2.0).partner_id == 1
    assert link(NAME, ONE_OFF, TWO_OFF, fuzzy_margin=2.01).method == "ambiguous"


@pytest.mark.parametrize("names", [(ONE_OFF, TWO_OFF), (TWO_OFF, ONE_OFF)])
def test_of_near_names_the_nearest_is_linked_and_first_in_any_order_of_partners(names):
    found = link(NAME, *names, fuzzy_margin=1.0)
    best = names.index(ONE_OFF) + 1
    assert (found.partner_id, found.candidates) == (best, ((best, 98.0), (3 - best, 96.0)))


def test_no_margin_is_too_wide():
    assert link(NAME, ONE_OFF, "zzz", fuzzy_margin=100.0).method == "ambiguous"


@pytest.mark.parametrize(
    ("name", "partner", "partner_id"),
    [
        # Words of four letters and words that are 85 alike (17 of 20 letters) may be slips of the pen.
        ("Elma International Partners", "Elmaa International Partners", 1),
        ("Elm International Partners", "Elmm International Partners", None),
        ("Abcdefghijklmnopqrst Systems International", "Abcdefghijklmnopquvw Systems International", 1),
        ("Abcdefghijklmnopqrst Systems International", "Abcdefghijklmnopuvwx Systems International", None),
        ("C# Experts", "C Experts", None),
    ],
)
def test_how_much_of_a_word_may_be_a_slip_of_the_pen(name, partner, partner_id):
    assert link(name, partner, fuzzy_threshold=80.0).partner_id == partner_id


@pytest.mark.parametrize(
    ("names", "inactive", "method"),
    [
        (("Larch Systems Austria", "Larch Systems Australia"), (), "none"),
        (("Contosso Technologies", "Contoso Technologies"), ("Contoso Technologies",), "none"),
        (("Contossso Technologies", "Contoso Technologies", "Contosso Technologiess"), (), "ambiguous"),
    ],
)
def test_a_group_that_is_nobodys_shows_the_score_of_its_best_candidate_to_two_places(names, inactive, method):
    found = link(*names, inactive=inactive)
    assert (found.partner_id, found.method) == (None, method)
    assert found.score == found.candidates[0][1] == round(found.score, 2) != round(found.score)


def test_of_partners_with_an_equal_name_the_one_spelled_so_gets_the_group():
    assert link("larch systems", "Larch-Systems", "Larch Systems").partner_id == 2
    assert link("larch-systems", "Larch-Systems", "Larch Systems").partner_id == 1


def test_partners_with_an_equal_name_are_all_shown_up_to_five():
    two = link("Larch", "Larch Inc", "Larch GmbH")
    assert two == GroupLink("g", None, "ambiguous", 100.0, ((1, 100.0), (2, 100.0)))
    many = [f"Larch {form}" for form in ("Inc", "GmbH", "Ltd", "LLC", "SA", "AG")]
    assert [partner_id for partner_id, _ in link("Larch", *many).candidates] == [1, 2, 3, 4, 5]


def test_a_link_by_hand_is_certain():
    assert link("Larch", "Birch", overrides={"g": 1}) == GroupLink("g", 1, "override", 100.0)
    assert link("Larch", "Birch", overrides={"g": 9}) == GroupLink("g", None, "override", 100.0)


def test_an_override_to_a_partner_or_to_nobody_points_to_something():
    groups, partners = [group("Larch"), group("Birch", "h")], [LinkablePartner(1, "Larch", is_active=False)]
    assert dangling_overrides(groups, partners, {"g": 1, "h": None}, RULES) == ()


def naming(*methods_and_users):
    """Which of several groups of partner 1 names it; each is (method, users)."""
    groups = [group("x", f"g{place}", users) for place, (_, users) in enumerate(methods_and_users)]
    links = [GroupLink(each.id, 1, method) for each, (method, _) in zip(groups, methods_and_users, strict=True)]
    return naming_groups(links, groups)[1].id


@pytest.mark.parametrize(
    ("candidates", "named_by"),
    [
        ((("fuzzy", 9), ("override", 5), ("exact", 1)), "g2"),
        ((("fuzzy", 9), ("override", 5)), "g1"),
        ((("exact", 1), ("override", 5)), "g0"),
        ((("exact", None), ("exact", 1)), "g1"),
        ((("exact", 0), ("exact", None)), "g0"),
        ((("exact", 3), ("exact", 3)), "g0"),
    ],
)
def test_an_exact_link_names_the_partner_then_one_by_hand_then_the_largest(candidates, named_by):
    assert naming(*candidates) == named_by


def test_nobodys_groups_and_those_that_are_not_there_name_nobody():
    links = [GroupLink("g", None, "none"), GroupLink("gone", 2, "exact"), GroupLink("h", 1, "exact")]
    groups = [group("x"), group("y", "h")]
    assert naming_groups(links, groups) == {1: groups[1]}
