"""Tiny vendor states in which everything collides: few names, few addresses, few courses, dates around one instant.

Made by hypothesis, so that a difference shrinks to the two or three rows that matter.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from lms_assets_tests.oracle import tiny

NOW = datetime(2026, 2, 28, 12, 0, 0, tzinfo=UTC)
INSTANTS = (NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1), NOW + timedelta(days=1))

# What stands in a list often is drawn often: without people at partners there is nothing to compare. Each place
# of an id has its own usual names and seldom one of somebody else's.
_USUAL_NAMES = (
    ("Fernhill Systems", "FERNHILL systems ", "Fernhill Systems, Inc.", "Férnhill Systems"),
    ("Moorland GmbH", "Moorland", "Moorland Ltd"),
    ("青葉 Digital", "Birch Labs"),
    ("Cedar", "Fernhill Systems"),
)
_ODD_NAMES = ("Nintex Friends", "Moorland", "Fernhill Systems", "", None)
_USUAL_GROUPS = (
    ("ptr_Fernhill Systems", "fernhill  systems"),
    ("PTR_moorland", "Moorland GmbH", "cedar, inc."),
    ("青葉 DIGITAL", "ptr_BIRCH  Labs LLC"),
)
_ODD_GROUPS = ("Moorland (test)", "All Partners", "All Users", "Quartz Customers", "Cedar")
_ADDRESSES = (
    "ada@fern.example.com",
    " ADA@fern.example.com ",
    "bo@moor.example.com",
    "cy.contestant@moor.example.com",
    "sales.emea@moor.example.com",
    "ada@nintex.com",
    "no address",
    "",
    None,
)
_POINTS = (*(1, 2, "1", " 2 ") * 5, 0, "", None, "2 points", 1.5, 7, -1, True, 2.0)
_COURSE_NAMES = ("K2 for Salesforce", "GTM Basics", "salesforce forms", "RPA Expert", "Something else", "")
_PERSON_IDS = ("p1", "p2", "p3", "p4")
_GROUP_IDS = ("g1", "g2", "g3")
_COURSE_IDS = ("c1", "c2", "c3")


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_place(usual: tuple[tuple[Any, ...], ...], odd: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """A choice that is made when the place is known: mostly a usual one of it, seldom an odd one."""
    choice = st.tuples(st.integers(0, 7), st.integers(0, 59))
    return choice.map(
        lambda drawn: lambda place: usual[place][drawn[1] % len(usual[place])] if drawn[0] else odd[drawn[1] % len(odd)]
    )


def _around(moment: datetime) -> list[str]:
    return [_text(moment + timedelta(seconds=seconds)) for seconds in (-1, 0, 1)]


# 24 months before NOW is 28 February 2024; the 29th of that leap year lapses on the 28th of February 2026, too.
_COMPLETIONS = [
    *_around(NOW),
    *_around(NOW.replace(year=2024)),
    *_around(NOW.replace(year=2024, day=29)),
    "2021-05-05T05:05:05Z",
    "2025-06-01T00:00:00Z",
    "2025-07-01T00:00:00Z",
    "2024-08-01T00:00:00Z",
    None,
]
_EXPIRIES = [*_around(NOW), "2030-01-01T00:00:00Z", "2025-01-01T00:00:00Z", None, None]
_DAYS = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", None])


def _rows(ids: tuple[Any, ...], make: Any, **fields: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Every one of the ids as a row with drawn fields; seldom one is missing."""
    row = st.fixed_dictionaries(fields | {"_missing": st.sampled_from([False] * 9 + [True])})
    return st.tuples(*(row for _ in ids)).map(
        lambda drawn: [
            make(identity, **{name: value(place) if callable(value) else value for name, value in values.items()})
            for place, (identity, values) in enumerate(zip(ids, drawn, strict=True))
            if not values.pop("_missing")
        ]
    )


_ACCOUNTS = _rows(
    (1, 2, 3, 4),
    tiny.account,
    name=_of_place(_USUAL_NAMES, _ODD_NAMES),
    partner_tier=st.sampled_from(["Select"] * 6 + ["Premier Plus", " registered", "Pending", "Gold", "", None]),
    account_status=st.sampled_from(["Active"] * 5 + ["Inactive", None]),
    is_active=st.sampled_from([True, False, None]),
)
_CONTACTS = _rows(
    (11, 12, 13, 14),
    tiny.contact,
    email=st.sampled_from(_ADDRESSES),
    account_id=st.sampled_from([1, 2, 3, 99, None, None]),
    account_name=_of_place(_USUAL_NAMES, _ODD_NAMES),
    contact_status=st.sampled_from(["Active"] * 4 + ["Terminated", " suspended ", None]),
    is_active=st.sampled_from([True, True, True, True, False, None]),
    updated=_DAYS,
)
_PEOPLE = _rows(
    _PERSON_IDS,
    tiny.person,
    email=st.sampled_from(_ADDRESSES),
    disabled=st.sampled_from([False, False, False, False, True]),
    last_active_at=_DAYS,
    deactivated_at=_DAYS,
)
_GROUPS = _rows(_GROUP_IDS, tiny.group, name=_of_place(_USUAL_GROUPS, _ODD_GROUPS))
_PROPERTIES = _rows(_COURSE_IDS, tiny.course, name=st.sampled_from(_COURSE_NAMES), npcu=st.sampled_from(_POINTS))
_LISTED = _rows(_COURSE_IDS, lambda identity, name: {"id": identity, "name": name}, name=st.sampled_from(_COURSE_NAMES))
_MEMBERSHIPS = st.lists(
    st.tuples(st.sampled_from(_GROUP_IDS), st.sampled_from((*_PERSON_IDS, "gone"))),
    unique=True,
    min_size=2,
    max_size=10,
)
_TRANSCRIPT = st.fixed_dictionaries(
    {
        "person_id": st.sampled_from(_PERSON_IDS),
        "course_id": st.sampled_from((*_COURSE_IDS, "unknown")),
        "completed_at": st.sampled_from(_COMPLETIONS),
        "expires_at": st.sampled_from([None, *_EXPIRIES]),
        "progress_status": st.sampled_from(["completed"] * 6 + ["in_progress"]),
        "resource_type": st.sampled_from(["course"] * 6 + ["learning_path"]),
        "expiry_attribute": st.sampled_from(["expires_at", "expiry_date"]),
    }
)


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [tiny.transcript(**row) | {"id": f"t{place}"} for place, row in enumerate(rows)]


def crowded_states() -> st.SearchStrategy[dict[str, Any]]:
    """A raw state, as the sandbox's `state()` gives it, of a handful of rows each."""
    return st.builds(
        tiny.vendor_state,
        accounts=_ACCOUNTS,
        users=_CONTACTS,
        people=_PEOPLE,
        groups=_GROUPS,
        memberships=_MEMBERSHIPS,
        courses=_LISTED,
        course_properties=_PROPERTIES,
        transcripts=st.lists(_TRANSCRIPT, min_size=8, max_size=20).map(_numbered),
    )
