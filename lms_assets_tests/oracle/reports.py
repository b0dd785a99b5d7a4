"""Every figure of both Monday reports, worked out a second time from the vendors' raw data. Slow and obvious.

Shares no code with the product. Names of figures are those by which a report is addressed; partners are named by their
CRM id. Who belonged to whom in the past nobody knows, so a past figure says what today's people held then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lms_assets_tests.oracle.counting import Overrides, expected
from lms_assets_tests.oracle.holding import (
    CATEGORIES,
    category_of,
    course_names,
    instant,
    months_later,
    points_of_courses,
    why_not_held,
)
from lms_assets_tests.oracle.records import Row, person_is_active, trimmed

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
Figures = dict[str, Any]


@dataclass(frozen=True)
class Held:
    """One certification of one person: its points, its category, when it was completed and when it ends."""

    person: str
    course: str
    npcu: int
    category: str | None
    completed: datetime
    expires: datetime


class ReportOracle:
    """The raw data, asked for figures at one instant."""

    def __init__(
        self, state: Mapping[str, Any], at: datetime, requirements: Mapping[str, int], overrides: Overrides
    ) -> None:
        self.at = at
        self.state = state
        self.requirements = {tier.casefold(): npcu for tier, npcu in requirements.items()}
        right = expected(state, at, overrides)
        self.partners = right.partners
        self.contact_of = right.contact_of
        self.accounts = {row["id"]: row for row in state["accounts"]}
        self.active = {row["id"] for row in state["people"] if person_is_active(row)}
        self.points, self.names = points_of_courses(state), course_names(state)
        self._rows: dict[str, list[Row]] = {}
        for row in state["transcripts"]:
            if row["resource_type"] == "course" and self.points.get(row["resource_id"], 0) > 0:
                self._rows.setdefault(row["person_id"], []).append(row)

    def held(self, partner: int, at: datetime) -> dict[tuple[str, str], Held]:
        """What the partner's people hold, each person's course once: the attempt that ends last."""
        found: dict[tuple[str, str], Held] = {}
        for person in self.partners[partner].user_ids:
            for row in self._rows.get(person, []):
                if why_not_held(row, at) is None:
                    completed = instant(row["completed_at"])
                    assert completed is not None
                    expires = instant(row["expires_at"]) or months_later(completed, 24)
                    course = row["resource_id"]
                    one = Held(person, course, self.points[course], category_of(self.names[course]), completed, expires)
                    if (person, course) not in found or found[person, course].expires < expires:
                        found[person, course] = one
        return found

    def npcu(self, partners: Iterable[int], at: datetime) -> int:
        """Points of these partners, each partner's own sum added."""
        return sum(each.npcu for partner in partners for each in self.held(partner, at).values())

    def number(self, partners: Iterable[int], at: datetime, category: str | None = None) -> int:
        """Certifications of a category, of any category when None; those without one are in neither."""
        wanted = CATEGORIES if category is None else [category]
        return sum(each.category in wanted for partner in partners for each in self.held(partner, at).values())

    def gained(self, partner: int, start: datetime, end: datetime) -> list[Held]:
        """Held at the end and not at the start."""
        before = self.held(partner, start)
        return [each for key, each in self.held(partner, end).items() if key not in before]

    def people(self, partners: Iterable[int]) -> int:
        """Distinct people."""
        return len(set().union(*(self.partners[each].user_ids for each in partners)))

    def required(self, partner: int) -> int:
        """What the partner's tier asks for."""
        return self.requirements.get(trimmed(self.accounts[partner]["partner_tier"]), 0)

    def standing(self, partner: int) -> tuple[str, datetime | None, datetime | None]:
        """Below, about to fall, meets or nothing asked; since when, or when."""
        asked, now = self.required(partner), self.npcu([partner], self.at)
        if asked == 0:
            return "no requirement", None, None
        if now < asked:
            return "below", self._since(partner, asked), None
        ends = sorted({each.expires for each in self.held(partner, self.at).values()})
        for end in ends:
            left = sum(each.npcu for each in self.held(partner, self.at).values() if each.expires > end)
            if end <= self.at + 90 * DAY and left < asked:
                return "about to fall below", None, end
        return "meets", None, None

    def _since(self, partner: int, asked: int) -> datetime | None:
        moments = set()
        for person in self.partners[partner].user_ids:
            for row in self._rows.get(person, []):
                completed = instant(row["completed_at"])
                if completed is not None and row["progress_status"] == "completed":
                    moments |= {completed, instant(row["expires_at"]) or months_later(completed, 24)}
        since = None
        for moment in sorted((each for each in moments if each <= self.at), reverse=True):
            if self.npcu([partner], moment) >= asked:
                return since
            # Moments at which nothing begins or ends for this partner do not say since when.
            if self.npcu([partner], moment) != self.npcu([partner], moment - timedelta(microseconds=1)):
                since = moment
        return None

    def fell_this_week(self, partner: int) -> bool:
        """Below now and not a week ago."""
        return self.standing(partner)[0] == "below" and (
            self.npcu([partner], self.at - WEEK) >= self.required(partner)
            or (self.standing(partner)[1] or self.at - WEEK) > self.at - WEEK
        )

    def expiring(self, partners: Iterable[int], days: float, after: float = 0) -> list[Held]:
        """What ends within so many days, and not within the first `after`."""
        early, late = self.at + after * DAY, self.at + days * DAY
        return [
            each
            for partner in partners
            for each in self.held(partner, self.at).values()
            if early < each.expires <= late
        ]

    def leads(self, partner: int) -> int:
        """Leads of the last 30 days that are the partner's and not converted."""
        found = 0
        for row in self.state["leads"]:
            created = instant(row["created"])
            assert created is not None
            if row["partner_account_id"] == partner and not row["is_converted"]:
                found += self.at - 30 * DAY < created <= self.at
        return found

    def contacts_not_in_lms(self, partner: int) -> int:
        """Contacts without an active account."""
        return sum(self.contact_of[each] not in self.active for each in self.partners[partner].contact_ids)

    def people_in_no_group(self, partner: int) -> int:
        """Contacts with an active account who are in none of the partner's groups."""
        groups = self.partners[partner].group_ids
        inside = {row["person_id"] for row in self.state["memberships"] if row["group_id"] in groups}
        people = {self.contact_of[each] for each in self.partners[partner].contact_ids}
        return len((people & self.active) - inside)

    def periods(self) -> dict[str, datetime]:
        """Where week, month and year to date begin."""
        return {
            "week": self.at - WEEK,
            "month": months_later(self.at, -1),
            "year to date": datetime(self.at.year, 1, 1, tzinfo=UTC),
        }

    def at_that_time(self, moment: datetime) -> datetime:
        """The instant of that day at which its snapshot was taken: the time of day at which is counted now."""
        return datetime.combine(moment.date(), self.at.timetz())
