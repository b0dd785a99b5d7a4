"""When a group's member list may take somebody out."""

from __future__ import annotations

import pytest

from lms_assets.domain.sync_plans.memberships import count_gap, is_far_short, why_list_proves_nothing


@pytest.mark.parametrize(
    ("counted", "listed", "gap"), [(5, 3, 2), (3, 5, -2), (3, 3, 0), (0, 2, -2), (None, 5, 0), (None, 0, 0)]
)
def test_a_gap_is_what_the_group_counts_beyond_its_list(counted, listed, gap):
    assert count_gap(counted, listed) == gap


@pytest.mark.parametrize(
    ("counted", "listed", "known_gap", "wants_a_second_look"),
    [
        (100, 80, 0, False),  # a fifth may lack
        (100, 79, 0, True),
        (5, 3, 0, False),  # two people may always lack
        (5, 2, 0, True),
        (3, 1, 0, False),
        (1, 0, 0, True),  # an empty list may be a wrong 404
        (2, 0, 2, False),  # it was as empty before
        (100, 70, 10, False),  # what lacked before lacks no more than before
        (100, 69, 10, True),
        (100, 100, -5, False),
        (10, 30, 0, False),
        (0, 0, 0, False),
        (None, 0, 0, False),
        (None, 0, -9, False),
        (None, 7, 0, False),
    ],
)
def test_a_list_that_lacks_many_of_those_whom_the_group_counts_wants_a_second_look(
    counted, listed, known_gap, wants_a_second_look
):
    assert is_far_short(counted, listed, known_gap) is wants_a_second_look


@pytest.mark.parametrize(
    ("second", "counted", "known_gap", "complete", "said"),
    [
        ({"ann", "bob"}, 2, 0, True, None),
        ({"ann", "bob"}, None, 0, True, None),
        ({"ann", "bob"}, 1, 0, True, None),
        ({"ann", "bob"}, 5, 3, True, None),
        ({"ann", "bob"}, 6, 3, True, "2 members came, and the group's own number is 6"),
        ({"ann", "bob"}, 3, 0, True, "2 members came, and the group's own number is 3"),
        ({"ann"}, 2, 0, True, "two readings differ in 1 of 2"),
        ({"ann", "cat"}, 2, 0, True, "two readings differ in 2 of 3"),
        ({"ann", "bob"}, 2, 0, False, "the second reading was incomplete"),
    ],
)
def test_two_equal_readings_prove_a_list_unless_the_group_counts_more(second, counted, known_gap, complete, said):
    found = why_list_proves_nothing({"ann", "bob"}, second, counted, known_gap, second_is_complete=complete)
    assert found is None if said is None else (found or "").startswith(said)
