"""Weeks, named by their Mondays (`2026-03-02`): which of them a run may cover, and which the last days touch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta


def range_problem(first: str, last: str, weeks: Sequence[str]) -> str | None:
    """Why a run must not cover `first` to `last`, given all weeks up to the running one; None when it may."""
    for week in dict.fromkeys((first, last)):
        if week not in weeks:
            return f"there is no week {week}; weeks begin on Mondays, from {weeks[0]} to {weeks[-1]}"
    if first > last:
        return f"the first week, {first}, is after the last, {last}"
    return None


def weeks_to_read(chosen: Sequence[str], weeks: Sequence[str], *, whole_chain: bool) -> list[str]:
    """The weeks that a run reads, ascending, given those chosen at its launch and all up to the running one.

    The whole chain with the running week among its weeks, or without any, reads all: the UI offers the latest week and
    the last thirteen, and a person who starts the whole chain wants all weeks.
    """
    if whole_chain and (not chosen or max(chosen) == weeks[-1]):
        return list(weeks)
    return sorted(chosen)


def weeks_of_last_days(days: int, today: date, weeks: Sequence[str]) -> tuple[str, str]:
    """The first and the last week that the last `days` days touch; 0 is today only.

    Raises:
        ValueError: the days are negative, or reach back before the first week.
    """
    most = (today - date.fromisoformat(weeks[0])).days
    if not 0 <= days <= most:
        raise ValueError(f"1 to {most} days are possible, as the first week begins on {weeks[0]}")
    first_day = (today - timedelta(days=days)).isoformat()
    return max(week for week in weeks if week <= first_day), weeks[-1]
