"""A partner account manager's report: what it holds, and its figures. Nothing is read, counted or worded here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lms_assets.domain.counting.compliance import Standing
from lms_assets.domain.counting.report_facts import PartnerFacts, same_owner
from lms_assets.reports.figures.inputs import (
    HORIZON,
    ReportInputs,
    expiries_by_week,
    expiring_within,
    moment,
    npcu_by_week,
)
from lms_assets.reports.figures.model import CertificationLine, Change, Expiring, Frame, WeekPoint

if TYPE_CHECKING:
    import pandas as pd

WINDOWS = (30, 60, 90)


@dataclass(frozen=True, slots=True)
class PartnerLine:
    """One partner in a PAM's report. `withheld`: why its counts are not confirmed; None when they are."""

    key: int
    name: str
    tier: str
    npcu: Change
    standing: Standing
    certifications: int
    by_category: Mapping[str, int]
    people: int
    people_in_no_group: int
    contacts_not_in_lms: int
    leads_last_30_days: int
    gained: int
    lost: int
    expiring_90: int
    url: str | None = None
    withheld: str | None = None

    @property
    def by_other_causes(self) -> int:
        """What of the week's change comes from people who joined or left, courses whose points changed, and records
        that were read late.
        """
        return (self.npcu.difference or 0) - (self.gained - self.lost) if self.npcu.before is not None else 0


@dataclass(frozen=True, slots=True)
class PamTotals:
    """Sums over a PAM's partners."""

    partners: int
    npcu: Change
    certifications: int
    by_category: Mapping[str, int]
    uncategorised: int
    people: int
    gained: int
    lost: int
    below: int
    about_to_fall: int
    people_in_no_group: int
    contacts_not_in_lms: int
    leads_last_30_days: int


@dataclass(frozen=True, slots=True)
class PamReport:
    """One PAM's report. Lists are whole; what a mail has room for is the renderer's business.

    `fell_below` are partners that are below and fell there within the week, `below` all the others that are below,
    `about_to_fall` in the order of when. `new` and `expired` happened within the week.
    """

    frame: Frame
    owners: tuple[str, ...]
    totals: PamTotals
    partners: tuple[PartnerLine, ...]
    fell_below: tuple[PartnerLine, ...]
    about_to_fall: tuple[PartnerLine, ...]
    below: tuple[PartnerLine, ...]
    moved: tuple[PartnerLine, ...]
    new: tuple[CertificationLine, ...]
    expired: tuple[CertificationLine, ...]
    expiring: tuple[CertificationLine, ...]
    expiring_within: tuple[Expiring, ...]
    npcu_by_week: tuple[WeekPoint, ...]
    expiries_by_week: tuple[WeekPoint, ...]


def build_pam_report(inputs: ReportInputs, owners: Sequence[str]) -> PamReport:
    """The report about all partners of these owners (one person's names as `account_owner` says them)."""
    inputs = inputs.of(partners_of(inputs.partners, owners))
    new, soon = inputs.earned(inputs.frame.since, inputs.frame.as_of), inputs.expiring(HORIZON.days)
    lines = _partner_lines(inputs, new, soon)
    below = [line for line in lines if line.standing.status == "below"]
    fell = [line for line in below if inputs.fell_this_week(line.key)]
    falling = [(line.standing.falls_at, line.name, line) for line in lines if line.standing.falls_at is not None]
    return PamReport(
        frame=inputs.frame,
        owners=tuple(owners),
        totals=_totals(inputs, lines),
        partners=lines,
        fell_below=tuple(sorted(fell, key=lambda line: (-line.standing.missing, line.name))),
        about_to_fall=tuple(line for _, _, line in sorted(falling, key=lambda each: each[:2])),
        below=tuple(line for line in below if line not in fell),
        moved=tuple(
            sorted(
                (line for line in lines if line.npcu.difference),
                key=lambda line: (-abs(line.npcu.difference or 0), line.name),
            )
        ),
        new=_certifications(inputs, new, "completed_at"),
        expired=_certifications(inputs, inputs.expired, "expires_at"),
        expiring=_certifications(inputs, soon, "expires_at"),
        expiring_within=expiring_within(inputs, WINDOWS),
        npcu_by_week=npcu_by_week(inputs),
        expiries_by_week=expiries_by_week(inputs),
    )


