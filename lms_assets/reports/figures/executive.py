"""The executives' roll-up over all active partners: what it holds, and its figures. Without any person's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from lms_assets.domain.counting.compliance import requirement_of
from lms_assets.domain.counting.report_facts import QUIET_DAYS, WEEK, periods
from lms_assets.reports.figures.inputs import ReportInputs, expiries_by_week, expiring_within, npcu_by_week, stamp
from lms_assets.reports.figures.model import Change, Expiring, Frame, WeekPoint

if TYPE_CHECKING:
    import pandas as pd

WINDOWS = (30, 90)
RANKED = 10
GROWTH_WEEKS = 13
UNKNOWN = "(not set)"


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """A stock over a span: how far it moved, against the same span last year. `key` is the span's name."""

    key: str
    change: Change
    last_year: Change | None


@dataclass(frozen=True, slots=True)
class EarnedLine:
    """A flow in a span: certifications newly held at its end, and their NPCU, against the same span last year."""

    key: str
    certifications: int
    npcu: int
    certifications_last_year: int
    npcu_last_year: int


@dataclass(frozen=True, slots=True)
class StockLine:
    """One stock in the executive report (NPCU, or certifications of one category) with its spans."""

    key: str
    now: int
    periods: tuple[PeriodLine, ...]


@dataclass(frozen=True, slots=True)
class ShareLine:
    """A group of partners (a tier, a region or a PAM) in the executive report."""

    key: str
    partners: int
    people: int
    certifications: int
    npcu: Change
    requirement: int
    asked: int
    meets: int
    below: int
    about_to_fall: int
    expiring_30: int

    @property
    def compliance(self) -> float | None:
        """Per cent of the partners with a requirement that meet it, those about to fall included."""
        return None if not self.asked else round(100 * (self.asked - self.below) / self.asked, 1)


@dataclass(frozen=True, slots=True)
class RankLine:
    """A partner in a ranking, with the change since the ranking's beginning. `withheld` as in PartnerLine."""

    key: int
    name: str
    tier: str
    region: str
    owner: str
    npcu: Change
    url: str | None = None
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutiveReport:
    """The roll-up over all active partners; it holds no person's name.

    `growing` counts from thirteen weeks ago; `quiet` are partners none of whose people completed a certification in
    90 days, `quiet_partners` their number. `withheld`: partners whose counts are not confirmed.
    """

    frame: Frame
    partners: int
    people: int
    people_of_several: int
    certifications: int
    uncategorised: int
    totals: tuple[StockLine, ...]
    earned: tuple[EarnedLine, ...]
    overall: ShareLine
    tiers: tuple[ShareLine, ...]
    regions: tuple[ShareLine, ...]
    pams: tuple[ShareLine, ...]
    categories: tuple[StockLine, ...]
    expiring_within: tuple[Expiring, ...]
    top: tuple[RankLine, ...]
    growing: tuple[RankLine, ...]
    quiet: tuple[RankLine, ...]
    quiet_partners: int
    npcu_by_week: tuple[WeekPoint, ...]
    expiries_by_week: tuple[WeekPoint, ...]
    fell_below: tuple[RankLine, ...]
    withheld: tuple[RankLine, ...] = ()


def build_executive_report(inputs: ReportInputs) -> ExecutiveReport:
    """The roll-up of `inputs`."""
    return _Executive(inputs).report()


