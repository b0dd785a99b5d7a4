"""What reports are made from, as plain values: who reads them, who can never get one, the partners, and spans of time.

Values only; they are read by the warehouse and turned into figures by the reports. In problems people are named by
their rows' ids, `pam 12`, never by name.

Spans all end at the instant of counting. UTC, no clock. A week is seven days, a month a calendar month, the year begins
on 1 January; the same span last year has both ends one calendar year earlier. Weeks are named by their Monday.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from lms_assets.domain.records.dates import months_after


@dataclass(frozen=True, slots=True)
class Manager:
    """A partner account manager with reports enabled (portal schema, `partner_managers`).

    `owner_name` equals the partners' `account_owner`; `frequency` is `daily`, `weekly` or `monthly`.
    """

    id: int
    owner_name: str
    email: str
    region: str | None = None
    frequency: str = "weekly"
    last_report_sent: datetime | None = None


@dataclass(frozen=True, slots=True)
class Executive:
    """An active recipient of the executive report (portal schema, `executive_report_recipients`)."""

    id: int
    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PartnerFacts:
    """An active partner as it is stored.

    `stored_npcu` and `stored_by_category` are the counts that the portal and the CRM show, `counted_at` (UTC) when
    they were counted. `contacts_not_in_lms` are active contacts without an active LMS account; `people_in_no_group`
    active LMS people of the partner's contacts who are in none of the partner's groups.
    """

    id: int
    name: str
    tier: str | None = None
    region: str | None = None
    owner: str | None = None
    stored_npcu: int = 0
    stored_by_category: Mapping[str, int] = field(default_factory=dict)
    counted_at: datetime | None = None
    leads_last_30_days: int = 0
    contacts_not_in_lms: int = 0
    people_in_no_group: int = 0


FREQUENCIES = ("daily", "weekly", "monthly")
AddressProblem = Callable[[str], str | None]
"""What is wrong with an e-mail address, without the address; None when a mail can be sent to it."""


def same_owner(name: str | None) -> str:
    """Two names of an account owner are the same when these are equal: without case and outer blanks."""
    return (name or "").strip().casefold()


def frequency_problem(frequency: str) -> str | None:
    """What is wrong with how often somebody wants a report; None when it can be used."""
    known = frequency.strip().casefold() in FREQUENCIES
    return None if known else f"report_frequency is none of {', '.join(FREQUENCIES)}"


def managers_without_reports(
    managers: Iterable[Manager], owners: Iterable[str | None], address_problem: AddressProblem
) -> Iterator[tuple[str, str]]:
    """Each account manager with reports enabled who never gets one (`pam 12`), with every reason.

    `owners` are the account owners of the active partners.
    """
    owning = {same_owner(owner) for owner in owners}
    for each in managers:
        address = address_problem(each.email)
        problems = [frequency_problem(each.frequency), f"the address {address}" if address else None]
        if not same_owner(each.owner_name) or same_owner(each.owner_name) not in owning:
            problems.append("owner_name is the account_owner of no active partner")
        found = [problem for problem in problems if problem]
        if found:
            yield f"pam {each.id}", "; ".join(found)


def executives_without_reports(
    executives: Iterable[Executive], address_problem: AddressProblem
) -> Iterator[tuple[str, str]]:
    """Each active recipient of the executive report who never gets one (`executive 3`), with the reason."""
    for each in executives:
        problem = address_problem(each.email)
        if problem:
            yield f"executive {each.id}", f"the address {problem}"


WEEK = timedelta(days=7)
TREND_WEEKS = 26
QUIET_DAYS = 90


@dataclass(frozen=True, slots=True)
class Period:
    """A named stretch of time; what happened after `start` and up to `end`, the end included, lies in it."""

    name: str
    start: datetime
    end: datetime

    def a_year_earlier(self) -> Period:
        """The same span last year."""
        return Period(self.name, months_after(self.start, -12), months_after(self.end, -12))


def periods(at: datetime) -> tuple[Period, Period, Period]:
    """Week, month and year to date, each ending at `at`."""
    new_year = datetime(at.year, 1, 1, tzinfo=UTC)
    return (
        Period("week", at - WEEK, at),
        Period("month", months_after(at, -1), at),
        Period("year to date", new_year, at),
    )


def monday_of(day: date) -> date:
    """The Monday of the week that holds the day."""
    return day - timedelta(days=day.weekday())


def week_name(day: date) -> str:
    """The ISO week of a day: `2026-W48`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def trend_instants(at: datetime, weeks: int = TREND_WEEKS) -> tuple[datetime, ...]:
    """The same time of day at the end of each of the last `weeks` weeks, oldest first, `at` itself the last."""
    return tuple(at - WEEK * back for back in range(weeks - 1, -1, -1))


def earliest(at: datetime) -> datetime:
    """The earliest instant with which the reports of `at` compare."""
    return min(period.a_year_earlier().start for period in periods(at)) - timedelta(days=1)
