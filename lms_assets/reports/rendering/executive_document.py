"""What the executive report says and in which order. Figures in, a document out; no person is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lms_assets.domain.counting.report_facts import earliest
from lms_assets.domain.wording import number_of
from lms_assets.reports.figures.executive import EarnedLine, ExecutiveReport, RankLine, ShareLine, StockLine
from lms_assets.reports.rendering import formatting as chart_words
from lms_assets.reports.rendering import formatting as words
from lms_assets.reports.rendering.document import Cell, Column, Document, Paragraph, Row, Section, Table, Tile, Tiles

SHOWN = 10
PERIOD_NAMES = {"week": "Week", "month": "Month", "year to date": "Year to date"}
NPCU = Column("NPCU", numeric=True)


def executive_subject(report: ExecutiveReport, brand: str) -> str:
    """The subject: the week and the total. Holds no name of a partner or person."""
    week = report.totals[0].periods[0].change.difference
    total = f"{words.number(report.totals[0].now)} NPCU ({words.signed(week, 'first')} in the week)"
    return f"{words.age(report.frame)}{brand}: executive report, week of {words.day(report.frame.week)} – {total}"


def executive_document(report: ExecutiveReport) -> Document:
    """The whole report in words."""
    stocks = (*report.totals, *report.categories)
    sections = [
        Section("", (_tiles(report),)),
        Section("What changed", ()),
        Section("NPCU and certifications held", (_stock_table(stocks), Paragraph(_STOCK_NOTE, "muted")), level=3),
        Section("Certifications earned", (_earned_table(report.earned), Paragraph(_EARNED_NOTE, "muted")), level=3),
        *_fell_below(report),
        _growing(report),
        Section("Trend", (chart_words.npcu_chart(report.npcu_by_week),)),
        Section("Compliance by tier", (_tier_table(report.tiers), Paragraph(_TIER_NOTE, "muted"))),
        Section(
            "Regions", (chart_words.region_chart(report.regions), _share_table("Regions", "Region", report.regions))
        ),
        Section("Partner account managers", (_share_table("Partner account managers", "PAM", report.pams),)),
        _expiring(report),
        Section("Top partners", (_rank_table("Top partners", report.top, ""),)),
        _quiet(report),
        *_not_confirmed(report),
    ]
    return Document(
        title="Partner certifications",
        subtitle=words.subtitle(report.frame),
        summary=_summary(report),
        banner=report.frame.banner,
        sections=tuple(sections),
        footer=_footer(report),
    )


_STOCK_NOTE = (
    "What partners hold now, how far it moved in the period, and how far it moved in the same period last year."
)
_EARNED_NOTE = "Completed in the period and held at its end, against the same period last year."
_TIER_NOTE = (
    "Compliance: partners that meet their tier's requirement now. At risk: they will fall below within 90 days."
)


def _summary(report: ExecutiveReport) -> str:
    npcu, week = report.totals[0], report.totals[0].periods[0].change.difference
    soon, overall = report.expiring_within[0], report.overall
    versus = "" if week is None else f" ({words.signed(week)} in the week)"
    hold = "holds" if report.partners == 1 else "hold"
    sentences = [
        f"{words.plural(report.partners, 'partner').capitalize()} {hold} {words.number(npcu.now)} NPCU{versus} through "
        f"{words.plural(report.people, 'person', 'people')}"
    ]
    if overall.asked:
        meet = f"{words.percent(overall.compliance)} of the partners with a requirement meet it"
        risk = f"; {words.plural(overall.about_to_fall, 'more', 'more')} will fall below within 90 days"
        sentences.append(meet + (risk if overall.about_to_fall else ""))
    points = f" ({words.number(soon.npcu)} NPCU)" if soon.certifications else ""
    expire = "expires" if soon.certifications == 1 else "expire"
    held = words.plural(soon.certifications, "certification").capitalize()
    sentences.append(f"{held}{points} {expire} within 30 days")
    return ". ".join(sentences) + "."


def _tiles(report: ExecutiveReport) -> Tiles:
    npcu, overall = report.totals[0], report.overall
    week, month = npcu.periods[0].change.difference, report.earned[1]
    soon, later = report.expiring_within
    return Tiles(
        (
            Tile("NPCU", words.number(npcu.now), f"{words.arrow(week)} this week", note_tone=words.tone_of(week)),
            Tile(
                "Earned in the month",
                words.number(month.certifications),
                f"{words.number(month.certifications_last_year)} a year ago",
            ),
            Tile("Certifications", words.number(report.certifications), number_of(report.people, "person", "people")),
            Tile(
                "Compliance",
                words.percent(overall.compliance),
                f"{words.number(overall.below)} of {words.number(overall.asked)} below",
                "bad" if overall.below else "plain",
            ),
            Tile(
                "Expiring in 30 days",
                words.number(soon.certifications),
                f"{words.number(later.certifications)} in 90 days",
                "warn" if soon.certifications else "plain",
            ),
            Tile("Quiet partners", words.number(report.quiet_partners), "nothing earned in 90 days"),
        )
    )


def _stock_table(stocks: Sequence[StockLine]) -> Table:
    names = [PERIOD_NAMES.get(period.key, period.key) for period in stocks[0].periods]
    columns = (
        Column("Held"),
        Column("Now", numeric=True, width=12),
        *(Column(name, numeric=True, width=17) for name in names),
    )
    rows = []
    for stock in stocks:
        label = {"npcu": "NPCU", "certifications": "Certifications"}.get(stock.key) or words.category(stock.key)
        cells = [
            Cell(
                words.arrow(period.change.difference) if period.change.difference is not None else "–",
                f"last year {words.signed(period.last_year.difference if period.last_year else None, '–')}",
                tone=words.tone_of(period.change.difference),
            )
            for period in stock.periods
        ]
        rows.append(Row((Cell(label), Cell(words.number(stock.now)), *cells)))
    return Table("NPCU and certifications held", columns, tuple(rows))


def _earned_table(lines: Sequence[EarnedLine]) -> Table:
    columns = (
        Column("Period"),
        Column("Earned", numeric=True, width=17),
        Column("Last year", numeric=True, width=17),
        Column("NPCU", numeric=True, width=15),
        Column("NPCU last year", numeric=True, width=23),
    )
    rows = [
        Row(
            (
                Cell(PERIOD_NAMES.get(line.key, line.key)),
                Cell(words.number(line.certifications)),
                Cell(words.number(line.certifications_last_year), tone="muted"),
                Cell(words.number(line.npcu)),
                Cell(words.number(line.npcu_last_year), tone="muted"),
            )
        )
        for line in lines
    ]
    return Table("Certifications earned", columns, tuple(rows))


def _fell_below(report: ExecutiveReport) -> list[Section]:
    if not report.fell_below:
        return []
    table = _rank_table("Fell below the requirement this week", report.fell_below, "")
    return [Section("Fell below the requirement this week", (table,), level=3, tone="bad")]


def _growing(report: ExecutiveReport) -> Section:
    if not report.growing:
        return Section("Fastest growing", (Paragraph("No partner gained NPCU in 13 weeks."),), level=3)
    return Section("Fastest growing", (_rank_table("Fastest growing", report.growing, "13 weeks"),), level=3)


def _rank_table(caption: str, lines: Sequence[RankLine], change: str) -> Table:
    columns: tuple[Column, ...] = (Column("Partner"), Column("PAM", width=26), Column("NPCU", numeric=True, width=14))
    if change:
        columns = (*columns, Column(change, numeric=True, width=18))
    rows = []
    for line in lines:
        below = " · ".join(words.name(part) for part in (line.tier, line.region) if part)
        below += words.not_confirmed(line.withheld)
        cells = [Cell(words.name(line.name), below, line.url), Cell(words.name(line.owner))]
        cells.append(Cell(words.number(line.npcu.now)))
        if change:
            moved = line.npcu.difference
            cells.append(Cell(words.arrow(moved), words.signed_percent(line.npcu), tone=words.tone_of(moved)))
        rows.append(Row(tuple(cells)))
    return Table(caption, columns, tuple(rows))


def _tier_table(lines: Sequence[ShareLine]) -> Table:
    columns = (
        Column("Tier"),
        Column("Partners", numeric=True, width=17),
        Column("Below", numeric=True, width=14),
        Column("At risk", numeric=True, width=15),
        Column("Compliance", numeric=True, width=23),
    )
    rows = []
    for line in lines:
        asks = f"asks for {words.number(line.requirement)} NPCU" if line.requirement else "asks for nothing"
        rows.append(
            Row(
                (
                    Cell(words.name(line.key), asks),
                    Cell(words.number(line.partners)),
                    Cell(words.number(line.below), tone="bad" if line.below else "muted"),
                    Cell(words.number(line.about_to_fall), tone="warn" if line.about_to_fall else "muted"),
                    Cell(words.percent(line.compliance)),
                )
            )
        )
    return Table("Compliance by tier", columns, tuple(rows))


def _share_table(caption: str, what: str, lines: Sequence[ShareLine]) -> Table:
    columns = (
        Column(what),
        Column("NPCU", numeric=True, width=14),
        Column("Week", numeric=True, width=15),
        Column("Compliance", numeric=True, width=23),
        Column("Expire in 30 days", numeric=True, width=16),
    )
    rows = []
    for line in lines:
        who = f"{words.plural(line.partners, 'partner')} · {words.plural(line.people, 'person', 'people')}"
        change = line.npcu.difference
        rows.append(
            Row(
                (
                    Cell(words.name(line.key), who),
                    Cell(words.number(line.npcu.now)),
                    Cell(words.arrow(change), tone=words.tone_of(change)),
                    Cell(words.percent(line.compliance), f"{words.number(line.below)} below" if line.below else ""),
                    Cell(words.number(line.expiring_30)),
                )
            )
        )
    return Table(caption, columns, tuple(rows))


def _expiring(report: ExecutiveReport) -> Section:
    rows = tuple(
        Row((Cell(f"Within {each.key} days"), Cell(words.number(each.certifications)), Cell(words.number(each.npcu))))
        for each in report.expiring_within
    )
    table = Table("Certifications that expire", (Column("When"), Column("Certifications", numeric=True), NPCU), rows)
    return Section("Certifications that expire", (chart_words.expiry_chart(report.expiries_by_week), table))


def _quiet(report: ExecutiveReport) -> Section:
    title = "No certification in 90 days"
    if not report.quiet:
        return Section(title, (Paragraph("Every partner earned at least one certification in 90 days."),))
    table = _rank_table(title, report.quiet, "")
    left_out = report.quiet_partners - len(report.quiet)
    shown = Table(table.caption, table.columns, table.rows, more=left_out)
    sentence = f"{words.plural(report.quiet_partners, 'partner').capitalize()}; those with the most NPCU first."
    return Section(title, (Paragraph(sentence), shown))


def _not_confirmed(report: ExecutiveReport) -> list[Section]:
    """The partners whose counts the CRM does not get, if there are any."""
    if not report.withheld:
        return []
    title, shown = "Counts that are not confirmed", report.withheld[:SHOWN]
    table = _rank_table(title, shown, "")
    more = len(report.withheld) - len(shown)
    return [Section(title, (Paragraph(words.NOT_CONFIRMED_NOTE), replace(table, more=more)))]


def _footer(report: ExecutiveReport) -> tuple[str, ...]:
    lines = [
        "A certification counts while it is held: completed, not expired, and its holder is a partner's active user. "
        f"Somebody who belongs to several partners counts for each; {words.number(report.people_of_several)} do.",
        f"{words.NPCU_NOTE} Every count can be taken apart into its certifications: ask the partner's account manager.",
    ]
    lines += words.worked_out(report.frame, earliest(report.frame.as_of).date())
    if report.uncategorised:
        held = words.plural(report.uncategorised, "held certification")
        lines.insert(1, f"{held.capitalize()} without a category: counted in NPCU, in no category.")
    return tuple(lines)
