"""What both reports are made from, as frames: a row for each partner, each person of one, and what was held when.

It is read from the warehouse as of one state of it. What counts is decided elsewhere (the ledger, and for the time
before it the dates); here it is only added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from lms_assets.domain.counting.compliance import Standing, TotalAt, requirement_of, standing
from lms_assets.domain.counting.holdings import Held, held_by_dates
from lms_assets.domain.counting.report_facts import WEEK, PartnerFacts, earliest, monday_of, same_owner, trend_instants
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import in_plain_words
from lms_assets.domain.schedule import CHAIN
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.model import Expiring, Frame, WeekPoint
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.reading.reports import counting_inputs, partner_facts, people_names
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.results.ledger import ledger_periods, read_ledger

if TYPE_CHECKING:
    import pandas as pd


HORIZON = timedelta(days=90)
WEEKS_AHEAD = 13
KEY = ["partner_id", "user_id", "course_id"]
_TIMES = ("completed_at", "expires_at", "start", "end")


@dataclass(frozen=True)
class ReportInputs:
    """All that the reports of one week are made from.

    Attributes:
        partners: every active partner.
        held: a row for each time in which a certification counted for a partner (see `held_frame`).
        people: a row for each partner and person of it.
        names: names of LMS people by id, for those who may read them.
        withheld: partners whose counts are not confirmed, so that the CRM does not get them, and why in plain words.
    """

    frame: Frame
    partners: tuple[PartnerFacts, ...]
    held: pd.DataFrame = field(repr=False)
    people: pd.DataFrame = field(repr=False)
    names: Mapping[str, str] = field(repr=False)
    config: ReportConfig
    withheld: Mapping[int, str] = field(default_factory=dict)

    def of(self, partners: Iterable[PartnerFacts]) -> ReportInputs:
        """The same of these partners only."""
        chosen = tuple(partners)
        ids = [each.id for each in chosen]
        held, people = (each[each["partner_id"].isin(ids)] for each in (self.held, self.people))
        return replace(self, partners=chosen, held=held, people=people)

    @cached_property
    def owners(self) -> list[str]:
        """The account owners, each once, as `same_owner` has them."""
        return sorted({same_owner(each.owner) for each in self.partners if each.owner})

    @cached_property
    def now(self) -> pd.DataFrame:
        """What counts as of the report, soonest expiry first."""
        return self.held_at(self.frame.as_of).sort_values(["expires_at", "user_id", "course_id"])

    def held_at(self, instant: datetime) -> pd.DataFrame:
        """What counted at an instant."""
        at = stamp(instant)
        return self.held[(self.held["start"] <= at) & (self.held["end"] > at)]

    def earned(self, start: datetime, end: datetime) -> pd.DataFrame:
        """What counted at `end` and not at `start`, and was completed since then, the latest first."""
        found = _without(self.held_at(end), self.held_at(start))
        return found[found["completed_at"] > stamp(start)].sort_values(["completed_at", *KEY], ascending=False)

    @cached_property
    def expired(self) -> pd.DataFrame:
        """What counted a week before and expired since then, the latest first."""
        gone = _without(self.held_at(self.frame.since), self.now)
        return gone[gone["expires_at"] <= stamp(self.frame.as_of)].sort_values(["expires_at", *KEY], ascending=False)

    def expiring(self, days: int) -> pd.DataFrame:
        """What counts and expires within so many days, soonest first."""
        return self.now[self.now["expires_at"] <= stamp(self.frame.as_of + timedelta(days=days))]

    def counts_on(self, day: date) -> pd.DataFrame:
        """Each partner's counts on a day, at the report's time of day: `npcu`, `certifications`, `uncategorised` and
        a column for each category.
        """
        if day not in self._counts:
            self._counts[day] = self._counted(self.held_at(datetime.combine(day, self.frame.as_of.timetz())))
        return self._counts[day]

    @cached_property
    def npcu_before(self) -> Mapping[int, int]:
        """Each partner's NPCU a week before."""
        npcu: dict[int, int] = self.counts_on(self.frame.since.date())["npcu"].to_dict()  # type: ignore[assignment]
        return npcu

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Each partner's counts as of the report."""
        return self.counts_on(self.frame.as_of.date())

    @cached_property
    def _counts(self) -> dict[date, pd.DataFrame]:
        return {}

    def _counted(self, held: pd.DataFrame) -> pd.DataFrame:
        by_category = held.groupby(["partner_id", "category"]).size().unstack(fill_value=0)
        found = by_category.reindex([each.id for each in self.partners], fill_value=0)
        found.insert(0, "npcu", held.groupby("partner_id")["npcu"].sum())
        found.insert(1, "certifications", by_category.sum(axis=1))
        found.insert(2, "uncategorised", held["category"].isna().groupby(held["partner_id"]).sum())
        return found.fillna(0).astype("int64")

    @cached_property
    def standings(self) -> Mapping[int, Standing]:
        """Each partner against the requirement of its tier, looking 90 days ahead."""
        at, totals = self.frame.as_of, self._npcu_over_time()
        required = self.config.tier_requirements
        return {
            each.id: standing(requirement_of(each.tier, required), totals.get(each.id, ()), at=at, until=at + HORIZON)
            for each in self.partners
        }

    def _npcu_over_time(self) -> dict[int, list[TotalAt]]:
        """Each partner's NPCU from instant to instant: until now as it was, then what is left if nothing is earned."""
        import pandas as pd

        past = self.held[self.held["start"] <= stamp(self.frame.as_of)]
        # A certification that expired between two countings fell when it expired, not when that was counted.
        falls = past["end"].where(past["end"] < past["expires_at"], past["expires_at"])
        steps = pd.concat([past.assign(at=past["start"]), past.assign(at=falls, npcu=-past["npcu"])])
        moves = steps.groupby(["partner_id", "at"])["npcu"].sum()
        totals: dict[int, list[TotalAt]] = {}
        left: dict[tuple[int, pd.Timestamp], int] = moves[moves != 0].groupby(level=0).cumsum().to_dict()  # type: ignore[assignment]
        for (partner_id, at), npcu in left.items():
            totals.setdefault(partner_id, []).append(TotalAt(moment(at), npcu))
        return totals

    def fell_this_week(self, partner_id: int) -> bool:
        """Whether a partner that is below met its requirement a week ago: by the day on which it fell, or by its
        number of then, since a new tier leaves no date.
        """
        found = self.standings[partner_id]
        before = self.npcu_before[partner_id]
        by_dates = found.since is not None and found.since > self.frame.since
        return found.status == "below" and bool(by_dates or before >= found.requirement)


