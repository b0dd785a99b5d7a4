"""Names of companies as they are compared: what stays of a name, to the sign."""

from __future__ import annotations

import pytest

from lms_assets.domain.linking.company_names import normalise_name
from lms_assets.domain.rules import Rules
from lms_assets_tests.domain.records import RULES


@pytest.mark.parametrize(
    ("name", "normalised"),
    [
        # A sign of a programming language stays at the end of its word only.
        ("C# Experts", "c# experts"),
        ("C++", "c++"),
        ("Larch#B Systems", "larch b systems"),
        ("# Larch + Birch", "larch birch"),
        # Invisible characters vanish, and nothing with them.
        ("Lar\u200dch Systems", "larch systems"),
        # A mark of a legal form goes from either end of a name of any length, but never all that is left.
        ("さくら 東京（株）", "さくら 東京"),
        ("（株）さくら 東京", "さくら 東京"),
        ("（株）", "株"),
        ("【株式会社】", "株式会社"),
    ],
)
def test_what_stays_of_a_name(name, normalised):
    assert normalise_name(name, RULES) == normalised


def test_without_any_legal_forms_in_the_rules_all_words_stay():
    assert normalise_name("ptr_Larch, Inc.", Rules(legal_suffixes=(), legal_prefixes=())) == "larch inc"
