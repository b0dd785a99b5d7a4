"""Tags that make a run cover weeks, built from the partitions' own keys: Dagster passes over wrong ones in silence."""

from __future__ import annotations

from datetime import datetime, timedelta

from lms_assets.lineage import WEEKLY

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def full_range_tags(now: datetime) -> dict[str, str]:
    """Range tags over every weekly partition up to the running week; `now` is UTC."""
    keys = WEEKLY.get_partition_keys(current_time=now)
    return {RANGE_START: keys[0], RANGE_END: keys[-1]}


def trailing_days_tags(now: datetime, days: int) -> dict[str, str]:
    """Range tags over the weeks that the last `days` days touch; `now` is UTC."""
    keys = WEEKLY.get_partition_keys(current_time=now)
    first_day = (now - timedelta(days=days)).date().isoformat()
    touched = [key for key in keys if key <= first_day][-1:] + [key for key in keys if key > first_day]
    return {RANGE_START: touched[0], RANGE_END: touched[-1]}


def partition_tags(key: str, now: datetime) -> dict[str, str]:
    """Range tags of one partition.

    Raises:
        ValueError: there is no such partition.
    """
    keys = WEEKLY.get_partition_keys(current_time=now)
    if key not in keys:
        raise ValueError(f"There is no partition {key}: weeks begin on Mondays, from {keys[0]} to {keys[-1]}.")
    return {RANGE_START: key, RANGE_END: key}