def held_frame(rows: Iterable[Held]) -> pd.DataFrame:
    """A row for each time in which a certification counted, with the columns of `Held`; times are UTC without a zone.

    Whole seconds, as the tables hold them, since a frame's finer units end before the year 9999.
    """
    import pandas as pd

    columns = zip(*rows, strict=True) if (rows := list(rows)) else [[] for _ in Held._fields]
    frame = pd.DataFrame(dict(zip(Held._fields, map(list, columns), strict=True)))
    for name in _TIMES:
        frame[name] = pd.Series([_naive(each) for each in frame[name]], dtype="datetime64[s]")
    frame[["partner_id", "npcu"]] = frame[["partner_id", "npcu"]].astype("int64")
    return frame


def people_frame(rows: Iterable[tuple[int, str]]) -> pd.DataFrame:
    """A row for each partner and person of it, once: the columns `partner_id` and `user_id`."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=["partner_id", "user_id"]).drop_duplicates()


def expiring_within(inputs: ReportInputs, windows: Iterable[int]) -> tuple[Expiring, ...]:
    """What expires within so many days after the instant of counting; the windows contain each other."""
    found = {days: inputs.expiring(days) for days in windows}
    return tuple(Expiring(days, len(each), int(each["npcu"].sum())) for days, each in found.items())


def expiries_by_week(inputs: ReportInputs) -> tuple[WeekPoint, ...]:
    """Certifications that expire in each of the next 13 weeks, each named by the day it begins."""
    at = inputs.frame.as_of
    # An expiry on a boundary belongs to the week that ends there, as in the windows of days.
    ends = [moment(each) for each in inputs.expiring(7 * WEEKS_AHEAD)["expires_at"]]
    numbers = Counter(-((at - end) // WEEK) - 1 for end in ends)
    return tuple(WeekPoint((at + WEEK * week).date(), numbers[week]) for week in range(WEEKS_AHEAD))


def npcu_by_week(inputs: ReportInputs) -> tuple[WeekPoint, ...]:
    """NPCU of all partners at the end of each of the last 26 weeks, now last."""
    # Arrays, as 26 cuts of all columns took a third of a report's time.
    start, end, npcu = (inputs.held[name].to_numpy() for name in ("start", "end", "npcu"))
    points = []
    for instant in trend_instants(inputs.frame.as_of):
        at = stamp(instant).to_datetime64()
        points.append(WeekPoint(instant.date(), int(npcu[(start <= at) & (end > at)].sum())))
    return tuple(points)


def without_names(inputs: ReportInputs) -> ReportInputs:
    """The same with ids for people and numbers for PAMs, for places where no name of a person may stand."""
    partners = tuple(
        replace(each, owner=owner_without_name(inputs, each.owner) if each.owner else None) for each in inputs.partners
    )
    return replace(inputs, partners=partners, names={})


def owner_without_name(inputs: ReportInputs, owner: str) -> str:
    """What `without_names` calls this owner."""
    owners = inputs.owners
    return f"PAM {owners.index(same_owner(owner)) + 1}" if same_owner(owner) in owners else "PAM"


def moment(time: pd.Timestamp) -> datetime:
    """A time of a frame as an aware instant."""
    return time.to_pydatetime().replace(tzinfo=UTC)


def stamp(instant: datetime) -> pd.Timestamp:
    """An instant as the frames hold it."""
    import pandas as pd

    return pd.Timestamp(_naive(instant))


def _naive(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None, microsecond=0)


def _without(rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows.set_index(KEY).index.isin(others.set_index(KEY).index)]


class NothingCounted(LookupError):
    """No counts exist yet, so there is nothing to report."""


def report_inputs_from(
    warehouse: Warehouse,
    *,
    rules: Rules,
    config: ReportConfig,
    now: datetime,
    banner: str | None = None,
    released: bool = False,
) -> ReportInputs:
    """All that the reports of the week of `now` (UTC) are made from, counted as of the last count.

    The time before the ledger's first day is worked out from dates of completion and expiry, with today's people.

    Args:
        banner: what is wrong with the data, see `domain.operations.reports`.
        released: a person lets the reports go out in spite of it.

    Raises:
        NothingCounted: no counts exist yet.
        WarehouseError: it cannot be read.
    """
    with warehouse.read() as connection:
        counted, ledger = last_counted(connection), read_ledger(connection)
        if counted is None or ledger is None or ledger.since is None:
            raise NothingCounted(f"nothing has been counted yet; run `lms-assets run {CHAIN}` first")
        at = counted.as_of
        held = list(ledger_periods(connection))
        if ledger.since > earliest(at):
            months, gtm = rules.certification_months, rules.gtm_category
            inputs = counting_inputs(connection, months=months, gtm_category=gtm)
            belonging = inputs.affiliations
            held += held_by_dates(inputs, ledger.since)
        else:
            belonging = stored_affiliations(connection)
        return ReportInputs(
            Frame(monday_of(now.date()), at, at - WEEK, banner, released, known_since=ledger.since),
            partner_facts(connection, at=at),
            held_frame(held),
            people_frame((each.partner_id, each.user_id) for each in belonging if each.obstacle is None),
            people_names(connection),
            config,
            {key: in_plain_words(each) for key, each in withheld_partners(connection, rules).items()},
        )
