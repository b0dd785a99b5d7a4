from __future__ import annotations

import pytest

from lms_assets.domain.records.contacts import (
    StoredContact,
    Successor,
    assign_contact_rows,
    contacts_that_wait,
    rows_with_successor,
    surrendered_email,
)

ANN, BEN = "ann@larch.example", "ben@larch.example"


def row(row_id, email, impartner_id=None, *, is_active=True):
    return StoredContact(row_id, email, impartner_id, is_active)


def test_a_contact_keeps_its_row_whatever_its_address():
    assert assign_contact_rows([(7, BEN)], [row(1, ANN, 7)]).rows == (1,)


def test_a_row_without_a_claim_by_id_goes_to_the_contact_with_its_address():
    assert assign_contact_rows([(8, ANN)], [row(1, ANN, 7)]).rows == (1,)
    assert assign_contact_rows([(8, ANN)], [row(1, ANN)]).rows == (1,)


def test_of_two_rows_with_one_crm_id_the_active_one_goes_first_then_the_lower_id():
    assert assign_contact_rows([(7, "new@larch.example")], [row(1, ANN, 7, is_active=False), row(2, BEN, 7)]).rows == (
        2,
    )
    assert assign_contact_rows([(7, "new@larch.example")], [row(2, BEN, 7), row(1, ANN, 7)]).rows == (1,)


def test_a_row_whose_address_somebody_with_a_row_needs_has_to_give_it_up():
    assignment = assign_contact_rows([(8, ANN)], [row(1, ANN, 7), row(2, BEN, 8)])
    assert (assignment.rows, assignment.displaced) == ((2,), (1,))
    assert surrendered_email(1) != surrendered_email(2)


def test_a_swap_of_addresses_displaces_nobody():
    assignment = assign_contact_rows([(7, BEN), (8, ANN)], [row(1, ANN, 7), row(2, BEN, 8)])
    assert (assignment.rows, assignment.displaced) == ((1, 2), ())


@pytest.mark.parametrize(
    ("successor", "kept"),
    [
        (Successor(ANN, 40), {1}),
        (Successor(BEN, 40), set()),
        (Successor(ANN, 50), set()),
        (Successor(ANN, None), set()),
        (Successor(ANN, None, partner_is_known=False), {1}),
        (Successor(BEN, None, partner_is_known=False), set()),
    ],
)
def test_a_row_stays_when_another_contact_of_its_partner_has_its_address_now(successor, kept):
    assert rows_with_successor([row(1, ANN, 7)], {1: 40}, [successor]) == kept


def test_a_row_of_no_partner_stays_for_a_successor_without_one():
    assert rows_with_successor([row(1, ANN, 7), row(2, BEN, 8)], {1: None}, [Successor(ANN, None)]) == {1}


def test_one_of_several_contacts_with_the_address_is_enough():
    assert rows_with_successor([row(1, ANN, 7)], {1: 40}, [Successor(ANN, 50), Successor(ANN, 40)]) == {1}


def test_a_contact_waits_for_the_address_of_one_of_whom_nothing_was_learnt():
    rows = [row(1, ANN, 7), row(2, BEN, 8, is_active=False), row(3, "cay@larch.example")]
    assert contacts_that_wait([(9, ANN)], rows, {7}) == {9: 7}
    assert contacts_that_wait([(9, ANN)], rows, {8}) == {}
    assert contacts_that_wait([(7, ANN)], rows, {7}) == {}
    assert contacts_that_wait([(9, BEN), (10, "cay@larch.example")], rows, {7, 8}) == {}
