"""Sensors that err and schedules that do not tick are noticed: by ticks that Dagster's own daemon wrote."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lms_assets.automation.alerting.alerts import open_incidents_sensor
from lms_assets.automation.alerting.schedule_health import silent_instigators
from lms_assets_tests.automation.receiver import Receiver, receiving
from lms_assets_tests.automation.rig import WatchedRig, watched_rig
from lms_assets_tests.harness.chain import NOW
from lms_assets_tests.harness.scheduler import Scheduler, scheduler_of

MINUTE = timedelta(minutes=1)
BEGIN = NOW + 30 * MINUTE
NEEDS = ("LMS_", "NORTHPASS_", "IMPARTNER_")
FAILING = "chains_without_process_sensor"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[WatchedRig, Scheduler, Receiver]]:
    """A rig, and a daemon's scheduler over its instance, whose code server has no configuration: sensors err there."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lms-ticks-", dir=shared if shared.is_dir() else None))
    with (
        pytest.MonkeyPatch.context() as patch,
        receiving() as receiver,
        watched_rig(folder, events_on_disk=True, LMS_ALERT_URLS=receiver.alert_url) as rig,
    ):
        for name in [name for name in rig.environment if name.startswith(NEEDS)]:
            patch.delenv(name, raising=False)
        with scheduler_of("lms_assets.definitions", rig.instance) as scheduler:
            yield rig, scheduler, receiver
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rig(place: tuple[WatchedRig, Scheduler, Receiver]) -> WatchedRig:
    return place[0]


@pytest.fixture
def scheduler(place: tuple[WatchedRig, Scheduler, Receiver]) -> Scheduler:
    return place[1]


@pytest.fixture
def receiver(place: tuple[WatchedRig, Scheduler, Receiver]) -> Receiver:
    return place[2]


@pytest.fixture(autouse=True)
def fresh(rig: WatchedRig, scheduler: Scheduler, receiver: Receiver) -> None:
    """No instigator has ever been on, nobody has been told anything, and it is a Monday, half past two."""
    rig.instance.schedule_storage.wipe()
    scheduler.forget()
    receiver.posts.clear()
    rig.sandbox.mutate("clock", to=BEGIN.strftime("%Y-%m-%dT%H:%M:%SZ"))


def silent(rig: WatchedRig) -> dict[str, str]:
    """Who is silent at the rig's time, and what is wrong."""
    return {each.name: each.problem for each in silent_instigators(rig.instance, rig.now)}


def last_tick(rig: WatchedRig, name: str) -> Any:
    (state,) = [state for state in rig.instance.all_instigator_state() if state.instigator_name == name]
    return rig.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0]


def becomes(rig: WatchedRig, tick: Any, status: str, error: Any = None) -> None:
    """Let a tick have ended in another way."""
    rig.instance.update_tick(tick.with_status(type(tick.status)(status), error=error, skip_reason=None))


def test_a_schedule_that_does_not_tick_is_noticed_a_quarter_of_an_hour_later(rig: WatchedRig, scheduler: Scheduler):
    scheduler.switch_on(at=BEGIN)
    scheduler.until(rig.advance(hours=4))
    assert silent(rig) == {}
    rig.advance(hours=1, minutes=44)
    assert silent(rig) == {}, "a quarter of an hour: it may be on its way"
    rig.advance(minutes=1)
    assert silent(rig) == dict.fromkeys(("leads_thrice_daily", "reports_on_mondays"), "did not tick when it was due")
    scheduler.until(rig.now)
    assert silent(rig) == {}, "a daemon that is back catches up"


def test_a_schedule_that_is_off_or_was_switched_on_after_its_time_is_not_missed(rig: WatchedRig, scheduler: Scheduler):
    rig.advance(days=3)
    assert silent(rig) == {}, "off"
    scheduler.switch_on(at=rig.now)
    rig.advance(hours=3)
    assert silent(rig) == {}, "what was due before it was on"


def test_a_schedule_whose_last_tick_failed_is_noticed_at_once_without_anybody_s_address(
    rig: WatchedRig, scheduler: Scheduler
):
    scheduler.switch_on(at=BEGIN)
    scheduler.until(rig.advance(hours=4))
    tick = last_tick(rig, "enrollments_every_4_hours")
    scheduler.sense(rig.now)
    error = last_tick(rig, FAILING).error._replace(message="no room for jane@example.com\nmore\n", cause=None)
    becomes(rig, tick, "FAILURE", error=error)
    (problem,) = (said for name, said in silent(rig).items() if name == "enrollments_every_4_hours")
    assert problem.startswith("errs: no room for")
    assert "jane@example.com" not in problem
    assert "more" not in problem
    becomes(rig, last_tick(rig, "enrollments_every_4_hours"), "FAILURE", error=error._replace(message=""))
    assert silent(rig)["enrollments_every_4_hours"] == "errs: without a word"
    scheduler.until(rig.advance(hours=4))
    assert "enrollments_every_4_hours" not in silent(rig)


def test_a_sensor_is_noticed_after_three_failed_ticks_in_a_row_by_what_went_wrong(
    rig: WatchedRig, scheduler: Scheduler
):
    for _ in range(2):
        scheduler.sense(rig.advance(minutes=2))
        assert silent(rig) == {}
    scheduler.sense(rig.advance(minutes=2))
    assert "LMS_WAREHOUSE_URL" in silent(rig)[FAILING], "the innermost error, not Dagster's wrapping"
    (found,) = [each for each in silent_instigators(rig.instance, rig.now) if each.name == FAILING]
    assert (found.kind, found.since) == ("sensor", BEGIN + 2 * MINUTE)
    scheduler.sense(rig.advance(minutes=2))
    becomes(rig, last_tick(rig, FAILING), "STARTED")
    assert FAILING in silent(rig), "a tick that is under way says nothing yet"
    becomes(rig, last_tick(rig, FAILING), "SKIPPED")
    assert FAILING not in silent(rig)


def test_a_sensor_that_errs_is_one_alert_and_one_when_it_is_well_again(
    rig: WatchedRig, scheduler: Scheduler, receiver: Receiver
):
    def minutes_later(minutes: int, *, well: bool = False) -> None:
        """The sensor ticks; then the watcher looks, whose own ticks are in order."""
        scheduler.sense(rig.advance(minutes=minutes))
        becomes(rig, last_tick(rig, open_incidents_sensor.name), "SKIPPED")
        if well:
            becomes(rig, last_tick(rig, FAILING), "SKIPPED")
        rig.tick(open_incidents_sensor)

    for _ in range(3):
        minutes_later(1)
    assert receiver.posts == [], "a sensor is given a few minutes"
    for minutes in (5, 1):
        minutes_later(minutes)
    (alert,) = receiver.posts
    assert f"The sensor {FAILING} errs" in alert["message"]
    assert "LMS_WAREHOUSE_URL" in alert["message"]
    minutes_later(1, well=True)
    rig.tick(open_incidents_sensor)
    assert len(receiver.titles) == 2
    assert "well again" in receiver.titles[1]
