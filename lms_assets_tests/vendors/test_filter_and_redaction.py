"""Values in filters are inert, and texts for logs hold nothing that must not be there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.vendors.impartner.filters import (
    after,
    compare,
    differs,
    equals,
    literal,
    one_of,
    one_of_in_parts,
    since,
)
from lms_assets.vendors.transport.responses import MAXIMUM_LENGTH, scrub
from lms_assets.vendors.transport.retries import retry_after_seconds

MOMENT = datetime(2026, 1, 31, 4, 0, tzinfo=timezone(timedelta(hours=2)))


def test_conditions_read_as_the_vendor_writes_them() -> None:
    changed = after("Updated", MOMENT) & differs("PartnerAccountId", None)
    assert str(changed) == "(Updated > '2026-01-31T02:00:00') and (PartnerAccountId != null)"
    assert str(equals("Name", "O'Brien") | one_of("Id", [1, 2])) == "(Name = 'O''Brien') or (Id in (1,2))"
    assert str(since("Created", MOMENT)) == "Created >= '2026-01-31T02:00:00'"
    assert str(compare("MemberCount", "<", 2.5)) == "MemberCount < 2.5"
    assert str(equals("IsActive", False)) == "IsActive = false"


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])))
@settings(max_examples=200)
def test_text_never_leaves_its_quotes(text: str) -> None:
    quoted = literal(text)
    assert re.fullmatch(r"'(?:[^']|'')*'", quoted, re.DOTALL)
    assert quoted[1:-1].replace("''", "'") == text


@pytest.mark.parametrize("field", ["", "a b", "Name = 1 or Id", "Name'", "1a", "Name\n", "Ünam"])
def test_a_field_name_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(ValueError):
        equals(field, 1)


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "\ud800", float("nan"), float("inf"), datetime(2026, 1, 1)])
def test_a_value_that_the_language_cannot_express_is_refused(value: str | float | datetime) -> None:
    with pytest.raises(ValueError):
        literal(value)


def test_many_values_are_taken_in_parts() -> None:
    parts = list(one_of_in_parts("Id", range(250)))
    assert [str(part).count(",") + 1 for part in parts] == [100, 100, 50]
    with pytest.raises(ValueError):
        one_of("Id", [])


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=200)
def test_secrets_and_addresses_never_survive(before: str, behind: str) -> None:
    text = scrub(f"{before} key-4711 {behind} ann.example@example.com {before}", ["key-4711"])
    assert "key-4711" not in text
    assert "ann.example" not in text
    assert len(text) <= MAXIMUM_LENGTH
    assert text.isprintable() or not text


NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  the other half of the test uses offsets


@pytest.mark.parametrize(
    ("value", "answered_at", "seconds"),
    [
        (None, None, None),
        ("7", None, 7),
        (" 0 ", None, 0),
        ("-5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("9" * 400, None, 999_999_999),
        ("Thu, 01 Jan 2026 00:00:30 GMT", None, 30),
        ("Wed, 31 Dec 2025 23:00:00 GMT", None, None),
        ("Wed, 01 Jan 2020 00:00:10 GMT", "Wed, 01 Jan 2020 00:00:00 GMT", 10),
        ("Wed, 99 Foo 2020 99:00:10 GMT", None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, answered_at: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, answered_at, NOW) == seconds
