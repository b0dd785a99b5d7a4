"""Exactly the runs that the schedule table asks for: by the table itself, and by Dagster's scheduler on its storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

from lms_assets.automation.jobs import SCHEDULES
from lms_assets.lineage import TIMETABLE
from lms_assets.run_tags import AS_OF_TAG
from lms_assets_tests.harness.quick_instance import QUICK_EVENTS
from lms_assets_tests.harness.scheduler import scheduler_of

WEEK = timedelta(days=7)


def expected(begin: datetime, end: datetime) -> Counter[tuple[datetime, str]]:
    """The schedule table of the domain rules, written down a second time: (tick, job)."""
    ticks: Counter[tuple[datetime, str]] = Counter()
    at = begin
    while at < end:
        weekday = at.weekday()
        if at.minute == 0:
            ticks[at, "daily_full"] += at.hour == 2
            ticks[at, "enrollments_incremental"] += at.hour in (6, 10, 14, 18, 22)
            ticks[at, "leads_incremental"] += at.hour in (8, 14, 20)
            ticks[at, "leads_full"] += weekday == 6 and at.hour == 3
            ticks[at, "cleanup"] += weekday == 6 and at.hour == 4
            ticks[at, "weekly_reports"] += weekday == 0 and at.hour == 8
        at += timedelta(minutes=1)
    return +ticks


def new_years_week(after: datetime) -> datetime:
    """The Monday of the week in which the next year begins."""
    new_year = datetime(after.year + 1, 1, 1, tzinfo=UTC)
    return new_year - timedelta(days=new_year.weekday())


def test_every_minute_of_a_year_has_the_runs_of_the_table_and_no_other():
    begin = datetime(2026, 12, 1, tzinfo=UTC)
    end = begin + timedelta(days=400)
    found: Counter[tuple[datetime, str]] = Counter()
    for line in TIMETABLE:
        tick = line.next_after(begin - timedelta(minutes=1))
        while tick < end:
            found[tick, line.job] += 1
            assert line.last_until(tick + timedelta(minutes=59)) == tick
            tick = line.next_after(tick)
    assert found == expected(begin, end)


def test_each_schedule_has_its_line_and_is_off_until_somebody_switches_it_on():
    assert {schedule.name for schedule in SCHEDULES} == {line.schedule for line in TIMETABLE}
    for line, schedule in zip(TIMETABLE, SCHEDULES, strict=True):
        assert (schedule.cron_schedule, schedule.execution_timezone) == (line.cron, "UTC")
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def storage_in(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    address = {"username": parts.username, "password": parts.password, "hostname": parts.hostname, "port": parts.port}
    return {"storage": {"mysql": {"mysql_db": {**address, "db_name": parts.path.strip("/")}}}}


@pytest.fixture
def instance(kind: str, request: pytest.FixtureRequest, quick_folder: Path) -> Iterator[dg.DagsterInstance]:
    """The scheduler's state and its runs in each kind of storage, with a queue that nobody empties.

    On SQLite the log of events is in memory: planning 73 runs there takes four times as long as deciding on them.
    """
    overrides = storage_in(request.getfixturevalue("mariadb_url")) if kind == "mariadb" else QUICK_EVENTS
    with dg.instance_for_test(temp_dir=str(quick_folder), overrides=overrides) as made:
        yield made


def end_queued_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    for run in runs:
        instance.report_run_canceled(run)
    return runs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "first", "days"),
    [
        # All that the table has for a Sunday, and then for a Monday; the other days have less of it.
        pytest.param("sqlite", 6, 1, id="Sunday"),
        pytest.param("sqlite", 0, 7, id="a week over New Year", marks=pytest.mark.long),
        pytest.param("mariadb", 0, 7, id="a week over New Year on MariaDB", marks=pytest.mark.long),
    ],
)
def test_exactly_the_runs_of_the_table_are_launched(instance: dg.DagsterInstance, first: int, days: int):
    """Asked every hour: a tick of any minute in between would be launched by the next asking.

    Then a run is left in the queue over the next night: no second one joins it, and no run that does its work.
    """
    begin = new_years_week(datetime.now(UTC) + WEEK) + timedelta(days=first)
    end = begin + timedelta(days=days)
    found: Counter[tuple[datetime, str]] = Counter()
    with scheduler_of("lms_assets.definitions", instance) as scheduler:
        assert set(scheduler.switch_on()) == {line.schedule for line in TIMETABLE}
        scheduler.until(begin - timedelta(minutes=1))
        end_queued_runs(instance)
        asked = begin
        while asked < end:
            scheduler.until(asked + timedelta(seconds=1))
            found.update(
                (datetime.fromisoformat(run.tags[AS_OF_TAG]), run.job_name) for run in end_queued_runs(instance)
            )
            asked += timedelta(hours=1)
        scheduler.until(end + timedelta(hours=3))
        for hours in range(6, 30, 4):
            scheduler.until(end + timedelta(hours=hours, seconds=1))
        left = Counter(run.job_name for run in end_queued_runs(instance))
    assert found == expected(begin, end)
    assert left["daily_full"] == 1
    assert left["enrollments_incremental"] == 0
    assert left["weekly_reports"] == 1, "each of these days is followed by a Monday"


def evaluate(instance: dg.DagsterInstance, job: str, at: datetime) -> dg.RunRequest | str:
    """What the job's schedule answers at an instant: a run, or why there is none."""
    (schedule,) = (each for each, line in zip(SCHEDULES, TIMETABLE, strict=True) if line.job == job)
    answer = schedule.evaluate_tick(dg.build_schedule_context(instance=instance, scheduled_execution_time=at))
    if answer.run_requests:
        (request,) = answer.run_requests
        return request
    return answer.skip_message or ""


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
)
def test_a_tick_is_left_out_with_its_reason_while_the_same_job_runs(status: dg.DagsterRunStatus):
    at = datetime(2027, 1, 1, 2, tzinfo=UTC)
    with dg.instance_for_test() as instance:
        assert isinstance(evaluate(instance, "daily_full", at), dg.RunRequest)
        running = dg.DagsterRun(job_name="daily_full", status=status)
        instance.add_run(running)
        assert evaluate(instance, "daily_full", at).startswith(f"daily_full is {status.value.lower()} (run ")
        assert "daily_full is" in evaluate(instance, "enrollments_incremental", at.replace(hour=6))
        assert isinstance(evaluate(instance, "leads_incremental", at.replace(hour=8)), dg.RunRequest)


def test_runs_cover_their_weeks_over_the_change_of_the_year():
    with dg.instance_for_test() as instance:
        full = evaluate(instance, "daily_full", datetime(2027, 1, 4, 2, tzinfo=UTC)).tags
        week = evaluate(instance, "enrollments_incremental", datetime(2027, 1, 3, 22, tzinfo=UTC)).tags
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    assert (full[start], full[end]) == ("2024-01-01", "2027-01-04")
    assert (week[start], week[end]) == ("2026-12-21", "2026-12-28")
    assert week[AS_OF_TAG] == "2027-01-03T22:00:00+00:00"
