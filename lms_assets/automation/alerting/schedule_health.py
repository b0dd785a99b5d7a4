"""Sensors and schedules that are switched on and do not do their work, as far as their ticks show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dagster as dg

from lms_assets.domain.operations.incident_detection import Silent
from lms_assets.lineage import TIMETABLE
from lms_assets.warehouse.bookkeeping.redaction import scrub

# One failed tick may be a short outage of a vendor; the next comes within a minute.
FAILED_IN_A_ROW = 3
TICK_COMES_WITHIN = timedelta(minutes=15)
ERROR_LENGTH = 200
_LINES = {line.schedule: line for line in TIMETABLE}


def silent_instigators(instance: dg.DagsterInstance, now: datetime) -> list[Silent]:
    """Sensors whose last ticks failed, schedules whose last tick failed or did not come."""
    found: list[Silent] = []
    for state in instance.all_instigator_state():
        if not state.is_running:
            continue
        is_schedule = state.instigator_type.value == "SCHEDULE"
        count = 1 if is_schedule else FAILED_IN_A_ROW
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=count + 1)
        # One that is under way has no result yet: with it an incident would close and open again every minute.
        ended = [tick for tick in ticks if tick.status.value != "STARTED"][:count]
        failed = [tick for tick in ended if tick.status.value == "FAILURE"]
        if len(failed) == count:
            kind: Literal["schedule", "sensor"] = "schedule" if is_schedule else "sensor"
            since = datetime.fromtimestamp(failed[-1].timestamp, UTC)
            found.append(Silent(state.instigator_name, kind, f"errs: {_problem(failed[0].error)}", since))
        elif is_schedule:
            started = getattr(state.instigator_data, "start_timestamp", None)
            latest = ticks[0].timestamp if ticks else None
            missing = _missing_tick(state.instigator_name, started, latest, now)
            if missing is not None:
                found.append(Silent(state.instigator_name, "schedule", "did not tick when it was due", missing))
    return found


def _problem(error: Any) -> str:
    """The first line of the innermost message: the outer ones only say that a sensor or a schedule failed."""
    while error is not None and error.cause is not None:
        error = error.cause
    said = error.message.strip() if error is not None else ""
    return scrub(said.splitlines()[0], ERROR_LENGTH) if said else "without a result"


def _missing_tick(name: str, started: float | None, latest: float | None, now: datetime) -> datetime | None:
    """The tick that should have come by now and did not."""
    line = _LINES.get(name)
    if line is None:
        return None
    due = line.last_until(now - TICK_COMES_WITHIN)
    if started is not None and started > due.timestamp():
        return None
    return due if latest is None or latest < due.timestamp() else None
