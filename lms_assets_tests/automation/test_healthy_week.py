"""A healthy week is silent: everything that the timetable runs, over a changing vendor state, and no message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lms_assets.automation.alerting.alerts import open_incidents_sensor
from lms_assets.automation.sensors import push_after_enrollments_sensor
from lms_assets.lineage import TIMETABLE
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.automation.receiver import receiving
from lms_assets_tests.harness.chain import NOW, SMALL
from lms_assets_tests.harness.mariadb import MariaDbServer

# Of five syncs of enrollments a day and three of leads, as few as the cadences bear: gaps of 8 and of 12 hours, where
# 10 and 14 are overdue. What more of them would add is runs after shorter gaps.
ENOUGH = {"enrollments_incremental": (10, 18), "leads_incremental": (8, 20)}
DAYS_ON_WHICH_COUNTS_CHANGE = (0, 2, 5)


def ticks(begin: datetime, end: datetime) -> Iterator[tuple[datetime, str]]:
    """The runs by the timetable, thinned: when, and which job."""
    found = []
    for line in TIMETABLE:
        tick = line.next_after(begin - timedelta(seconds=1))
        while tick < end:
            if tick.hour in ENOUGH.get(line.job, line.hours):
                found.append((tick, line.job))
            tick = line.next_after(tick)
    yield from sorted(found)


def something_happens(harness: DaemonHarness, day: int) -> None:
    """A few people finish a certification, and one leaves."""
    done = [row for row in harness.rows("lms_enrollments") if row["status"] == "completed"]
    course = next(row["id"] for row in harness.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")
    people = sorted({row["user_id"] for row in done} & set(harness.sandbox.vendor_state.people))
    for person in people[4 * day : 4 * day + 3]:
        harness.sandbox.mutate("complete_course", person=person, course=course)
    harness.sandbox.mutate("disable_person", person=people[4 * day + 3])


def wait_for(harness: DaemonHarness, tick: datetime) -> None:
    """Go on to the next run. Late is told when it stays late: two looks just before, when all is oldest."""
    for before in (timedelta(minutes=31), timedelta(0)):
        harness.advance(seconds=max((tick - before - harness.now).total_seconds(), 0))
        harness.tick(open_incidents_sensor)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "days"),
    [
        # All that a Sunday and a Monday bring; the other days bring less of it.
        pytest.param(NOW - timedelta(days=1), 2, id="Sunday and Monday"),
        pytest.param(NOW, 7, id="a week", marks=pytest.mark.long),
    ],
)
def test_healthy_days_are_silent_and_each_night_beats_once(quick_folder: Path, begin: datetime, days: int):
    silent_days(quick_folder, begin, days)


@pytest.mark.long
def test_a_week_on_mariadb_is_silent_through_a_minute_without_it(quick_folder: Path):
    """Dagster's own state and the warehouse, both; what is asked meanwhile fails, and nothing stays broken."""
    server = MariaDbServer()
    server.create()
    try:
        with server.fresh_database("week_dagster") as dagster, server.fresh_database("week_portal") as portal:
            silent_days(quick_folder, NOW, 7, server=server, dagster=dagster, portal=portal)
    finally:
        server.remove()


def without_a_server(harness: DaemonHarness, server: MariaDbServer) -> None:
    """A minute in which the database does not answer, and a look in it."""
    server.stop()
    with pytest.raises(Exception, match="cannot be reached"):
        harness.tick(open_incidents_sensor)
    server.start()
    harness.advance(minutes=1)


def silent_days(
    folder: Path,
    begin: datetime,
    days: int,
    *,
    server: MariaDbServer | None = None,
    dagster: str = "",
    portal: str = "",
) -> None:
    """Days by the timetable without a message; with a server that is away for a minute on the third of them.

    Args:
        dagster: where on the server Dagster keeps its state. portal: where the warehouse is.
    """
    runs: Counter[str] = Counter()
    changes = [day for day in DAYS_ON_WHICH_COUNTS_CHANGE if day < days]
    with receiving() as receiver:
        urls = {"LMS_ALERT_URLS": receiver.alert_url, "LMS_HEARTBEAT_URL": receiver.heartbeat_url}
        more: dict[str, Any] = {}
        if server is not None:
            state = {"storage": {"mysql": {"mysql_url": dagster.replace("mysql://", "mysql+mysqlconnector://")}}}
            more = {"dagster_yaml": state, "events_on_disk": True, "warehouse_url": portal}
        with watched_harness(folder, replace(SMALL, now=begin), **urls, **more) as harness:
            for tick, job in ticks(begin, begin + timedelta(days=days)):
                wait_for(harness, tick)
                if server is not None and job == "enrollments_incremental" and (tick - begin).days == 2:
                    without_a_server(harness, server)
                assert harness.run(job).success
                runs[job] += 1
                if job == "daily_full" and (tick - begin).days in changes:
                    something_happens(harness, (tick - begin).days)
                push = harness.tick(push_after_enrollments_sensor)
                if isinstance(push, dg.RunRequest):
                    assert harness.follow(push, "push_to_impartner").success
                    runs["push_to_impartner"] += 1
                assert receiver.titles == [], f"after {job} at {tick}"
            assert runs["daily_full"] == len(receiver.gets) == days
            assert runs["push_to_impartner"] >= len(changes)
            assert {line.job for line in TIMETABLE} <= set(runs)
            wait_for(harness, harness.now + timedelta(hours=12))
            assert any("Overdue" in title for title in receiver.titles), "the silence was not that of a dead channel"
