from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.domain.records.partners import (
    StoredPartner,
    assign_partner_rows,
    collation_key,
    partner_from_account,
    rows_by_name,
    rows_of_successors,
    salesforce_key,
)
from lms_assets_tests.domain.records import RULES, account


def partner(impartner_id, name, salesforce_id=None):
    return partner_from_account(account(Id=impartner_id, Name=name, CrmId=salesforce_id), RULES, {})


def stored(row_id, name, impartner_id=None, salesforce_id=None, *, is_active=True):
    return StoredPartner(row_id, name, salesforce_id, impartner_id, is_active)


def assigned(incoming, rows, **options):
    result = assign_partner_rows(incoming, rows, **options)
    return {each.impartner_id: (row_id, each.account_name) for row_id, each in result.rows}


SF = "0015000000abcDE"


def test_a_renamed_account_keeps_its_row():
    assert assigned([partner(7, "New Name")], [stored(1, "Old Name", 7)]) == {7: (1, "New Name")}


def test_partner_identity_is_the_impartner_id_before_salesforce_id_and_name():
    rows = [stored(1, "Larch", 8, SF), stored(2, "Birch", 7)]
    assert assigned([partner(7, "Larch", SF)], rows)[7][0] == 2


def test_partner_identity_is_else_the_first_15_characters_of_the_salesforce_id():
    assert assigned([partner(7, "Larch", SF + "AAA")], [stored(1, "Birch", None, SF)])[7][0] == 1


def test_salesforce_ids_are_case_sensitive():
    assert assigned([partner(7, "Larch", SF.swapcase())], [stored(1, "Birch", None, SF)])[7][0] is None


def test_partner_identity_is_else_the_name_ignoring_case():
    assert assigned([partner(7, "LARCH  systems")], [stored(1, "Larch Systems")])[7][0] == 1


def test_an_equal_name_with_another_salesforce_id_is_another_partner():
    other = "0015000000xyzXY"
    result = assign_partner_rows([partner(7, "Larch", SF)], [stored(1, "Larch", None, other, is_active=False)])
    assert [(row_id, each.account_name) for row_id, each in result.rows] == [(None, "Larch")]
    assert result.name_moves == ((1, "Larch (#1)"),)


def test_an_account_recreated_takes_over_its_row_only_when_the_listing_is_complete():
    rows = [stored(1, "Larch", 7, SF)]
    assert assigned([partner(8, "Larch", SF)], rows) == {8: (1, "Larch")}
    assert assigned([partner(8, "Larch", SF)], rows, complete=False) == {8: (None, "Larch (#8)")}


def test_a_broken_salesforce_id_identifies_nobody():
    assert salesforce_key("abc") is None
    assert assigned([partner(7, "Larch", "abc")], [stored(1, "Birch", None, "abc")])[7][0] is None


def test_swapped_names_are_swapped_by_way_of_names_that_nobody_has():
    result = assign_partner_rows(
        [partner(7, "Birch"), partner(8, "Larch")], [stored(1, "Larch", 7), stored(2, "Birch", 8)]
    )
    assert {each.impartner_id: (row_id, each.account_name) for row_id, each in result.rows} == {
        7: (1, "Birch"),
        8: (2, "Larch"),
    }
    assert {row_id for row_id, _ in result.name_moves} == {1, 2}
    assert not {name for _, name in result.name_moves} & {"Birch", "Larch"}


def test_of_two_accounts_with_one_name_the_row_that_has_it_keeps_it_at_every_sync():
    incoming = [partner(5, "Larch"), partner(9, "LÁRCH")]
    first = assign_partner_rows(incoming, [stored(1, "Larch", 9)])
    names = {each.impartner_id: each.account_name for _, each in first.rows}
    assert names == {9: "LÁRCH", 5: "Larch (#5)"}
    assert [(finding.entity_id, finding.entity_type) for finding in first.findings] == [("5", "partner")]
    again = assigned(incoming, [stored(1, "LÁRCH", 9), stored(2, "Larch (#5)", 5)])
    assert again == {9: (1, "LÁRCH"), 5: (2, "Larch (#5)")}


def test_a_name_that_comes_free_is_given_back():
    assert assigned([partner(5, "Larch")], [stored(2, "Larch (#5)", 5), stored(1, "Larch", 9, is_active=False)]) == {
        5: (2, "Larch")
    }


def test_an_active_row_outside_the_assignment_keeps_its_name():
    rows = [stored(1, "Larch", 9, "0015000000xyzXY")]
    assert assigned([partner(5, "larch", SF)], rows) == {5: (None, "larch (#5)")}


def test_an_account_listed_twice_is_taken_once_and_reported():
    result = assign_partner_rows([partner(5, "Larch"), partner(5, "Larch 2")], [])
    assert [each.account_name for _, each in result.rows] == ["Larch"]
    assert result.findings[0].problem == "came twice in one listing"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Larch", "LÁRCH "),
        ("はは", "パパ"),
        ("Løvås", "Lovas"),
        ("Bar 🍣", "Bar 🍺"),
        ("Bar 🍣", "Bar \U00010000"),
        ("Straße", "STRASSE"),
        ("a\u200db", "ab"),
    ],
)
def test_names_that_some_collation_holds_for_one_are_one_to_the_unique_column(one, other):
    assert collation_key(one) == collation_key(other)