class _Executive:
    """The report in the making: `partners` is a frame with a row for each partner and all that is grouped or ranked."""

    def __init__(self, inputs: ReportInputs) -> None:
        self.inputs = inputs.of(inputs.partners)
        self.at = inputs.frame.as_of

    @cached_property
    def partners(self) -> pd.DataFrame:
        """By name, then id."""
        import pandas as pd

        inputs = self.inputs
        facts = [
            (each.id, each.name, each.tier or "", each.region, each.owner,
             requirement_of(each.tier, inputs.config.tier_requirements), inputs.standings[each.id].status)
            for each in sorted(inputs.partners, key=lambda each: (each.name.casefold(), each.id))
        ]  # fmt: skip
        columns = ["partner_id", "name", "tier", "region", "owner", "requirement", "status"]
        found = pd.DataFrame(facts, columns=columns, dtype=object).set_index("partner_id")
        recent = inputs.now[inputs.now["completed_at"] > stamp(self.at - timedelta(days=QUIET_DAYS))]
        return found.assign(
            everybody="all partners",
            npcu=inputs.counts["npcu"],
            certifications=inputs.counts["certifications"],
            week_ago=inputs.counts_on(inputs.frame.since.date())["npcu"],
            then=inputs.counts_on((self.at - WEEK * GROWTH_WEEKS).date())["npcu"],
            expiring=inputs.expiring(WINDOWS[0]).groupby("partner_id").size(),
            quiet=~found.index.isin(recent["partner_id"]),
        ).fillna({"expiring": 0})

    def report(self) -> ExecutiveReport:
        """All of it."""
        inputs, partners = self.inputs, self.partners
        several = inputs.people["user_id"].value_counts()
        by_npcu = partners.sort_values("npcu", ascending=False, kind="stable")
        grown = (partners["npcu"] - partners["then"]).sort_values(ascending=False, kind="stable")
        fell = [each for each in partners.index if inputs.fell_this_week(each)]
        return ExecutiveReport(
            frame=inputs.frame,
            partners=len(partners),
            people=inputs.people["user_id"].nunique(),
            people_of_several=int((several > 1).sum()),
            certifications=int(inputs.counts["certifications"].sum()),
            uncategorised=int(inputs.counts["uncategorised"].sum()),
            totals=(self.stock("npcu"), self.stock("certifications")),
            earned=self.earned(),
            overall=next(iter(self.shares("everybody")), _NOBODY),
            tiers=self.tiers(),
            regions=self.shares("region"),
            pams=self.shares("owner"),
            categories=self.categories(),
            expiring_within=expiring_within(inputs, WINDOWS),
            top=self.ranked(by_npcu.index[by_npcu["npcu"] > 0][:RANKED]),
            growing=self.ranked(grown.index[grown > 0][:RANKED]),
            quiet=self.ranked(by_npcu.index[by_npcu["quiet"]][:RANKED]),
            quiet_partners=int(partners["quiet"].sum()),
            npcu_by_week=npcu_by_week(inputs),
            expiries_by_week=expiries_by_week(inputs),
            fell_below=self.ranked(fell),
            withheld=self.ranked(each for each in partners.index if each in inputs.withheld),
        )

    def shares(self, column: str) -> tuple[ShareLine, ...]:
        """A line for each value of a column, most NPCU first; case and outer blanks make no difference."""
        partners, people = self.partners, self.inputs.people
        name = partners[column].fillna("").str.strip().replace("", UNKNOWN)
        folded = name.str.casefold()
        persons = people.groupby(people["partner_id"].map(folded))["user_id"].nunique()
        lines = []
        for key, rows in partners.groupby(folded):
            statuses = rows["status"].value_counts()
            requirements = rows["requirement"].unique()
            lines.append(
                ShareLine(
                    key=name[rows.index.min()],
                    partners=len(rows),
                    people=int(persons.get(key, 0)),
                    certifications=int(rows["certifications"].sum()),
                    npcu=Change(int(rows["npcu"].sum()), int(rows["week_ago"].sum())),
                    requirement=int(requirements[0]) if len(requirements) == 1 else 0,
                    asked=len(rows) - int(statuses.get("no requirement", 0)),
                    meets=int(statuses.get("meets", 0)),
                    below=int(statuses.get("below", 0)),
                    about_to_fall=int(statuses.get("about to fall below", 0)),
                    expiring_30=int(rows["expiring"].sum()),
                )
            )
        return tuple(sorted(lines, key=lambda line: (-line.npcu.now, line.key)))

    def tiers(self) -> tuple[ShareLine, ...]:
        """In the order of the configured requirements."""
        place = {tier.casefold(): number for number, tier in enumerate(self.inputs.config.tier_requirements)}
        lines = self.shares("tier")
        return tuple(sorted(lines, key=lambda line: (place.get(line.key.casefold(), len(place)), line.key)))

    def stock(self, column: str) -> StockLine:
        """A figure of all partners now, and how far it moved in each span, this year and last."""

        def change(start: date, end: date) -> Change:
            return Change(self.sum_on(column, end), self.sum_on(column, start) if self.inputs.partners else None)

        lines = []
        for period in periods(self.at):
            earlier = period.a_year_earlier()
            then = change(earlier.start.date(), earlier.end.date()) if self.inputs.partners else None
            lines.append(PeriodLine(period.name, change(period.start.date(), self.at.date()), then))
        return StockLine(column, self.sum_on(column, self.at.date()), tuple(lines))

    def sum_on(self, column: str, day: date) -> int:
        """A figure of all partners on a day; a category that nobody held then is 0."""
        counts = self.inputs.counts_on(day)
        return int(counts[column].sum()) if column in counts else 0

    def categories(self) -> tuple[StockLine, ...]:
        """The categories of which something is held, the largest first."""
        held = self.inputs.now["category"].dropna().unique()
        return tuple(sorted(map(self.stock, held), key=lambda line: (-line.now, line.key)))

    def earned(self) -> tuple[EarnedLine, ...]:
        """Certifications earned in each span, against the same span last year."""
        lines = []
        for period in periods(self.at):
            both = [self.inputs.earned(each.start, each.end)["npcu"] for each in (period, period.a_year_earlier())]
            (number, npcu), (number_then, npcu_then) = ((len(each), int(each.sum())) for each in both)
            lines.append(EarnedLine(period.name, number, npcu, number_then, npcu_then))
        return tuple(lines)

    def ranked(self, partner_ids: Iterable[Any]) -> tuple[RankLine, ...]:
        """These partners in this order, with their change since thirteen weeks ago."""
        inputs, rows = self.inputs, self.partners.loc[list(partner_ids)]
        return tuple(
            RankLine(
                key=each.Index,
                name=each.name,
                tier=each.tier,
                region=each.region or UNKNOWN,
                owner=each.owner or UNKNOWN,
                npcu=Change(int(each.npcu), int(each.then)),
                url=inputs.config.partner_url(each.Index),
                withheld=inputs.withheld.get(each.Index),
            )
            for each in cast("Iterator[Any]", rows.itertuples())
        )


_NOBODY = ShareLine("all partners", 0, 0, 0, Change(0, None), 0, 0, 0, 0, 0, 0)
