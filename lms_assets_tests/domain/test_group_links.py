from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lms_assets.domain.linking.group_links import (
    GroupLink,
    LinkablePartner,
    dangling_overrides,
    key_of,
    link_groups,
    lost_links,
    naming_groups,
    normalise_name,
)
from lms_assets.domain.records.groups import LmsGroup
from lms_assets_tests.domain.records import RULES


def group(name, group_id="g", users=1):
    return LmsGroup(group_id, name, None, users)


def link(name, *partner_names, overrides=None, inactive=()):
    partners = [LinkablePartner(index + 1, each, each not in inactive) for index, each in enumerate(partner_names)]
    return link_groups([group(name)], partners, overrides or {}, RULES)[0]


@pytest.mark.parametrize(
    ("group_name", "partner_name"),
    [
        ("LARCH SYSTEMS", "Larch Systems"),
        ("ptr_Larch Systems", "Larch Systems"),
        ("PTR_ larch   systems ", "Larch Systems"),
        ("Larch-Systems", "Larch Systems, Inc."),
        ("LarchSystems", "Larch Systems LLC"),
        ("ptr_Larch", "Larch GmbH & Co. KG"),
        ("Larch Co., Ltd.", "Larch"),
        ("Larch S.A.", "Larch SA"),
        ("Larch S. A.", "LARCH s.a."),
        ("Larch Sp. z o.o.", "Larch"),
        ("Larch S.A. de C.V.", "Larch"),
        ("Société Élan", "Societe Elan SARL"),
        ("Lárch Tečh", "Larch Tech"),
        ("Łąka", "Laka sp. z o.o."),
        ("İstanbul Yazılım A.Ş.", "ISTANBUL YAZILIM"),
        ("ΑΚΡΟΠΟΛΗ", "Ακρόπολη Α.Ε."),
        ("ООО Кедр", "Кедр"),
        ("КЕДР, ООО", "Кедр"),
        ("株式会社さくら", "さくら"),
        ("さくら（株）", "さくら株式会社"),
        ("㈱さくら", "さくら"),
        ("ﾃｽﾗ", "テスラ"),
        ("북두칠성 주식회사", "(주)북두칠성"),
        ("O'Larch", "OLarch Ltd"),
        ("Limited", "limited"),
    ],
)
def test_names_equal_after_normalising_are_linked_exactly(group_name, partner_name):
    found = link(group_name, "Elsewhere", partner_name)
    assert (found.partner_id, found.method, found.score) == (2, "exact", 100.0)


@pytest.mark.parametrize(
    ("group_name", "partner_name"),
    [
        ("Larch North", "Larch South"),
        ("Larch US", "Larch UK"),
        ("Larch Systems Austria", "Larch Systems Australia"),
        ("Larch 1", "Larch 2"),
        ("Larch 2024", "Larch 2025"),
        ("Area 5 1", "Area 51"),
        ("Larch Consulting", "Larch"),
        ("Larch Systems Eastern Region", "Larch Systems Western Region"),
        ("Brillion Systems", "Trillion Systems"),
        ("Hooly Systems", "Hooli Systems"),
        ("ばば", "パパ"),
        ("कमल", "कमला"),
        ("上海华东软件技术发展有限公司", "上海华南软件技术发展有限公司"),
        ("北京软件", "背景软件"),
        ("C++ Experts", "C# Experts"),
        ("Limited", "Inc"),
        ("🚀", "🌲"),
        ("Test Larch Systems International Group", "Larch Systems International Group"),
    ],
)
def test_near_twins_are_not_linked(group_name, partner_name):
    found = link(group_name, partner_name)
    assert found.partner_id is None


@pytest.mark.parametrize(
    ("group_name", "partner_name"),
    [
        ("Contosso Technologies", "Contoso Technologies"),
        ("Umbrela Corporation Services", "Umbrella Corporation Services"),
        ("Mueller Systems", "Müller Systems"),
        ("Systems Larchwood", "Larchwood Systems"),
        ("Larch & Birch Partners", "Larch and Birch Partners"),
        ("Romashka Konsalt", "Ромашка Консалт"),
        ("Sakura", "さくら株式会社"),
    ],
)
def test_a_slip_of_the_pen_or_another_script_is_linked_as_fuzzy_with_its_score(group_name, partner_name):
    found = link(group_name, "Elsewhere", partner_name)
    assert (found.partner_id, found.method) == (2, "fuzzy")
    assert RULES.fuzzy_threshold <= found.score <= 100
    assert found.candidates[0] == (2, found.score)


def test_a_fuzzy_match_is_no_link_when_another_name_comes_within_the_margin():
    found = link("Contossso Technologies", "Contoso Technologies", "Contosso Technologiess")
    assert (found.partner_id, found.method) == (None, "ambiguous")
    assert {partner_id for partner_id, _ in found.candidates} == {1, 2}


def test_a_partner_that_became_inactive_keeps_its_group_from_going_to_a_lookalike():
    assert link("Contoso Services", "Contoso Service").method == "fuzzy"
    assert (
        link("Contoso Services", "Contoso Service", "Contoso Services", inactive=["Contoso Services"]).partner_id == 2
    )
    assert link("Contosso Services", "Contoso Services", inactive=["Contoso Services"]).partner_id is None


def test_equal_names_are_decided_by_the_legal_form_and_else_not_at_all():
    assert link("ptr_Larch GmbH", "Larch Inc", "LARCH GMBH").partner_id == 2
    found = link("Larch", "Larch Inc", "Larch GmbH")
    assert (found.partner_id, found.method) == (None, "ambiguous")
    assert link("Larch", "Larch Inc", "Larch GmbH", inactive=["Larch GmbH"]).partner_id == 1


