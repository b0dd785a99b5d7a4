"""Who is below its tier's requirement, since when, and when the next one will be: worked by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lms_assets.domain.counting.compliance import DEFAULT_TIER_REQUIREMENTS, TotalAt, requirement_of, standing

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
AHEAD = NOW + timedelta(days=90)
DAY = timedelta(days=1)


def totals(*steps: tuple[float, int]) -> list[TotalAt]:
    return [TotalAt(NOW + DAY * days, npcu) for days, npcu in steps]


def test_a_partner_with_just_enough_meets_its_requirement():
    found = standing(10, totals((-300, 4), (-200, 10)), at=NOW, until=AHEAD)

    assert (found.status, found.npcu, found.missing) == ("meets", 10, 0)


def test_a_partner_below_says_since_when_and_how_much_is_missing():
    found = standing(10, totals((-300, 12), (-40, 9), (-10, 8)), at=NOW, until=AHEAD)

    assert found.status == "below"
    assert found.since == NOW - 40 * DAY
    assert found.missing == 2


def test_one_that_recovered_in_between_is_below_since_the_second_fall():
    found = standing(10, totals((-300, 12), (-60, 9), (-50, 11), (-3, 7)), at=NOW, until=AHEAD)

    assert found.since == NOW - 3 * DAY


def test_one_that_never_met_it_has_no_date():
    found = standing(10, totals((-300, 3), (-40, 9)), at=NOW, until=AHEAD)

    assert (found.status, found.since, found.missing) == ("below", None, 1)


def test_a_partner_without_any_learning_is_below_with_everything_missing():
    found = standing(10, [], at=NOW, until=AHEAD)

    assert (found.status, found.missing, found.since) == ("below", 10, None)


def test_the_first_expiry_that_takes_it_below_is_the_instant_at_which_it_falls():
    found = standing(10, totals((-300, 12), (20, 11), (35.5, 9), (60, 5)), at=NOW, until=AHEAD)

    assert found.status == "about to fall below"
    assert (found.falls_at, found.falls_to) == (NOW + 35.5 * DAY, 9)


def test_what_falls_after_the_horizon_is_not_yet_told_and_on_it_is():
    assert standing(10, totals((-9, 12), (91, 2)), at=NOW, until=AHEAD).status == "meets"
    assert standing(10, totals((-9, 12), (90, 2)), at=NOW, until=AHEAD).status == "about to fall below"


def test_an_expiry_at_the_instant_of_counting_has_happened():
    """At the instant of expiry it no longer counts (domain rules)."""
    found = standing(10, totals((-9, 12), (0, 2)), at=NOW, until=AHEAD)

    assert (found.status, found.since, found.npcu) == ("below", NOW, 2)


def test_a_tier_that_asks_for_nothing_is_never_below():
    assert standing(0, [], at=NOW, until=AHEAD).status == "no requirement"


def test_a_tier_is_found_whatever_its_case_and_an_unknown_one_asks_for_nothing():
    requirements = {**DEFAULT_TIER_REQUIREMENTS, "Premier": 25}

    assert requirement_of(" premier ", requirements) == 25
    assert requirement_of("Premier Plus", requirements) == 30
    assert requirement_of("Gold", requirements) == 0
    assert requirement_of(None, requirements) == 0
