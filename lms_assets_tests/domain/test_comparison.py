"""Old counts against new: a reason is given where it adds up exactly, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.counting.certifications import Affiliation, CourseFacts, PartnerCounts, Via, assess, count
from lms_assets.domain.counting.comparison import Fit, OldCounts, compare, pair_up
from lms_assets.domain.counting.comparison_reasons import Cell, Effect, View, cells, effects_of
from lms_assets.domain.records.partners import StoredPartner
from lms_assets.domain.records.transcripts import Enrollment

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
GROUP, CONTACT = Via("group", "g1"), Via("contact", "7")
COURSES = {
    "k2": CourseFacts("k2", "K2", 2, "nintex_k2"),
    "ce": CourseFacts("ce", "CE", 1, "nintex_ce"),
    "old": CourseFacts("old", "Archived", 1, "nintex_ce"),
    "odd": CourseFacts("odd", "Odd", 1, None),
    "no": CourseFacts("no", "Welcome", 0, None),
}


def done(number, user, course, days, status="completed"):
    completed = None if days is None else AT - days * DAY
    return Enrollment(number, user, course, status, None, None, None, completed, None, None)


def judged(*enrollments, people=None):
    people = people or [Affiliation(1, "ann", (GROUP,), None)]
    return people, tuple(assess(people, enrollments, COURSES, at=AT))


def found(*enrollments, people=None, **view):
    people, items = judged(*enrollments, people=people)
    closed = {(each.partner_id, each.user_id): each.obstacle for each in people if each.obstacle}
    return {
        causes_of(cell): (cell.npcu, cell.by_category)
        for cell in cells(items, (), View(AT, closed=closed, **view)).get(1, ())
    }


def causes_of(cell):
    """What it needs where we do not count it, else what misses it; sets as text."""
    causes = [cell.needs] if cell.needs else cell.missed_by
    return tuple(sorted(" and ".join(sorted(cause)) for cause in causes))


OLD_AT = AT - 30 * DAY


@pytest.mark.parametrize(
    ("enrollments", "view", "expected"),
    [
        ([done("e", "ann", "k2", 800)], {}, {"expired": (-2, {"nintex_k2": -1})}),
        (
            [done("e", "ann", "k2", 800), done("f", "ann", "ce", 735)],
            {"old_at": OLD_AT},
            {
                "expired before the old count": (-2, {"nintex_k2": -1}),
                "expired since the old count": (-1, {"nintex_ce": -1}),
            },
        ),
        (
            [done("e", "ann", "k2", 900), done("f", "ann", "k2", 800)],
            {},
            {
                "expired": (-2, {"nintex_k2": -1}),
                "expired and several attempts at one course": (-2, {"nintex_k2": -1}),
            },
        ),
        (
            [done("e", "ann", "k2", 90), done("f", "ann", "k2", 60)],
            {},
            {"several attempts at one course": (-2, {"nintex_k2": -1})},
        ),
        ([done("e", "ann", "k2", -1)], {}, {"completed after the new count": (-2, {"nintex_k2": -1})}),
        ([done("e", "ann", "k2", None)], {}, {"completed without a date": (-2, {"nintex_k2": -1})}),
        ([done("e", "ann", "k2", 5)], {"old_at": OLD_AT}, {"completed since the old count": (2, {"nintex_k2": 1})}),
        ([done("e", "ann", "old", 60)], {"archived": {"old"}}, {"archived courses": (1, {"nintex_ce": 1})}),
        ([done("e", "ann", "odd", 60)], {}, {"certifications without a category": (1, {})}),
        (
            [done("e", "ann", "k2", 60)],
            {"guessed": {"g1"}},
            {"groups linked by likeness or by hand": (2, {"nintex_k2": 1})},
        ),
        ([done("e", "ann", "k2", 60), done("f", "ann", "no", 60), done("g", "ann", "ce", 1, "in_progress")], {}, {}),
    ],
)
def test_each_difference_in_counting_has_its_size(enrollments, view, expected):
    assert found(*enrollments, **view) == {(reason,): size for reason, size in expected.items()}


def test_what_happens_at_the_very_instant_of_the_old_count_belongs_to_it():
    assert found(done("e", "ann", "k2", 30), old_at=OLD_AT) == {}
    expired = replace(done("e", "ann", "k2", 800), expires_at=OLD_AT)
    assert found(expired, old_at=OLD_AT) == {("expired before the old count",): (-2, {"nintex_k2": -1})}
    later = replace(done("e", "ann", "k2", 800), expires_at=OLD_AT + timedelta(seconds=1))
    assert found(later, old_at=OLD_AT) == {("expired since the old count",): (-2, {"nintex_k2": -1})}


def test_what_expires_at_the_instant_of_our_count_has_expired():
    assert found(replace(done("e", "ann", "k2", 800), expires_at=AT)) == {("expired",): (-2, {"nintex_k2": -1})}


def test_people_who_count_not_or_only_through_their_contact_have_their_effect():
    people = [
        Affiliation(1, "ann", (CONTACT,), None),
        Affiliation(1, "bob", (GROUP,), "person is disabled"),
        Affiliation(1, "cat", (CONTACT,), "contact 7 is inactive"),
    ]
    rows = [
        done("e", "ann", "k2", 60),
        done("f", "bob", "ce", 60),
        done("g", "bob", "k2", 900),
        done("h", "cat", "k2", 9),
    ]
    assert found(*rows, people=people) == {
        ("people who are linked by their contact only",): (2, {"nintex_k2": 1}),
        ("people who are disabled",): (-1, {"nintex_ce": -1}),
        ("expired and people who are disabled",): (-2, {"nintex_k2": -1}),
        ("people whose group or contact is inactive",): (-2, {"nintex_k2": -1}),
    }


def test_what_counts_for_several_reasons_is_missed_by_whoever_lacks_any_of_them():
    people = [Affiliation(1, "ann", (CONTACT,), None), Affiliation(1, "bob", (CONTACT, GROUP), None)]
    rows = [done("e", "ann", "old", 60), done("f", "bob", "ce", 60)]
    assert found(*rows, people=people, archived={"old"}, guessed={"g1"}) == {
        ("archived courses", "people who are linked by their contact only"): (1, {"nintex_ce": 1}),
        ("groups linked by likeness or by hand and people who are linked by their contact only",): (
            1,
            {"nintex_ce": 1},
        ),
    }


def test_people_of_groups_that_are_nobodys_now_are_what_the_partner_lost():
    _, items = judged(done("e", "ann", "k2", 60))
    (cell,) = cells((), items, View(AT))[1]
    assert (cell.npcu, cell.needs) == (-2, {"groups that were the partner's and are nobody's now"})


CATEGORIES = ("nintex_ce", "nintex_k2")


def cell(npcu, category, *causes, missed=()):
    """What we count and one of the causes misses; with negative points what all of the one cause lets another count."""
    needs, missed_by = (frozenset(*causes), missed) if npcu < 0 else (frozenset(), causes)
    return Cell(needs, frozenset(map(frozenset, missed_by)), npcu, {category: 1 if npcu > 0 else -1}, 1)


EXPIRED = cell(-2, "nintex_k2", {"expired"})
ELSE = frozenset({"something else"})
RENEWED = cell(-2, "nintex_k2", {"renewals"})
CONTACTS = cell(1, "nintex_ce", {"contacts"})


def one(old_npcu, old_categories, new_npcu, new_categories, *possible, others=(), of_others=EXPIRED):
    rows = [(OldCounts("Acorn", old_npcu, old_categories), 1), *others]
    new = {1: PartnerCounts(1, new_categories, new_npcu, False), 2: PartnerCounts(2, {}, 0, False)}
    return compare(rows, new, {1: "Acorn", 2: "Beech"}, {1: possible, 2: (of_others,)}, CATEGORIES)[0]


def told(row):
    return {each.reason: each.npcu for each in row.reasons}


def test_a_certification_that_is_judged_otherwise_for_two_reasons_moves_the_sum_once():
    """An archived course of somebody who is a contact only: a system that misses both misses it once."""
    both = cell(4, "nintex_k2", {"archived"}, {"contacts"})
    row = one(0, {}, 5, {"nintex_k2": 1, "nintex_ce": 1}, both, CONTACTS)
    assert (row.fit, told(row), row.ambiguous) == (Fit.EXPLAINED, {"contacts": 5}, False)
    needs_both = cell(-3, "nintex_k2", {"expired", "disabled"})
    row = one(5, {"nintex_k2": 2}, 0, {}, EXPIRED, needs_both)
    assert (row.fit, told(row)) == (Fit.EXPLAINED, {"expired": -2, "disabled and expired": -3})


def test_what_expired_of_people_unknown_to_the_other_system_is_nothing_it_counts():
    of_contacts = cell(-2, "nintex_k2", {"expired"}, missed=[{"contacts"}])
    row = one(2, {"nintex_k2": 1}, 1, {"nintex_ce": 1}, EXPIRED, of_contacts, CONTACTS)
    assert (row.fit, told(row)) == (Fit.EXPLAINED, {"expired": -2, "contacts": 1})


def test_effects_that_add_up_in_npcu_and_in_every_category_are_the_reason():
    row = one(5, {"nintex_k2": 2, "nintex_ce": 1}, 4, {"nintex_k2": 1, "nintex_ce": 2}, EXPIRED, CONTACTS)
    assert (row.fit, told(row), row.ambiguous) == (Fit.EXPLAINED, {"expired": -2, "contacts": 1}, False)


def test_what_does_not_add_up_is_said_to_be_unexplained_with_what_could_play_a_part():
    row = one(9, {"nintex_k2": 2}, 4, {"nintex_k2": 1}, EXPIRED, CONTACTS)
    assert (row.fit, row.reasons) == (Fit.UNEXPLAINED, ())
    assert [(each.reason, each.npcu) for each in row.possible] == [("expired", -2), ("contacts", 1)]


def test_of_very_many_reasons_those_of_most_points_are_tried():
    cells = [cell(points, "nintex_ce", {f"reason {points:02}"}) for points in range(1, 12)]
    row = one(0, {}, 11, {"nintex_ce": 1}, *cells)
    assert (row.fit, told(row)) == (Fit.EXPLAINED, {"reason 11": 11})
    assert one(0, {}, 1, {"nintex_ce": 1}, *cells).fit is Fit.UNEXPLAINED


def test_an_effect_says_how_many_certifications_it_moves():
    several = [replace(EXPIRED, certifications=3), replace(EXPIRED, certifications=2, missed_by=frozenset({ELSE}))]
    assert effects_of(several, frozenset({"expired"})) == (Effect("expired", -4, 5),)


def test_equal_counts_need_no_reason():
    assert one(2, {"nintex_k2": 1}, 2, {"nintex_k2": 1}, EXPIRED).fit is Fit.EQUAL


def test_points_that_add_up_while_categories_do_not_are_told_apart():
    row = one(4, {"nintex_ce": 1}, 2, {"nintex_ce": 1}, EXPIRED)
    assert (row.fit, told(row)) == (Fit.NPCU_EXPLAINED, {"expired": -2})
    assert one(2, {"nintex_ce": 2}, 2, {"nintex_k2": 1}, EXPIRED).fit is Fit.OTHER_CATEGORIES


def test_of_two_reasons_that_add_up_the_one_found_elsewhere_is_taken_with_the_doubt():
    beech = (OldCounts("Beech", 2, {"nintex_k2": 1}), 2)
    for elsewhere, reason in ((EXPIRED, "expired"), (RENEWED, "renewals")):
        row = one(4, {"nintex_k2": 2}, 2, {"nintex_k2": 1}, RENEWED, EXPIRED, others=[beech], of_others=elsewhere)
        assert (row.fit, told(row), row.ambiguous) == (Fit.EXPLAINED, {reason: -2}, True)


def test_accounts_of_one_side_only_are_named_as_such():
    rows = [(OldCounts("Gone", 3, {}), None), (OldCounts("Resting", 3, {}), 9), (None, 1)]
    new = {1: PartnerCounts(1, {}, 4, False)}
    compared = compare(rows, new, {1: "Acorn"}, {}, CATEGORIES)
    assert [(row.name, row.fit, row.npcu) for row in compared] == [
        ("Gone", Fit.OLD_ONLY, -3),
        ("Resting", Fit.INACTIVE_HERE, -3),
        ("Acorn", Fit.NEW_ONLY, 4),
    ]


def test_accounts_are_paired_by_the_surest_sign():
    ours = [
        StoredPartner(1, "Acorn", "001000000000001AAA", 11, True),
        StoredPartner(2, "Beech", "001000000000002AAA", 12, True),
        StoredPartner(3, "Cedar", None, 13, True),
        StoredPartner(4, "Resting", None, 14, False),
        StoredPartner(5, "New one", None, 15, True),
    ]
    old = [
        OldCounts("Renamed", 1, {}, impartner_id=11),
        OldCounts("Acorn", 1, {}, salesforce_id="001000000000002"),
        OldCounts(" CEDAR ", 1, {}),
        OldCounts("Resting", 1, {}),
        OldCounts("Cedar", 1, {}),
        OldCounts("row", 1, {}, partner_id=99),
    ]
    pairs = pair_up(old, ours, [each.id for each in ours if each.is_active])
    assert [partner_id for _, partner_id in pairs] == [1, 2, 3, 4, None, None, 5]
    assert pairs[-1] == (None, 5)


def test_a_system_that_counts_all_completions_differs_by_expired_and_repeated_ones():
    rows = [
        done("e", "ann", "k2", 800),
        done("f", "ann", "ce", 60),
        done("g", "ann", "ce", 30),
        done("h", "ann", "ce", 790),
    ]
    _, items = judged(*rows)
    counts = count(items, [1])[1]
    naive = sum(COURSES[row.course_id].npcu for row in rows)
    effects = effects_of(cells(items, (), View(AT))[1], frozenset({"expired", "several attempts at one course"}))
    assert naive + sum(each.npcu for each in effects) == counts.total_npcu