def test_a_link_set_by_hand_always_wins():
    assert link("Larch", "Larch", "Birch", overrides={"g": 2}).partner_id == 2
    nobody = link("Larch", "Larch", overrides={"g": None})
    assert (nobody.partner_id, nobody.method) == (None, "override")


def test_an_override_that_points_to_nothing_links_nothing_and_shows():
    partners = [LinkablePartner(1, "Larch")]
    overrides = {"g": 99, "gone": 1, "all": 1}
    groups = [group("Larch"), group("All Partners", "all")]
    assert link("Larch", "Larch", overrides=overrides).partner_id is None
    assert [each.entity_id for each in dangling_overrides(groups, partners, overrides, RULES)] == ["all", "g", "gone"]


def test_all_partners_is_nobodys_even_when_a_partner_is_called_so():
    assert link("All Partners", "All Partners", overrides={"g": 1}).partner_id is None


def test_several_groups_may_be_one_partners_and_the_exact_largest_one_names_it():
    groups = [
        group("Larch Technologie", "a", 90),
        group("Larch Technologies", "b", 2),
        group("ptr_LarchTechnologies", "c", 5),
    ]
    links = link_groups(groups, [LinkablePartner(1, "Larch Technologies")], {}, RULES)
    assert [(each.partner_id, each.method) for each in links] == [(1, "fuzzy"), (1, "exact"), (1, "exact")]
    assert naming_groups(links, groups)[1].id == "c"


LATIN = ("Larch", "Birch", "Systems", "Sys-tems", "Inc", "Ltd.", "GmbH", "ptr_", "S.A.", "North", "é", "&", "B.", "V.")
OTHERS = ("株式会社", "さくら", "(株)", "ﾃｽﾄ", "ООО", "Кедр", "कमल", "İ", "7", "42", "٣", "Ⅷ", "🚀", "C++")
WORDS = st.sampled_from(LATIN + OTHERS)
NAMES = st.lists(WORDS, max_size=5).map(" ".join) | st.text(max_size=15)


@settings(max_examples=300, deadline=None)
@given(NAMES)
@example("ptr_ptr_ S. A. Inc")
@example("ß\u0307 Inc")
def test_normalising_a_name_twice_changes_nothing_and_never_leaves_nothing(name):
    once = normalise_name(name, RULES)
    assert normalise_name(once, RULES) == once
    assert bool(once) == bool(unicodedata.normalize("NFKC", name).strip())


@settings(max_examples=150, deadline=None)
@given(NAMES)
@example("ptr_ &")
@example("ptr_ 🚀")
@example("ptr_")
def test_case_prefix_blanks_and_a_legal_form_never_change_a_names_key(name):
    key = key_of(normalise_name(name, RULES))
    for spelled in (f"ptr_{name}", f"  {name}  ", f"PTR_ {name}"):
        if name.strip():
            assert key_of(normalise_name(spelled, RULES)) == key
    if re.search(r"[a-z]{3}$", name):
        assert key_of(normalise_name(f"{name}, Inc.", RULES)) == key


def numbers(name):
    return [str(int(each)) if each.isascii() else each for each in re.findall(r"[0-9]+", normalise_name(name, RULES))]


@settings(max_examples=200, deadline=None)
@given(NAMES, st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_a_link_by_name_stays_within_candidates_and_joins_no_different_numbers(name, partner_names):
    found = link(name or "x", *partner_names)
    if found.partner_id is not None:
        assert numbers(name or "x") == numbers(partner_names[found.partner_id - 1])
        assert found.partner_id in {partner_id for partner_id, _ in found.candidates}
        assert found.method in ("exact", "fuzzy")


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), NAMES, st.randoms(use_true_random=False))
def test_the_order_of_partners_never_decides(partner_names, name, random):
    def linked(names):
        found = link(name, *names)
        return names[found.partner_id - 1] if found.partner_id else None

    shuffled = list(partner_names)
    random.shuffle(shuffled)
    assert linked(shuffled) == linked(partner_names)


NOBODYS = GroupLink("g", None, "none")


@pytest.mark.parametrize("link", [NOBODYS, GroupLink("g", None, "ambiguous", 100.0)])
def test_a_group_that_was_an_active_partners_and_is_nobodys_is_lost_until_one_acts(link):
    lost = lost_links([link], {"g": 1}, {}, {1})
    assert lost == {"g": 1}
    again = lost_links([link], {}, lost, {1})
    assert again == lost, "the stored link is gone after the first sync, the loss is not"


@pytest.mark.parametrize(
    "now",
    [
        GroupLink("g", 1, "exact", 100.0),
        GroupLink("g", 2, "fuzzy", 95.0),
        GroupLink("g", 1, "override", 100.0),
        GroupLink("g", None, "override", 100.0),
    ],
)
def test_a_group_that_is_somebodys_or_decided_by_hand_is_not_lost(now):
    assert lost_links([now], {}, {"g": 1}, {1, 2}) == {}
    assert lost_links([now], {"g": 1}, {}, {1, 2}) == {}


def test_a_group_whose_partner_left_or_that_left_itself_is_not_lost():
    assert lost_links([NOBODYS], {"g": 1}, {}, set()) == {}
    assert lost_links([], {}, {"g": 1}, {1}, left={"g"}) == {}


def test_a_group_that_was_not_listed_this_time_says_nothing_new():
    assert lost_links([], {}, {"g": 1}, {1}) == {"g": 1}
    assert lost_links([], {"g": 1}, {}, {1}) == {}
