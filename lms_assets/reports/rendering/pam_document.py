"""What a PAM's report says and in which order: what changed first, tables after it. Figures in, a document out."""

from __future__ import annotations

from collections.abc import Sequence

from lms_assets.domain.wording import number_of
from lms_assets.reports.figures.model import CertificationLine
from lms_assets.reports.figures.pam import PamReport, PartnerLine
from lms_assets.reports.rendering import formatting as chart_words
from lms_assets.reports.rendering import formatting as words
from lms_assets.reports.rendering.document import (
    Block,
    Cell,
    Column,
    Document,
    Paragraph,
    Row,
    Section,
    Table,
    Tile,
    Tiles,
)

PARTNER = Column("Partner")
NPCU = Column("NPCU", numeric=True, width=20)


def pam_subject(report: PamReport, brand: str) -> str:
    """The subject: the week, and what matters most in it. Holds no name of a partner or person."""
    totals = report.totals
    parts = [f"{words.signed(totals.npcu.difference, 'first')} NPCU"]
    if report.fell_below:
        parts.insert(0, f"{words.plural(len(report.fell_below), 'partner')} fell below")
    elif report.about_to_fall:
        parts.insert(0, f"{words.plural(len(report.about_to_fall), 'partner')} about to fall below")
    week = words.day(report.frame.week)
    return f"{words.age(report.frame)}{brand}: your partners, week of {week} – {', '.join(parts)}"


def pam_document(report: PamReport) -> Document:
    """The whole report in words."""
    sections = [
        Section("", (_tiles(report),)),
        *_what_changed(report),
        Section("Trend", (chart_words.npcu_chart(report.npcu_by_week),)),
        _expiring(report),
        _partners(report),
    ]
    return Document(
        title="Your partners this week",
        subtitle=words.subtitle(report.frame),
        summary=_summary(report),
        banner=report.frame.banner,
        sections=tuple(sections),
        footer=_footer(report),
    )


def _summary(report: PamReport) -> str:
    totals, soon = report.totals, report.expiring_within[0]
    hold = "holds" if totals.partners == 1 else "hold"
    sentences = [f"Your {words.plural(totals.partners, 'partner')} {hold} {words.number(totals.npcu.now)} NPCU"]
    change = totals.npcu.difference
    if change is not None:
        more = "more" if change > 0 else "fewer"
        sentences[0] += f", {words.number(abs(change))} {more} than last week" if change else ", as many as last week"
    if report.fell_below:
        fell = words.plural(len(report.fell_below), "partner").capitalize()
        sentences.append(f"{fell} fell below the requirement of {_their(len(report.fell_below))} tier")
    if totals.about_to_fall:
        about = words.plural(totals.about_to_fall, "partner").capitalize()
        sentences.append(f"{about} will fall below within 90 days unless something is renewed or earned")
    if not report.fell_below and not totals.about_to_fall:
        sentences.append("No partner fell below its tier's requirement, and none is about to")
    held = words.plural(soon.certifications, "certification").capitalize()
    expire = "expires" if soon.certifications == 1 else "expire"
    points = f" ({words.number(soon.npcu)} NPCU)" if soon.certifications else ""
    sentences.append(f"{held}{points} {expire} within 30 days")
    return ". ".join(sentences) + "."


def _their(number: int) -> str:
    return "its" if number == 1 else "their"


def _tiles(report: PamReport) -> Tiles:
    totals = report.totals
    change = totals.npcu.difference
    expiring = report.expiring_within
    return Tiles(
        (
            Tile(
                "NPCU",
                words.number(totals.npcu.now),
                f"{words.arrow(change)} this week",
                note_tone=words.tone_of(change),
            ),
            Tile("Certifications", words.number(totals.certifications), words.categories(dict(totals.by_category))),
            Tile(
                "Below requirement",
                words.number(totals.below),
                f"{words.number(totals.about_to_fall)} more within 90 days",
                "bad" if totals.below else "plain",
            ),
            Tile(
                "Expiring in 30 days",
                words.number(expiring[0].certifications),
                " · ".join(f"{words.number(each.certifications)} in {each.key}" for each in expiring[1:]),
                "warn" if expiring[0].certifications else "plain",
            ),
            Tile(
                "People",
                words.number(totals.people),
                f"{words.number(totals.people_in_no_group)} in no group · "
                f"{number_of(totals.contacts_not_in_lms, 'contact')} not in the LMS",
            ),
            Tile("Leads", words.number(totals.leads_last_30_days), "in the last 30 days"),
        )
    )


def _what_changed(report: PamReport) -> list[Section]:
    found = [
        _section("Fell below the requirement", [_fell(line) for line in report.fell_below], _FELL, tone="bad"),
        _section("About to fall below", [_about(line) for line in report.about_to_fall], _ABOUT, tone="warn"),
        _section("Partners whose NPCU moved", [_moved(line) for line in report.moved], _MOVED),
        _section("New certifications", [_certification(line) for line in report.new], _certification_columns("On")),
        _section(
            "No longer held",
            [_certification(line) for line in report.expired],
            _certification_columns("Expired"),
        ),
    ]
    sections = [section for section in found if section is not None]
    if not sections:
        sections = [Section("", (Paragraph("Nothing changed since last week."),), level=3)]
    return [Section("What changed this week", ()), *sections]


def _section(title: str, rows: Sequence[Row], columns: tuple[Column, ...], tone: str = "plain") -> Section | None:
    if not rows:
        return None
    table = Table(title, columns, tuple(rows))
    return Section(title, (table,), level=3, tone="bad" if tone == "bad" else "warn" if tone == "warn" else "plain")


