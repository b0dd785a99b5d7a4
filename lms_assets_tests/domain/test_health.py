"""When an installation is called healthy, at the bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.operations.health import (
    DAEMON_REPORTS_WITHIN,
    LONGEST_WAIT,
    HealthFacts,
    OpenIncident,
    age_text,
    health,
)
from lms_assets.domain.schedule import Overdue
from lms_assets.lineage import NIGHTLY

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TONIGHT = datetime(2026, 3, 2, 2, 12, tzinfo=UTC)
LATE = Overdue("leads_incremental", ("leads",), NOW - timedelta(hours=2))
REFUSED = OpenIncident("push", "not taken", NOW - timedelta(hours=3))
WELL = HealthFacts(last_good_chain=TONIGHT, daemon_seen=NOW)


def unhealthy(facts: HealthFacts, now: datetime = NOW) -> list[str]:
    return [each.name for each in health(facts, now, NIGHTLY) if not each.healthy]


def test_an_installation_that_works_is_healthy():
    assert unhealthy(WELL) == []
    assert [each.name for each in health(WELL, NOW, NIGHTLY)] == [
        "schema",
        "chain",
        "assets",
        "incidents",
        "queue",
        "daemon",
    ]


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        (replace(WELL, last_good_chain=None), "chain", "lms-assets run daily_full"),
        (
            replace(WELL, last_good_chain=TONIGHT - timedelta(days=1)),
            "chain",
            "last completed 1 day 9 h ago",
        ),
        (
            replace(WELL, overdue=[LATE]),
            "assets",
            "leads",
        ),
        (
            replace(WELL, incidents=[REFUSED]),
            "incidents",
            "1 is open",
        ),
        (replace(WELL, queued=1, queued_since=NOW - LONGEST_WAIT - timedelta(minutes=1)), "queue", "4 h 1 min"),
        (replace(WELL, daemon_seen=None), "daemon", "never reported"),
        (replace(WELL, daemon_seen=NOW - DAEMON_REPORTS_WITHIN - timedelta(minutes=1)), "daemon", "6 min ago"),
        (HealthFacts(schema_problem="run `lms-assets db upgrade`"), "schema", "db upgrade"),
    ],
)
def test_each_thing_that_is_wrong_is_named_alone_with_what_was_seen(facts: HealthFacts, name: str, said: str):
    found = [each for each in health(facts, NOW, NIGHTLY) if not each.healthy]
    assert [each.name for each in found] == [name]
    assert said in found[0].note


@pytest.mark.parametrize(
    "facts",
    [
        replace(WELL, incidents=[OpenIncident("warning", "4 courses", NOW)]),
        replace(WELL, queued=2, queued_since=NOW - LONGEST_WAIT),
        replace(WELL, daemon_seen=NOW - DAEMON_REPORTS_WITHIN),
        replace(WELL, daemon_seen=None, daemon_needed=False),
    ],
)
def test_what_is_within_its_bound_or_only_warns_leaves_it_healthy(facts: HealthFacts):
    assert unhealthy(facts) == []


def test_the_nightly_chain_is_late_three_hours_after_its_tick():
    """The chain of the night before is good until the new one should have ended."""
    yesterday = replace(WELL, last_good_chain=TONIGHT - timedelta(days=1))
    assert unhealthy(yesterday, TONIGHT.replace(hour=4, minute=59)) == []
    assert "chain" in unhealthy(yesterday, TONIGHT.replace(hour=5, minute=1))


def test_ages_are_told_in_their_two_largest_units():
    periods = (timedelta(seconds=59), timedelta(hours=2, minutes=10), timedelta(days=3, hours=4, minutes=59))
    assert [age_text(each) for each in periods] == ["0 min", "2 h 10 min", "3 days 4 h"]
