"""Snapshots of partners' counts: looking them up, and computing those that nobody took at the time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from lms_assets.domain.counting.history import counts_over_time
from lms_assets.domain.counting.holdings import CountingInputs, Holdings
from lms_assets.domain.counting.report_facts import Snapshot

CHAIN = "chain"
BACKFILL = "backfill"
MIDNIGHT = time()
TOLERANCE = timedelta(days=6)
"""A snapshot stands for the days after it until the next one, at most for these: chains may fail for a night or two."""


class Past:
    """The snapshots of all partners, found by day."""

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self._of: dict[int, list[Snapshot]] = {}
        for snapshot in sorted(snapshots, key=lambda each: (each.partner_id, each.day)):
            self._of.setdefault(snapshot.partner_id, []).append(snapshot)
        self._days = {partner_id: [each.day for each in found] for partner_id, found in self._of.items()}

    def on(self, partner_id: int, day: date) -> Snapshot | None:
        """The partner's snapshot of that day, else the last one of the six days before; None without any."""
        place = bisect_right(self._days.get(partner_id, []), day)
        if not place:
            return None
        found = self._of[partner_id][place - 1]
        return found if day - found.day <= TOLERANCE else None

    def missing(self, partner_ids: Iterable[int], days: Iterable[date]) -> Mapping[date, tuple[int, ...]]:
        """The partners that have nothing to show for a day, by day."""
        partner_ids = tuple(partner_ids)
        gaps = {day: tuple(each for each in partner_ids if self.on(each, day) is None) for day in days}
        return {day: found for day, found in gaps.items() if found}


def backfill(
    inputs: CountingInputs, missing: Mapping[date, Iterable[int]], time_of_day: time = MIDNIGHT
) -> Iterator[Snapshot]:
    """Snapshots of the past from completion and expiry dates, as of one time of each day (UTC).

    Who belonged to whom then is not known: today's people are taken (`origin` says `backfill`). Give the time of day
    at which chains count, so that a week lies between two snapshots of two Mondays.
    """
    instants = {
        datetime.combine(day, time_of_day, tzinfo=UTC): (day, tuple(partner_ids))
        for day, partner_ids in missing.items()
    }
    people = Holdings(inputs, max(instants)).people if instants else {}
    for instant, counts in counts_over_time(
        inputs.affiliations, inputs.enrollments, inputs.courses, instants, months=inputs.months
    ):
        day, partner_ids = instants[instant]
        for partner_id in partner_ids:
            found = counts.get(partner_id)
            yield Snapshot(
                partner_id=partner_id,
                day=day,
                total_npcu=found.total_npcu if found else 0,
                by_category=found.by_category if found else {},
                as_of=instant,
                people=len(people.get(partner_id, ())),
                origin=BACKFILL,
            )
