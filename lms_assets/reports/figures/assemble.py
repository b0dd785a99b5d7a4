"""From what was read to the material of a week's reports: the past completed, nothing counted in another way.

Reading and storing are handed in, so that this runs on any source, in tests on none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from lms_assets.domain.counting.holdings import CountingInputs, Holdings
from lms_assets.domain.counting.periods import WEEK, days_of_history, monday_of
from lms_assets.domain.counting.report_facts import PartnerFacts, Snapshot
from lms_assets.domain.counting.snapshots import Past, backfill
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.inputs import ReportInputs
from lms_assets.reports.figures.model import Frame


@dataclass(frozen=True)
class Readings:
    """What was read of the warehouse, at one instant.

    Attributes:
        partners: every active partner.
        inputs: what counting needs.
        snapshots: gives the stored snapshots of these days.
        keep: stores snapshots computed for days on which nobody counted.
        names: names of LMS people by id.
        withheld: partners whose counts are not sent to the CRM, and why in plain words.
    """

    partners: tuple[PartnerFacts, ...]
    inputs: CountingInputs
    snapshots: Callable[[Iterable[date]], Iterable[Snapshot]]
    keep: Callable[[Iterable[Snapshot]], object]
    names: Mapping[str, str] = field(repr=False)
    withheld: Mapping[int, str] = field(default_factory=dict)


def assemble(
    readings: Readings,
    *,
    as_of: datetime,
    now: datetime,
    config: ReportConfig,
    banner: str | None = None,
    released: bool = False,
) -> ReportInputs:
    """The material of the week of `now`, with everything counted at `as_of` (both UTC).

    Days that the reports compare with and that have no snapshot are computed and kept, so trends exist from the
    first day.
    """
    days = days_of_history(as_of)
    known = tuple(readings.snapshots(days))
    missing = Past(known).missing([partner.id for partner in readings.partners], days)
    computed = tuple(backfill(readings.inputs, missing, as_of.time()))
    if computed:
        readings.keep(computed)
    return ReportInputs(
        frame=Frame(week=monday_of(now.date()), as_of=as_of, since=as_of - WEEK, banner=banner, released=released),
        partners=readings.partners,
        holdings=Holdings(readings.inputs, as_of),
        past=Past((*known, *computed)),
        names=readings.names,
        config=config,
        withheld=readings.withheld,
    )


def without_names(inputs: ReportInputs) -> ReportInputs:
    """The same with ids for people and numbers for PAMs, for places where no name of a person may stand."""
    owners = sorted({partner.owner.strip().casefold() for partner in inputs.partners if partner.owner})
    number = {owner: place for place, owner in enumerate(owners, 1)}
    partners = tuple(
        replace(each, owner=f"PAM {number[each.owner.strip().casefold()]}" if each.owner else None)
        for each in inputs.partners
    )
    return replace(inputs, partners=partners, names={})


def owner_without_name(inputs: ReportInputs, owner: str) -> str:
    """What `without_names` calls this owner."""
    owners = sorted({partner.owner.strip().casefold() for partner in inputs.partners if partner.owner})
    folded = owner.strip().casefold()
    return f"PAM {owners.index(folded) + 1}" if folded in owners else "PAM"
