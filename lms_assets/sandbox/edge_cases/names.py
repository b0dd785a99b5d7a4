"""Edge-case names of groups and partners: prefixes, scripts, legal forms, near-twins, typing errors."""

from __future__ import annotations

from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state import ids

# Case -> (account name, group name): equal after normalising (domain rules, group to partner).
_EQUAL = {
    "group_ptr_prefix": ("Lumenvale Consulting", "ptr_Lumenvale Consulting"),
    "group_ptr_prefix_capitals": ("Ironmarsh Consulting", "PTR_IRONMARSH CONSULTING"),
    "group_blanks_and_punctuation": ("Willow & Reed - Cloud", "  willow  &  reed, cloud. "),
    "group_accents": ("Crème Brûlée Données", "Creme Brulee Donnees"),
    "group_accents_decomposed": ("Sjöglänta Drift", "Sjo\u0308gla\u0308nta Drift"),
    "group_japanese": ("株式会社さくら工房", "ptr_株式会社さくら工房"),
    "group_japanese_without_form": ("株式会社もみじ電算", "もみじ電算"),
    "group_japanese_full_width": ("Kaede Systems", "Ｋａｅｄｅ　Ｓｙｓｔｅｍｓ"),
    "group_cyrillic": ("Ромашка Консалт", "ptr_РОМАШКА КОНСАЛТ"),
    "group_arabic": ("شركة الواحة الخضراء", "ptr_شركة الواحة الخضراء"),
    "group_devanagari": ("कमल समाधान", "  कमल  समाधान "),
    "group_suffix_inc": ("Tidewick Kiln, Inc.", "Tidewick Kiln"),
    "group_suffix_llc": ("Foxmere Looms LLC", "foxmere looms"),
    "group_suffix_ltd": ("Otterburn Glass", "Otterburn Glass Ltd."),
    "group_suffix_gmbh": ("Wolkenhain Technik GmbH", "ptr_Wolkenhain Technik"),
    "group_suffix_sa": ("Río Manso Datos S.A.", "Rio Manso Datos"),
    "group_suffix_kk": ("Asagiri Denshi K.K.", "Asagiri Denshi"),
    "group_contains_letters_of_test": ("Contestant Partners", "Contestant Partners"),
    "group_contains_letters_of_admin": ("Administra GmbH", "Administra"),
    "group_contains_letters_of_internal": ("Internalia Networks", "Internalia Networks"),
}
# Case -> pairs of account and group names that are nearly, but not, the same: each group belongs to its equal.
_TWINS = {
    "twins_direction": ("North Harborlight Systems", "South Harborlight Systems"),
    "twins_digits": ("Studio 54 Bramble", "Studio 45 Bramble"),
    "twins_plural": ("Acme Solutions", "Acme Solution"),
}
# Case -> (account name, group name): one letter off, no other candidate near.
_TYPING_ERRORS = {
    "group_typo_swapped": ("Quicksilver Orchards Consulting", "Quicksliver Orchards Consulting"),
    "group_typo_letter": ("Marmalade Lighthouse Software", "ptr_Marmelade Lighthouse Software"),
    "group_typo_missing": ("Pemberton Windmills Automation", "Pemberton Windmils Automation"),
}
# Case -> (account name, name of a group that is somebody else's and must stay unlinked).
_STRANGERS = {
    "stranger_direction": ("East Quarrystone Digital", "West Quarrystone Digital"),
    "stranger_digits": ("Area 51 Gooseberry", "Area 52 Gooseberry"),
}
# Left out by name (domain rules, groups that are not partners'); the last is also a partner's name.
_LEFT_OUT = {
    "group_word_admin": "LMS Admin",
    "group_word_internal": "Internal Enablement",
    "group_word_test": "QA - test group",
    "group_word_in_partners_name": "Test Valley Systems",
}

CASES = {
    **dict.fromkeys(_EQUAL, "account; group whose name is equal after normalising"),
    **dict.fromkeys(_TWINS, "two accounts with similar names; then the group of each, named exactly like it"),
    **dict.fromkeys(_TYPING_ERRORS, "account; group with a typing error that should be found by likeness"),
    **dict.fromkeys(_STRANGERS, "account; group of a similar name that is not its own and must stay unlinked"),
    **dict.fromkeys(_LEFT_OUT, "group that is left out"),
    "group_typo_two_candidates": "two accounts; group with one letter off from both: must stay unlinked",
    "partners_normalise_equal": "two accounts whose names normalise equal; group of that name: must stay unlinked",
    "group_empty_answers_404": "group of a partner without members: listing answers 404",
    "group_empty_answers_list": "group of a partner without members: listing answers an empty list",
    "group_count_off_by_one": "group of a partner whose user_count is one too high",
    "group_compound_id": "group of a partner with an id longer than 50 characters",
    "membership_compound_id": "group; its member: the membership's id is longer than 50 characters",
    "partner_with_two_groups": "account; its two groups",
}


def add(stage: Stage) -> None:
    """Add the cases; every group has a member who holds a certification, the empty ones excepted."""
    for case, (account_name, group_name) in (_EQUAL | _TYPING_ERRORS).items():
        stage.case(case, *stage.partner_with_group(account_name, group_name))
    for case, (first, second) in _TWINS.items():
        one, other = stage.partner_with_group(first, first), stage.partner_with_group(second, second)
        stage.case(case, one[0], other[0], one[1], other[1])
    for case, (account_name, group_name) in _STRANGERS.items():
        stage.case(case, stage.factory.account(account_name), stage.unlinked_group(group_name))
    for case, name in _LEFT_OUT.items():
        stage.case(case, stage.unlinked_group(name))
    stage.factory.account(_LEFT_OUT["group_word_in_partners_name"])
    _ambiguous(stage)
    _odd_groups(stage)


def _ambiguous(stage: Stage) -> None:
    account = stage.factory.account
    stage.case(
        "group_typo_two_candidates",
        account("Juniperus Valecrest Network"),
        account("Juniperus Valecrest Networx"),
        stage.unlinked_group("Juniperus Valecrest Networq"),
    )
    stage.case(
        "partners_normalise_equal",
        account("Copperfern Dale, Inc."),
        account("COPPERFERN DALE LLC"),
        stage.unlinked_group("Copperfern Dale"),
    )


def _odd_groups(stage: Stage) -> None:
    factory, rng = stage.factory, stage.factory.rng
    for case, name, is_404 in (
        ("group_empty_answers_404", "Hollowmere Data", True),
        ("group_empty_answers_list", "Vacantfield Data", False),
    ):
        stage.case(case, factory.group(name, factory.account(name), empty_is_404=is_404))
    _, miscounted = stage.partner_with_group("Plusone Orchard", "Plusone Orchard")
    miscounted.user_count_error = 1
    stage.case("group_count_off_by_one", miscounted)
    long_named = factory.group("Longthread Mills", factory.account("Longthread Mills"), id=ids.compound(rng))
    stage.person("long.thread", long_named)
    stage.case("group_compound_id", long_named)
    knotted = factory.group("Knottedrope Yard", factory.account("Knottedrope Yard"))
    tied = stage.person("knotted.rope")
    factory.join(knotted, tied, membership_id=ids.compound(rng))
    stage.case("membership_compound_id", knotted, tied)
    account, first = stage.partner_with_group("Doubledoor Inn", "Doubledoor Inn")
    second = factory.group("ptr_Doubledoor Inn Ltd", account)
    stage.person("double.door", second)
    stage.case("partner_with_two_groups", account, first, second)