_FELL = (PARTNER, Column("Since", width=26), NPCU)
_ABOUT = (PARTNER, Column("When", width=26), NPCU)
_MOVED = (PARTNER, Column("Because", width=30), Column("Change", numeric=True, width=18))


def _partner(line: PartnerLine) -> Cell:
    below = words.name(line.tier) or "no tier"
    return Cell(words.name(line.name), f"{below}{words.not_confirmed(line.withheld)}", link=line.url)


def _against(line: PartnerLine) -> str:
    asked = line.standing.requirement
    return f"{words.number(line.npcu.now)} of {words.number(asked)}" if asked else words.number(line.npcu.now)


def _fell(line: PartnerLine) -> Row:
    since = line.standing.since
    when = Cell(words.short_day(since), f"{since:%H:%M} UTC") if since else Cell("this week", "people or tier changed")
    missing = f"{words.number(line.standing.missing)} missing"
    return Row((_partner(line), when, Cell(_against(line), missing, tone="bad", below_tone="bad")))


def _about(line: PartnerLine) -> Row:
    when = line.standing.falls_at
    date = Cell(words.short_day(when), f"{when:%H:%M} UTC") if when else Cell("–")
    then = f"then {words.number(line.standing.falls_to or 0)}"
    return Row((_partner(line), date, Cell(_against(line), then, below_tone="warn")))


def _moved(line: PartnerLine) -> Row:
    causes = []
    if line.gained:
        causes.append(f"+{words.number(line.gained)} new")
    if line.lost:
        causes.append(f"−{words.number(line.lost)} expired")
    if line.by_other_causes:
        causes.append(f"{words.signed(line.by_other_causes)} by people, courses or late records")
    change = line.npcu.difference
    now = f"now {words.number(line.npcu.now)}"
    return Row((_partner(line), Cell(", ".join(causes)), Cell(words.arrow(change), now, tone=words.tone_of(change))))


def _certification_columns(when: str) -> tuple[Column, ...]:
    return (Column(when, width=27), Column("Person", width=30), Column("Course"), Column("NPCU", True, width=13))


def _certification(line: CertificationLine) -> Row:
    return Row(
        (
            Cell(words.short_day(line.at)),
            Cell(words.name(line.person), words.name(line.partner)),
            Cell(words.name(line.course), words.category(line.category)),
            Cell(words.number(line.npcu)),
        )
    )


def _expiring(report: PamReport) -> Section:
    blocks: list[Block] = [chart_words.expiry_chart(report.expiries_by_week)]
    rows: list[Row] = []
    previous = 0
    for window in report.expiring_within:
        lines = [line for line in report.expiring if previous < max(1, line.days) <= window.key]
        if lines:
            period = f"Within {window.key} days" if not previous else f"In {previous + 1} to {window.key} days"
            heading = f"{period}: {words.plural(len(lines), 'certification')}"
            rows += [Row((Cell(heading),)), *(_certification(line) for line in lines)]
        previous = window.key
    if rows:
        blocks.append(Table("Certifications that expire", _certification_columns("Expires"), tuple(rows)))
    else:
        blocks = [Paragraph("No certification expires within 90 days.")]
    return Section("Certifications that expire", tuple(blocks))


def _partners(report: PamReport) -> Section:
    columns = (
        PARTNER,
        Column("NPCU", numeric=True, width=25),
        Column("Week", numeric=True, width=12),
        Column("People", numeric=True, width=14),
        Column("Leads", numeric=True, width=10),
    )
    if not report.partners:
        return Section("All your partners", (Paragraph("No active partner is yours in the CRM."),))
    table = Table("All your partners", columns, tuple(_partner_row(line) for line in report.partners))
    note = "NPCU: held, of what the tier asks for. Leads: of the last 30 days."
    if report.totals.uncategorised:
        without = words.plural(report.totals.uncategorised, "held certification")
        note += f" In no category, but counted in NPCU: {without}."
    if any(line.withheld for line in report.partners):
        note += f" {words.NOT_CONFIRMED_NOTE}"
    return Section("All your partners", (table, Paragraph(note, "muted")))


def _partner_row(line: PartnerLine) -> Row:
    text, tone = words.standing(line.standing)
    certifications = words.categories(dict(line.by_category)) or "no certifications"
    gaps = [
        f"{words.number(count)} {what}"
        for count, what in ((line.people_in_no_group, "in no group"), (line.contacts_not_in_lms, "not in LMS"))
        if count
    ]
    below = f"{words.name(line.tier) or 'no tier'} · {certifications}{words.not_confirmed(line.withheld)}"
    change = line.npcu.difference
    return Row(
        (
            Cell(words.name(line.name), below, line.url),
            Cell(_against(line), text, below_tone=tone),
            Cell(words.arrow(change), tone=words.tone_of(change)),
            Cell(words.number(line.people), ", ".join(gaps)),
            Cell(words.number(line.leads_last_30_days)),
        )
    )


def _footer(report: PamReport) -> tuple[str, ...]:
    at = f"{report.frame.as_of:%Y-%m-%dT%H:%M:%SZ}"
    since = f"{report.frame.since:%Y-%m-%dT%H:%M:%SZ}"
    return (
        *words.worked_out(report.frame, report.npcu_by_week[0].key),
        "A certification counts while it is held: completed, not expired, and its holder is a partner's active user. "
        f"Somebody who belongs to two partners counts for both. {words.NPCU_NOTE}",
        f'What a number is made of: lms-assets why "PARTNER" --at {at} (and --since {since} for what changed).',
        "You get this because the CRM names you as the account manager of these partners "
        f"({', '.join(words.name(owner) for owner in report.owners)}).",
    )
