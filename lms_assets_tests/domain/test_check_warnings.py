"""Warnings: which of them need a person now, and what the others come to once a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lms_assets.domain.operations.check_warnings import Level, digest_is_due, digest_of, follow, incident_of
from lms_assets.domain.operations.incident import CheckFinding

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
UI = "https://dagster.example.com"


def warned(asset: str, check: str, passed: bool, text: str, count: int | None, **fields: Any) -> CheckFinding:
    given: dict[str, Any] = {"level": "warning", "remedy": "Correct them."}
    return CheckFinding(asset, check, passed, text, "run-1", NOW, count=count, **(given | fields))


def odd(count: int | None, *, costs: bool = False, passed: bool | None = None) -> CheckFinding:
    passed = count == 0 if passed is None else passed
    return warned("courses", "npcu_is_valid", passed, f"odd: {count}", count, costs_counts=costs)


def numbers(*counts: int, costs: bool = False) -> list[int | None]:
    """The peak after each evaluation, an hour apart; None while nothing has risen."""
    levels: dict[str, Level] = {}
    peaks = []
    for hour, count in enumerate(counts):
        risen, levels = follow([odd(count, costs=costs)], levels, NOW + timedelta(hours=hour))
        peaks.append(risen[0].peak if risen else None)
    return peaks


def test_what_was_odd_from_the_beginning_is_known_and_what_rises_is_told():
    assert numbers(4, 4, 5, 5, 4, 4) == [None, None, 5, 5, None, None]
    assert numbers(0, 1) == [None, 1]


def test_a_number_that_falls_is_the_new_known_one():
    assert numbers(4, 2, 3, 2) == [None, None, 3, None]


def test_it_is_told_again_only_when_it_rises_above_what_was_told():
    assert numbers(4, 6, 5, 6, 7) == [None, 6, 6, 6, 7]


def test_a_warning_that_costs_counts_is_told_from_the_first_time_until_it_is_over():
    assert numbers(2, 2, 1, 0, costs=True) == [2, 2, 2, None]
    risen, levels = follow([odd(2, costs=True)], {}, NOW)
    risen, _ = follow([odd(2, costs=True)], levels, NOW + timedelta(days=30))
    assert len(risen) == 1


def test_each_warning_is_followed_by_itself():
    def named(name: str, count: int) -> CheckFinding:
        return warned("courses", name, count == 0, f"odd: {count}", count)

    _, levels = follow([named("a", 4), named("b", 4), named("c", 4)], {}, NOW)
    risen, levels = follow([named("a", 5), named("b", 4), named("c", 4)], levels, NOW)
    assert [each.warned.check for each in risen] == ["a"]
    risen, levels = follow([named("a", 5), named("b", 4), named("c", 6)], levels, NOW + timedelta(days=7))
    assert [(each.warned.check, each.known, each.peak) for each in risen] == [("c", 4, 6)]
    assert {name: level.known for name, level in levels.items()} == {"a": 5, "b": 4, "c": 4}


def test_a_risen_number_is_known_after_a_week():
    _, levels = follow([odd(4)], {}, NOW)
    risen, levels = follow([odd(5)], levels, NOW)
    assert len(risen) == 1
    risen, levels = follow([odd(5)], levels, NOW + timedelta(days=7) - timedelta(seconds=1))
    assert len(risen) == 1
    risen, levels = follow([odd(5)], levels, NOW + timedelta(days=7))
    assert (risen, levels["npcu_is_valid"]) == ((), Level(5))


def test_a_check_without_a_number_never_rises_unless_it_costs_counts():
    _, levels = follow([odd(None, passed=True)], {}, NOW)
    assert follow([odd(None, passed=False)], levels, NOW)[0] == ()
    assert len(follow([odd(None, passed=False, costs=True)], levels, NOW)[0]) == 1


def test_levels_survive_their_storing():
    _, levels = follow([odd(4)], {}, NOW)
    _, levels = follow([odd(5)], levels, NOW)
    assert {name: Level(**level.as_json()) for name, level in levels.items()} == levels


def test_the_alert_says_what_has_risen_and_what_to_do():
    _, levels = follow([odd(4)], {}, NOW)
    ((risen,), _) = follow([odd(5)], levels, NOW)
    incident = incident_of(risen)
    assert incident.what == "Check npcu_is_valid on courses: odd: 5"
    assert "from 4 to 5" in incident.effect
    assert (incident.remedy, incident.grade, incident.run_id) == ("Correct them.", "5", "run-1")
    ((costly,), _) = follow([odd(1, costs=True)], {}, NOW)
    assert "Counts are too low" in incident_of(costly).effect


def test_the_digest_comes_once_a_day_after_seven():
    assert not digest_is_due(None, NOW.replace(hour=6, minute=59))
    assert digest_is_due(None, NOW.replace(hour=7))
    assert not digest_is_due("2026-03-02", NOW)
    assert digest_is_due("2026-03-01", NOW)


def test_the_digest_holds_the_red_warnings_that_are_no_incident():
    other = warned("leads", "leads_are_present", False, "0 leads", 0, remedy="Run leads_full.")
    risen, _ = follow([odd(1, costs=True)], {}, NOW)
    message = digest_of([odd(1, costs=True), other, odd(0)], risen, UI)
    assert message is not None
    assert message.good, "nothing needs a person at once"
    assert message.title == "lms-assets: daily digest, 1 check warns"
    assert "leads, leads_are_present: 0 leads. Run leads_full." in message.body
    assert "npcu_is_valid" not in message.body
    assert digest_of([odd(0)], (), UI) is None
