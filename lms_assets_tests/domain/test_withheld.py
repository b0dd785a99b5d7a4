"""Why a partner's counts must not leave: each rule by itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lms_assets.domain.linking.partner_users import Affiliation, Via
from lms_assets.domain.safety import withheld
from lms_assets.domain.safety.withheld import (
    ContactBasis,
    GroupBasis,
    WithheldReason,
    by_partner,
    contacts_not_matched,
    groups_not_read,
    long_unread,
    named,
    overrides_not_applied,
    partners_not_followed,
    people_listed,
    people_not_read,
)

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
LATER = AT + timedelta(seconds=1)


def kinds(found):
    return sorted((partner_id, reason.kind) for partner_id, reason in found)


def test_reasons_come_once_and_sorted_and_each_partner_is_one_line():
    one, other = WithheldReason("a", "first"), WithheldReason("b", "second")
    withheld = by_partner([(2, other), (1, one), (2, one), (2, other)])
    assert list(withheld.items()) == [(1, (one,)), (2, (one, other))]
    assert named(withheld) == ["partner 1: first", "partner 2: first; second"]


@pytest.mark.parametrize(
    ("changed", "read", "withheld"),
    [(None, AT, False), (AT, AT, False), (AT, LATER, False), (LATER, AT, True), (None, None, True), (AT, None, True)],
)
def test_a_partner_waits_until_groups_were_read_since_it_appeared(changed, read, withheld):
    assert bool(list(partners_not_followed({1: changed}, {"groups": read}))) is withheld


def test_each_reading_that_is_missing_is_named():
    read = {"groups": AT, "contacts": AT}
    assert kinds(partners_not_followed({1: LATER}, read)) == [(1, "contacts_not_read"), (1, "groups_not_read")]


@pytest.mark.parametrize(
    ("partner", "linked", "read", "expected"),
    [
        (1, None, None, [(1, "group_never_read")]),
        (1, LATER, AT, [(1, "group_not_read_since_linked")]),
        (1, AT, AT, []),
        (1, None, AT, []),
        (None, AT, None, []),
    ],
)
def test_a_group_must_be_read_since_it_is_the_partners(partner, linked, read, expected):
    assert kinds(groups_not_read([GroupBasis("g", "G", partner, "exact", linked, read)])) == expected


@pytest.mark.parametrize(
    ("stored", "method", "overrides", "expected"),
    [
        (1, "exact", {}, []),
        (1, "override", {"g": 1}, []),
        (1, "exact", {"g": 1}, [1]),
        (1, "exact", {"g": 2}, [1, 2]),
        (1, "override", {"g": 2}, [1, 2]),
        (1, "exact", {"g": None}, [1]),
        (None, "override", {"g": None}, []),
        (None, "override", {"g": 99}, []),
        (None, "none", {"g": 2}, [2]),
        (1, "override", {}, [1]),
        (1, "override", {"other": 1}, [1]),
    ],
)
def test_an_override_written_changed_or_removed_withholds_both_partners(stored, method, overrides, expected):
    group = GroupBasis("g", "G", stored, method, None, AT)
    found = overrides_not_applied([group], overrides, [1, 2], lambda _: False)
    assert kinds(found) == [(each, "override_not_applied") for each in expected]


def test_each_group_is_judged_by_itself():
    groups = [
        GroupBasis("g1", "G1", None, "none", None, None),
        GroupBasis("g2", "G2", 2, "exact", None, None),
        GroupBasis("g3", "G3", 3, "exact", None, AT),
    ]
    assert kinds(groups_not_read(groups)) == [(2, "group_never_read")]
    found = overrides_not_applied(groups, {"g3": 2}, [2, 3], lambda _: False)
    assert kinds(found) == [(2, "override_not_applied"), (3, "override_not_applied")]


def test_an_override_of_everybodys_group_has_no_effect():
    group = GroupBasis("g", "All Partners", None, "none", None, AT)
    assert not list(overrides_not_applied([group], {"g": 1}, [1], lambda name: name == "All Partners"))


@pytest.mark.parametrize(
    ("changed", "has_account", "read", "listed", "withheld"),
    [
        (None, True, AT, None, False),
        (AT, True, AT, None, False),
        (LATER, True, AT, AT, True),
        (AT, False, AT, None, True),
        (AT, False, AT, AT, False),
        (LATER, False, LATER, AT, True),
        (None, True, None, None, True),
    ],
)
def test_a_contact_that_changed_waits_for_the_users(changed, has_account, read, listed, withheld):
    contact = ContactBasis(11, 1, changed, has_account)
    found = list(contacts_not_matched([contact], users_read_at=read, users_listed_at=listed))
    assert bool(found) is withheld


def test_contacts_that_changed_are_one_reason():
    contacts = [ContactBasis(each, 1, AT, has_account=True) for each in range(11, 18)]
    ((partner_id, reason),) = contacts_not_matched(contacts, users_read_at=None, users_listed_at=AT)
    assert partner_id == 1
    assert reason.text == ("LMS users were not read since the change of 7 contacts (11, 12, 13, 14, 15 and 2 more)")


def person(user_id, obstacle=None, partner_id=1):
    return Affiliation(partner_id, user_id, (Via("group", "g"),), obstacle)


@pytest.mark.parametrize(
    ("came", "read", "expected"),
    [
        (None, None, "person_never_read"),
        (AT, None, "person_never_read"),
        (LATER, AT, "person_not_read_since"),
        (AT, AT, None),
        (AT, LATER, None),
        (None, AT, None),
    ],
)
def test_a_person_must_be_read_since_they_came(came, read, expected):
    found = people_not_read([person("ann")], lambda _: came, {"ann": read})
    assert kinds(found) == ([(1, expected)] if expected else [])


def test_whoever_does_not_count_need_not_be_read():
    off = person("ann", "person is disabled")
    assert not list(people_not_read([off], lambda _: AT, {}))
    assert kinds(people_not_read([off, person("bob")], lambda _: AT, {})) == [(1, "person_never_read")]


def test_people_read_long_ago_are_shown_by_partner_without_those_never_read():
    people = [person("ann"), person("bob"), person("new"), person("off", "person is disabled"), person("ann", None, 2)]
    found = long_unread(people, {"ann": AT, "bob": LATER, "off": AT}, LATER)
    assert found == {1: ("ann",), 2: ("ann",)}


def test_many_people_are_counted_and_a_few_named():
    assert people_listed(["b"]) == "1 person (b)"
    assert people_listed(list("abcde")) == "5 people (a, b, c, d, e)"
    assert people_listed(list("gfedcba")) == "7 people (a, b, c, d, e and 2 more)"


def test_every_reason_has_plain_words_without_ids():
    """People who read reports know no syncs; a kind without words of its own would say next to nothing."""
    source = Path(withheld.__file__).read_text(encoding="utf-8")
    source += (Path(withheld.__file__).parents[2] / "warehouse" / "reading" / "withheld.py").read_text(encoding="utf-8")
    kinds = set(re.findall(r'WithheldReason\(\s*"(\w+)"', source)) | {"groups_not_read", "contacts_not_read"}
    assert len(kinds) >= 9
    found = {kind: withheld.in_plain_words([withheld.WithheldReason(kind, "group 4711")]) for kind in kinds}
    assert len(set(found.values())) == len(kinds)
    assert not [text for text in found.values() if "4711" in text]
    assert withheld.in_plain_words([withheld.WithheldReason("new kind", "")]).startswith("not everything")
