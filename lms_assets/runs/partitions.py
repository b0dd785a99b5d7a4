"""Tags that make a run cover weeks, built from the partitions' own keys: Dagster passes over wrong ones in silence."""

from __future__ import annotations

from datetime import datetime

from lms_assets.asset_specs import WEEKLY
from lms_assets.domain.schedule import TRAILING_DAYS, range_problem, weeks_of_last_days
from lms_assets.run_tags import RANGE_END, RANGE_START


def full_range_tags(now: datetime) -> dict[str, str]:
    """Range tags over every weekly partition up to the running week; `now` is UTC."""
    keys = WEEKLY.get_partition_keys(current_time=now)
    return {RANGE_START: keys[0], RANGE_END: keys[-1]}


def trailing_days_tags(now: datetime, days: int) -> dict[str, str]:
    """Range tags over the weeks that the last `days` days touch; `now` is UTC.

    Raises:
        ValueError: that many days are not possible.
    """
    first, last = weeks_of_last_days(days, now.date(), WEEKLY.get_partition_keys(current_time=now))
    return {RANGE_START: first, RANGE_END: last}


def everybody_tags(now: datetime) -> dict[str, str]:
    """Range tags over the fewest weeks for which everybody's transcript is read (see `people_to_read`)."""
    return trailing_days_tags(now, TRAILING_DAYS + 7)


def partition_tags(key: str, now: datetime) -> dict[str, str]:
    """Range tags of one partition.

    Raises:
        ValueError: there is no such partition.
    """
    problem = range_problem(key, key, WEEKLY.get_partition_keys(current_time=now))
    if problem:
        raise ValueError(problem)
    return {RANGE_START: key, RANGE_END: key}
