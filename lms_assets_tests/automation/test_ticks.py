"""Sensors that err and schedules that do not tick are noticed: by ticks that Dagster's own daemon wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lms_assets.automation.alerting.alerts import open_incidents_sensor
from lms_assets.automation.alerting.collect import silent_instigators
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.automation.receiver import Receiver, receiving
from lms_assets_tests.harness.chain import NOW
from lms_assets_tests.harness.folders import temporary_folder
from lms_assets_tests.harness.scheduler import Scheduler, scheduler_of

MINUTE = timedelta(minutes=1)
BEGIN = NOW + 30 * MINUTE
NEEDS = ("LMS_", "NORTHPASS_", "IMPARTNER_")
FAILING = "chains_without_process_sensor"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[DaemonHarness, Scheduler, Receiver]]:
    """A harness and a daemon's scheduler over its instance; its code server has no configuration: sensors err there."""
    with (
        temporary_folder() as folder,
        pytest.MonkeyPatch.context() as patch,
        receiving() as receiver,
        watched_harness(folder, events_on_disk=True, LMS_ALERT_URLS=receiver.alert_url) as harness,
    ):
        for name in [name for name in harness.environment if name.startswith(NEEDS)]:
            patch.delenv(name, raising=False)
        with scheduler_of("lms_assets.definitions", harness.instance) as scheduler:
            yield harness, scheduler, receiver


@pytest.fixture
def harness(place: tuple[DaemonHarness, Scheduler, Receiver]) -> DaemonHarness:
    return place[0]


@pytest.fixture
def scheduler(place: tuple[DaemonHarness, Scheduler, Receiver]) -> Scheduler:
    return place[1]


@pytest.fixture
def receiver(place: tuple[DaemonHarness, Scheduler, Receiver]) -> Receiver:
    return place[2]


@pytest.fixture(autouse=True)
def fresh(harness: DaemonHarness, scheduler: Scheduler, receiver: Receiver) -> None:
    """No instigator has ever been on, nobody has been told anything, and it is a Monday, half past two."""
    harness.instance.schedule_storage.wipe()
    scheduler.forget()
    receiver.posts.clear()
    harness.sandbox.mutate("clock", to=BEGIN.strftime("%Y-%m-%dT%H:%M:%SZ"))


def silent(harness: DaemonHarness) -> dict[str, str]:
    """Who is silent at the harness's time, and what is wrong."""
    return {each.name: each.problem for each in silent_instigators(harness.instance, harness.now)}


def last_tick(harness: DaemonHarness, name: str) -> Any:
    (state,) = [state for state in harness.instance.all_instigator_state() if state.instigator_name == name]
    return harness.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0]


def becomes(harness: DaemonHarness, tick: Any, status: str, error: Any = None) -> None:
    """Let a tick have ended in another way."""
    harness.instance.update_tick(tick.with_status(type(tick.status)(status), error=error, skip_reason=None))


def test_a_schedule_that_does_not_tick_is_noticed_a_quarter_of_an_hour_later(
    harness: DaemonHarness, scheduler: Scheduler
):
    scheduler.switch_on(at=BEGIN)
    scheduler.until(harness.advance(hours=4))
    assert silent(harness) == {}
    harness.advance(hours=1, minutes=44)
    assert silent(harness) == {}, "a quarter of an hour: it may be on its way"
    harness.advance(minutes=1)
    assert silent(harness) == dict.fromkeys(
        ("leads_thrice_daily", "reports_on_mondays"), "did not tick when it was due"
    )
    scheduler.until(harness.now)
    assert silent(harness) == {}, "a daemon that is back catches up"


def test_a_schedule_that_is_off_or_was_switched_on_after_its_time_is_not_missed(
    harness: DaemonHarness, scheduler: Scheduler
):
    harness.advance(days=3)
    assert silent(harness) == {}, "off"
    scheduler.switch_on(at=harness.now)
    harness.advance(hours=3)
    assert silent(harness) == {}, "what was due before it was on"


def test_a_schedule_whose_last_tick_failed_is_noticed_at_once_without_any_address(
    harness: DaemonHarness, scheduler: Scheduler
):
    scheduler.switch_on(at=BEGIN)
    scheduler.until(harness.advance(hours=4))
    tick = last_tick(harness, "enrollments_every_4_hours")
    scheduler.sense(harness.now)
    error = last_tick(harness, FAILING).error._replace(message="no room for jane@example.com\nmore\n", cause=None)
    becomes(harness, tick, "FAILURE", error=error)
    (problem,) = (said for name, said in silent(harness).items() if name == "enrollments_every_4_hours")
    assert problem.startswith("errs: no room for")
    assert "jane@example.com" not in problem
    assert "more" not in problem
    becomes(harness, last_tick(harness, "enrollments_every_4_hours"), "FAILURE", error=error._replace(message=""))
    assert silent(harness)["enrollments_every_4_hours"] == "errs: without a result"
    scheduler.until(harness.advance(hours=4))
    assert "enrollments_every_4_hours" not in silent(harness)


def test_a_sensor_is_noticed_after_three_failed_ticks_in_a_row_by_what_went_wrong(
    harness: DaemonHarness, scheduler: Scheduler
):
    for _ in range(2):
        scheduler.sense(harness.advance(minutes=2))
        assert silent(harness) == {}
    scheduler.sense(harness.advance(minutes=2))
    assert "LMS_WAREHOUSE_URL" in silent(harness)[FAILING], "the innermost error, not Dagster's wrapping"
    (found,) = [each for each in silent_instigators(harness.instance, harness.now) if each.name == FAILING]
    assert (found.kind, found.since) == ("sensor", BEGIN + 2 * MINUTE)
    scheduler.sense(harness.advance(minutes=2))
    becomes(harness, last_tick(harness, FAILING), "STARTED")
    assert FAILING in silent(harness), "a tick that is under way says nothing yet"
    becomes(harness, last_tick(harness, FAILING), "SKIPPED")
    assert FAILING not in silent(harness)


def test_a_sensor_that_errs_is_one_alert_and_one_when_it_works_again(
    harness: DaemonHarness, scheduler: Scheduler, receiver: Receiver
):
    def minutes_later(minutes: int, *, well: bool = False) -> None:
        """The sensor ticks; then the watcher looks, whose own ticks are in order."""
        scheduler.sense(harness.advance(minutes=minutes))
        becomes(harness, last_tick(harness, open_incidents_sensor.name), "SKIPPED")
        if well:
            becomes(harness, last_tick(harness, FAILING), "SKIPPED")
        harness.tick(open_incidents_sensor)

    for _ in range(3):
        minutes_later(1)
    assert receiver.posts == [], "a sensor is given a few minutes"
    for minutes in (5, 1):
        minutes_later(minutes)
    (alert,) = receiver.posts
    assert f"The sensor {FAILING} errs" in alert["message"]
    assert "LMS_WAREHOUSE_URL" in alert["message"]
    minutes_later(1, well=True)
    harness.tick(open_incidents_sensor)
    assert len(receiver.titles) == 2
    assert "resolved" in receiver.titles[1]
