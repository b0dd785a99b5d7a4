"""Addresses at the exact limits of their parts."""

from __future__ import annotations

import pytest

from lms_assets.domain.records.emails import domain_of, fold_email, in_domains, local_words, normalise_email


def address(length):
    """A valid address of exactly so many characters: at most 64 before the sign, labels of at most 60 after it."""
    domain = ".".join(["d" * 60] * 3 + ["example"])
    return f"{'a' * (length - len(domain) - 1)}@{domain}"


@pytest.mark.parametrize(("length", "valid"), [(200, True), (253, True), (254, True), (255, False)])
def test_an_address_has_at_most_254_characters(length, valid):
    text = address(length)
    assert len(text) == length
    assert normalise_email(text) == (text if valid else None)


def test_the_last_at_sign_parts_an_address():
    quoted = '"a@b"@example.com'
    assert domain_of(quoted) == "example.com"
    assert local_words(quoted) == {"a", "b"}


def test_text_without_an_at_sign_or_domain_is_no_address():
    assert [normalise_email(text) for text in ("a", "@", "a@", "@example.com", "")] == [None] * 5


def test_documentation_names_and_test_are_valid_without_asking_dns():
    assert normalise_email("a@school.test") == "a@school.test"
    assert normalise_email("é@school.test") == "é@school.test"
    assert normalise_email("a@no-such-name-anywhere.example") == "a@no-such-name-anywhere.example"


def test_an_odd_address_is_kept_in_lower_case_up_to_255_characters():
    assert fold_email(" No Address \n") == "no address"
    assert fold_email("X" * 400) == "x" * 255
    assert fold_email(" " * 999 + "ab") == "a"
    assert fold_email("  ") is None


def test_a_starred_domain_means_every_domain_below_it():
    below = frozenset({"*.bill.com"})
    assert in_domains("a@eu.bill.com", below)
    assert in_domains("a@west.eu.bill.com", below)
    assert not in_domains("a@bill.com", below)
    assert not in_domains("a@skillbill.com", below)