def partners_of(partners: Iterable[PartnerFacts], owners: Iterable[str]) -> tuple[PartnerFacts, ...]:
    """The partners of these owners, by name; names are compared without case and outer blanks."""
    wanted = {same_owner(owner) for owner in owners}
    found = [each for each in partners if same_owner(each.owner) in wanted]
    return tuple(sorted(found, key=lambda each: (each.name.casefold(), each.id)))


def _partner_lines(inputs: ReportInputs, new: pd.DataFrame, soon: pd.DataFrame) -> tuple[PartnerLine, ...]:
    now: dict[int, dict[str, int]] = inputs.counts.to_dict("index")  # type: ignore[assignment]
    before = inputs.npcu_before
    gained, lost = (each.groupby("partner_id")["npcu"].sum() for each in (new, inputs.expired))
    people, expiring = (each.groupby("partner_id").size() for each in (inputs.people, soon))
    lines = []
    for partner in inputs.partners:
        counts = now[partner.id]
        npcu, certifications = counts.pop("npcu"), counts.pop("certifications")
        counts.pop("uncategorised")
        lines.append(
            PartnerLine(
                key=partner.id,
                name=partner.name,
                tier=partner.tier or "",
                npcu=Change(npcu, before[partner.id]),
                standing=inputs.standings[partner.id],
                certifications=certifications,
                by_category=_held(counts),
                people=int(people.get(partner.id, 0)),
                people_in_no_group=partner.people_in_no_group,
                contacts_not_in_lms=partner.contacts_not_in_lms,
                leads_last_30_days=partner.leads_last_30_days,
                gained=int(gained.get(partner.id, 0)),
                lost=int(lost.get(partner.id, 0)),
                expiring_90=int(expiring.get(partner.id, 0)),
                url=inputs.config.partner_url(partner.id),
                withheld=inputs.withheld.get(partner.id),
            )
        )
    return tuple(lines)


def _totals(inputs: ReportInputs, lines: Sequence[PartnerLine]) -> PamTotals:
    sums: dict[str, int] = inputs.counts.sum().to_dict()  # type: ignore[assignment]
    npcu, certifications, uncategorised = (sums.pop(name) for name in ("npcu", "certifications", "uncategorised"))
    week_ago = sum(inputs.npcu_before.values()) if lines else None
    return PamTotals(
        partners=len(lines),
        npcu=Change(npcu, week_ago),
        certifications=certifications,
        by_category=_held(sums),
        uncategorised=uncategorised,
        people=inputs.people["user_id"].nunique(),
        gained=sum(line.gained for line in lines),
        lost=sum(line.lost for line in lines),
        below=sum(line.standing.status == "below" for line in lines),
        about_to_fall=sum(line.standing.status == "about to fall below" for line in lines),
        people_in_no_group=sum(line.people_in_no_group for line in lines),
        contacts_not_in_lms=sum(line.contacts_not_in_lms for line in lines),
        leads_last_30_days=sum(line.leads_last_30_days for line in lines),
    )


def _held(by_category: Mapping[str, int]) -> dict[str, int]:
    return {category: number for category, number in sorted(by_category.items()) if number}


def _certifications(inputs: ReportInputs, rows: pd.DataFrame, column: str) -> tuple[CertificationLine, ...]:
    """A line for each row, in their order; `column`: the moment that is shown."""
    at, names = inputs.frame.as_of, {partner.id: partner.name for partner in inputs.partners}
    lines = []
    for item in rows.to_dict("records"):
        when = moment(item[column])
        lines.append(
            CertificationLine(
                key=f"{item['partner_id']}/{item['user_id']}/{item['course_id']}",
                partner_id=item["partner_id"],
                partner=names[item["partner_id"]],
                person=inputs.names.get(item["user_id"]) or f"person {item['user_id']}",
                course=item["course_name"] or item["course_id"],
                category=item["category"] if isinstance(item["category"], str) else None,
                npcu=item["npcu"],
                at=when,
                days=-((at - when) // timedelta(days=1)) if when > at else 0,
            )
        )
    return tuple(lines)
