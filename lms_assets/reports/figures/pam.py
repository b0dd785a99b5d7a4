"""The figures of a partner account manager's report. Pure: nothing is read, counted or worded here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from lms_assets.domain.counting.certifications import Assessed
from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.domain.operations.report_recipients import same_owner
from lms_assets.reports.figures.inputs import (
    HORIZON,
    ReportInputs,
    expiries_by_week,
    expiring_within,
    npcu_by_week,
    sum_on,
)
from lms_assets.reports.figures.model import CertificationLine, Change, PamReport, PamTotals, PartnerLine

WINDOWS = (30, 60, 90)


def build_pam_report(inputs: ReportInputs, owners: Sequence[str]) -> PamReport:
    """The report about all partners of these owners (one person's names as `account_owner` says them)."""
    mine = partners_of(inputs.partners, owners)
    ids = [partner.id for partner in mine]
    gained = _by_partner(inputs.holdings.gained(inputs.frame.since), ids)
    lost = _by_partner(inputs.holdings.lost(inputs.frame.since), ids)
    lines = tuple(_partner_line(inputs, each, gained.get(each.id, ()), lost.get(each.id, ())) for each in mine)
    below = [line for line in lines if line.standing.status == "below"]
    fell = [line for line in below if inputs.fell_this_week(line.key, line.standing)]
    held = inputs.held_by(ids)
    end = inputs.frame.as_of + HORIZON
    soon = [item for item in held if item.expires_at is not None and item.expires_at <= end]
    names = {partner.id: partner.name for partner in mine}
    return PamReport(
        frame=inputs.frame,
        owners=tuple(owners),
        totals=_totals(inputs, lines),
        partners=lines,
        fell_below=tuple(sorted(fell, key=lambda line: (-line.standing.missing, line.name))),
        about_to_fall=tuple(
            sorted(
                (line for line in lines if line.standing.falls_at is not None),
                key=lambda line: (line.standing.falls_at or end, line.name),
            )
        ),
        below=tuple(line for line in below if line not in fell),
        moved=tuple(
            sorted(
                (line for line in lines if line.npcu.difference),
                key=lambda line: (-abs(line.npcu.difference or 0), line.name),
            )
        ),
        new=_certifications(inputs, names, (item for each in ids for item in gained.get(each, ())), "completed_at"),
        expired=_certifications(inputs, names, (item for each in ids for item in lost.get(each, ())), "expires_at"),
        expiring=_certifications(inputs, names, soon, "expires_at"),
        expiring_within=expiring_within(inputs, held, WINDOWS),
        npcu_by_week=npcu_by_week(inputs, ids),
        expiries_by_week=expiries_by_week(inputs, held),
    )


def partners_of(partners: Iterable[PartnerFacts], owners: Iterable[str]) -> tuple[PartnerFacts, ...]:
    """The partners of these owners, by name; names are compared without case and outer blanks."""
    wanted = {same_owner(owner) for owner in owners}
    found = [each for each in partners if same_owner(each.owner) in wanted]
    return tuple(sorted(found, key=lambda each: (each.name.casefold(), each.id)))


def _by_partner(items: Iterable[Assessed], ids: Iterable[int]) -> dict[int, list[Assessed]]:
    found: dict[int, list[Assessed]] = {partner_id: [] for partner_id in ids}
    for item in items:
        if item.partner_id in found:
            found[item.partner_id].append(item)
    return found


def _partner_line(
    inputs: ReportInputs, partner: PartnerFacts, gained: Sequence[Assessed], lost: Sequence[Assessed]
) -> PartnerLine:
    counts = inputs.counts_of(partner.id)
    end = inputs.frame.as_of + HORIZON
    expiring = [
        item
        for item in inputs.holdings.by_partner.get(partner.id, ())
        if item.expires_at is not None and item.expires_at <= end
    ]
    return PartnerLine(
        key=partner.id,
        name=partner.name,
        tier=partner.tier or "",
        npcu=inputs.npcu_change(partner.id, inputs.frame.since.date()),
        standing=inputs.standing_of(partner),
        certifications=sum(counts.by_category.values()),
        by_category=counts.by_category,
        people=len(inputs.holdings.people.get(partner.id, ())),
        people_in_no_group=partner.people_in_no_group,
        contacts_not_in_lms=partner.contacts_not_in_lms,
        leads_last_30_days=partner.leads_last_30_days,
        gained=sum(item.npcu for item in gained),
        lost=sum(item.npcu for item in lost),
        expiring_90=len(expiring),
        url=inputs.config.partner_url(partner.id),
        withheld=inputs.withheld.get(partner.id),
    )


def _totals(inputs: ReportInputs, lines: Sequence[PartnerLine]) -> PamTotals:
    ids = [line.key for line in lines]
    categories: Counter[str] = Counter()
    for line in lines:
        categories.update(line.by_category)
    week_ago = sum_on(inputs.past, ids, inputs.frame.since.date(), lambda found: found.total_npcu)
    return PamTotals(
        partners=len(lines),
        npcu=Change(sum(line.npcu.now for line in lines), week_ago),
        certifications=sum(line.certifications for line in lines),
        by_category=dict(sorted(categories.items())),
        uncategorised=sum(inputs.counts_of(each).uncategorised for each in ids),
        people=len(inputs.people_of(ids)),
        gained=sum(line.gained for line in lines),
        lost=sum(line.lost for line in lines),
        below=sum(line.standing.status == "below" for line in lines),
        about_to_fall=sum(line.standing.status == "about to fall below" for line in lines),
        people_in_no_group=sum(line.people_in_no_group for line in lines),
        contacts_not_in_lms=sum(line.contacts_not_in_lms for line in lines),
        leads_last_30_days=sum(line.leads_last_30_days for line in lines),
    )


def _certifications(
    inputs: ReportInputs, names: dict[int, str], items: Iterable[Assessed], moment: str
) -> tuple[CertificationLine, ...]:
    """Lines in order of their moment: expiries soonest first, what happened latest first."""
    at = inputs.frame.as_of
    lines = []
    for item in items:
        when = getattr(item, moment) or at
        lines.append(
            CertificationLine(
                key=f"{item.partner_id}/{item.user_id}/{item.course_id}",
                partner_id=item.partner_id,
                partner=names[item.partner_id],
                person=inputs.names.get(item.user_id) or f"person {item.user_id}",
                course=item.course_name or item.course_id,
                category=item.category,
                npcu=item.npcu,
                at=when,
                days=-((at - when) // timedelta(days=1)) if when > at else 0,
            )
        )
    upcoming = any(line.at > at for line in lines)
    return tuple(sorted(lines, key=lambda line: (line.at, line.key), reverse=not upcoming))
