"""The CRM's filter language, against what each filter means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.sandbox.impartner.fields import OBJECTS
from lms_assets.sandbox.impartner.filter_grammar import FilterError, compiled
from lms_assets.sandbox.state.vendor_state import Account

_ACCOUNT = OBJECTS["Account"]


def _account(number=1, name="Gorse", **values):
    times = {"created": "2026-01-01T00:00:00Z", "updated": "2026-03-01T12:00:00Z"}
    return Account(id=number, name=name, **(times | values))


def _passes(text, **values):
    return compiled(text, _ACCOUNT)(_account(**values))


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("Id = 1", True),
        ("id=1 AND name='GORSE'", True),
        ("Id != 1", False),
        ("Id <> 2", True),
        ("Id < 2 and Id <= 1 and Id > 0 and Id >= 1", True),
        ("Id in (3, 2,1)", True),
        ("Id not in (3, 2)", True),
        ("Id in (2)", False),
        ("Name in ('Birch', 'gorse')", True),
        ("Id = 2 or Id = 1 and Name = 'Birch'", False),
        ("(Id = 2 or Id = 1) and Name = 'Gorse'", True),
        ("not (Id = 2)", True),
        ("not Id = 1", False),
        ("IsActive = true", True),
        ("IsActive != TRUE", False),
        ("RegionId = null", True),
        ("RegionId != null", False),
        ("Name != null", True),
        ("RegionId = 5", False),
        ("RegionId != 5", False),
        ("Updated > '2026-03-01T11:59:59'", True),
        ("Updated > '2026-03-01T12:00:00'", False),
        ("Updated >= '2026-03-01 12:00:00'", True),
        ("Updated < '2026-03-02'", True),
        ("Updated = '2026-03-01T13:00:00+01:00'", True),
        ("  Name  =  'Gorse'  ", True),
    ],
)
def test_filters_mean_what_they_say(text, passes):
    assert _passes(text) is passes


def test_an_empty_text_is_empty():
    assert _passes("Partner_Tier__cf = null", partner_tier="")
    assert not _passes("Partner_Tier__cf != null", partner_tier="")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Id",
        "Id =",
        "= 1",
        "Id == 1",
        "Id = 1 and",
        "(Id = 1",
        "Id in ()",
        "Id = 1 Name = 'x'",
        "Id < null",
        "1 = 1",
    ],
)
def test_what_is_no_filter_is_an_error_and_nothing_else(text):
    with pytest.raises(FilterError):
        compiled(text, _ACCOUNT)


@settings(max_examples=100)
@given(name=st.text(min_size=1, max_size=30))
def test_any_text_finds_itself_once_its_quotes_are_doubled(name):
    quoted = name.replace("'", "''")
    assert _passes(f"Name = '{quoted}'", name=name)
    assert not _passes(f"Name = '{quoted}x'", name=name)


@settings(max_examples=200)
@given(text=st.text(alphabet="Id Name='1()andornull,<>!", max_size=40))
def test_nonsense_never_ends_in_anything_but_a_filter_error(text):
    try:
        compiled(text, _ACCOUNT)(_account())
    except FilterError:
        return