def test_contacts_find_a_partner_by_the_name_the_crm_has_unless_two_have_it():
    rows = [stored(1, "Larch", 9), stored(2, "Larch (#5)", 5), stored(3, "Birch (#4)", 4), stored(4, "Elm (#1)", 9)]
    assert rows_by_name(rows) == {"birch": 3, "elm (#1)": 4}


def test_a_partner_that_nothing_identifies_in_a_round_keeps_no_other_from_its_row():
    rows = [stored(1, "Birch", None, SF)]
    assert assigned([partner(7, "Elm"), partner(8, "Larch", SF)], rows) == {7: (None, "Elm"), 8: (1, "Larch")}


def test_a_name_that_makes_room_takes_none_that_a_row_has_already():
    rows = [stored(1, "Larch", 9, is_active=False), stored(2, "Larch (#9)", 8, is_active=False)]
    assert assign_partner_rows([partner(5, "Larch", SF)], rows, complete=False).name_moves == ((1, "Larch (#9-2)"),)
    swapped = [stored(1, "Larch", 7), stored(2, "Birch", 8), stored(3, "~1 (#1)", 9, is_active=False)]
    moves = assign_partner_rows([partner(7, "Birch"), partner(8, "Larch")], swapped).name_moves
    assert dict(moves)[1] == "~1 (#1-2)"


def test_a_long_name_is_cut_to_make_room_for_its_mark_without_a_second_blank():
    long = "x" * 249 + " " + "y" * 5
    rows = [stored(1, long, 9)]
    assert assigned([partner(9, long), partner(5, long)], rows)[5] == (None, "x" * 249 + " (#5)")


NAMES = st.sampled_from(["Larch", "LARCH", "Lárch", "Birch", "Elm", "Larch (#1)", "Larch (#2)", "🍣", "🍺", "x" * 255])
IDS = st.sampled_from([None, SF, SF + "AAA", SF.swapcase(), "0015000000xyzXY", "junk"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), NAMES, IDS), max_size=6),
    st.lists(st.tuples(NAMES, st.none() | st.integers(1, 6), IDS, st.booleans()), max_size=6),
    st.booleans(),
)
def test_no_two_accounts_get_one_row_or_one_name_and_names_can_be_written_in_order(incoming, rows, complete):
    partners = [partner(number, name, salesforce) for number, name, salesforce in incoming]
    unique_rows = {collation_key(row[0]): row for row in rows}.values()
    before = [stored(index + 1, *row[:3], is_active=row[3]) for index, row in enumerate(unique_rows)]
    result = assign_partner_rows(partners, before, complete=complete)

    assert {each.impartner_id for _, each in result.rows} == {each.impartner_id for each in partners}
    row_ids = [row_id for row_id, _ in result.rows if row_id is not None]
    assert len(row_ids) == len(set(row_ids))
    table = {row.id: row.account_name for row in before}
    for row_id, name in result.name_moves:
        table[row_id] = name
        assert len({collation_key(each) for each in table.values()}) == len(table)
    for number, (row_id, each) in enumerate(result.rows):
        assert len(each.account_name) <= 255
        table[row_id if row_id is not None else 100 + number] = each.account_name
        assert len({collation_key(name) for name in table.values()}) == len(table)

    active_outside = {row.id: row.account_name for row in before if row.is_active and row.id not in row_ids}
    assert {row_id: table[row_id] for row_id in active_outside} == active_outside


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), NAMES, IDS), max_size=6))
def test_a_second_sync_of_the_same_accounts_changes_nothing(incoming):
    partners = [partner(number, name, salesforce) for number, name, salesforce in incoming]
    first = assign_partner_rows(partners, [])
    after = [
        stored(index + 1, each.account_name, each.impartner_id, each.salesforce_id)
        for index, (_, each) in enumerate(first.rows)
    ]
    second = assign_partner_rows(partners, after)
    assert second.rows == tuple((row.id, replace(each)) for row, (_, each) in zip(after, first.rows, strict=True))
    assert second.name_moves == ()


def test_a_row_of_a_gone_account_stays_for_who_has_its_salesforce_id_or_name_now():
    rows = [stored(1, "Larch", 7, SF), stored(2, "Birch", 8, is_active=False)]
    assert rows_of_successors([partner(8, "Larch", SF)], rows, {1}) == {1}
    assert rows_of_successors([partner(9, "LARCH")], rows, {1}) == {1}
    assert rows_of_successors([partner(9, "Birch")], rows, {1}) == set()


def test_an_account_with_an_active_row_of_its_own_needs_no_row_of_one_that_is_gone():
    rows = [stored(1, "Larch", 7), stored(2, "Larch (#8)", 8)]
    assert rows_of_successors([partner(8, "Larch")], rows, {1}) == set()
    assert rows_of_successors([partner(8, "Larch")], rows, {1, 2}) == {2}
