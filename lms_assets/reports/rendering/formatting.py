"""What the charts show, said in words: the picture's place in a document and its alternative text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

from lms_assets.domain.counting.compliance import Standing
from lms_assets.domain.wording import number_of, unlinked
from lms_assets.reports.figures.executive import ShareLine
from lms_assets.reports.figures.model import Change, Frame, WeekPoint
from lms_assets.reports.rendering import formatting as words
from lms_assets.reports.rendering.document import Chart, Tone

WIDTH = 552
NPCU_CHART = "npcu-by-week"
EXPIRY_CHART = "expiries-by-week"
REGION_CHART = "npcu-by-region"
BARS = 8


def npcu_chart(points: Sequence[WeekPoint]) -> Chart:
    """NPCU over the weeks."""
    first, last = points[0], points[-1]
    values = [point.value for point in points]
    alt = (
        f"Line chart, NPCU over {len(points)} weeks: {words.number(first.value)} on {words.day(first.key)}, "
        f"{words.number(last.value)} on {words.day(last.key)}; "
        f"lowest {words.number(min(values))}, highest {words.number(max(values))}."
    )
    return Chart(NPCU_CHART, f"NPCU, last {len(points)} weeks", alt, WIDTH, 190)


def expiry_chart(points: Sequence[WeekPoint]) -> Chart:
    """Certifications that expire in each week ahead."""
    shown = "; ".join(f"{words.short_day(point.key)}: {words.number(point.value)}" for point in points if point.value)
    alt = f"Bar chart, certifications that expire in each of the next {len(points)} weeks, by the week's first day: "
    title = "Number in each week ahead"
    return Chart(EXPIRY_CHART, title, alt + (shown or "none") + ".", WIDTH, 150)


def region_chart(lines: Sequence[ShareLine]) -> Chart:
    """NPCU of each region."""
    bars = region_bars(lines)
    shown = "; ".join(f"{label}: {words.number(value)}" for label, value in bars)
    alt = f"Bar chart, NPCU by region: {shown or 'none'}."
    return Chart(REGION_CHART, "NPCU by region", alt, WIDTH, 24 + 26 * len(bars))


def region_bars(lines: Sequence[ShareLine]) -> list[tuple[str, int]]:
    """The regions with the most NPCU; what is left over is one bar."""
    bars = [(words.name(line.key), line.npcu.now) for line in lines]
    if len(bars) > BARS:
        bars = [*bars[: BARS - 1], ("Others", sum(value for _, value in bars[BARS - 1 :]))]
    return bars


CATEGORY_NAMES = {
    "nintex_ce": "CE",
    "nintex_k2": "K2",
    "nintex_salesforce": "Salesforce",
    "go_to_market": "GTM",
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
NAME_LIMIT = 120


def number(value: int) -> str:
    """`1,234`, with a real minus sign."""
    return f"{value:,}".replace("-", "−")


def signed(value: int | None, unknown: str = "new") -> str:
    """`+3`, `−3`, `±0`, or the word for what was not known before."""
    if value is None:
        return unknown
    return "±0" if value == 0 else ("+" if value > 0 else "") + number(value)


def arrow(value: int | None) -> str:
    """`▲ +3`, `▼ −3`: the direction does not hang on a colour alone."""
    mark = "" if not value else "▲\N{NO-BREAK SPACE}" if value > 0 else "▼\N{NO-BREAK SPACE}"
    return mark + signed(value)


def tone_of(value: int | None) -> Tone:
    """More is good, less is bad."""
    return "muted" if not value else "good" if value > 0 else "bad"


def percent(value: float | None) -> str:
    """`83.3 %`, a dash for nothing to divide by."""
    return "–" if value is None else f"{value:.1f} %".replace("-", "−")


def signed_percent(change: Change | None) -> str:
    """`+12.5 %`, a dash when there was nothing before."""
    if change is None or change.percent is None:
        return "–"
    return ("+" if change.percent > 0 else "") + percent(change.percent)


def plural(value: int, one: str, many: str | None = None) -> str:
    """`1 partner`, `2 partners`, `no partners`."""
    return number_of(value or "no", one, many)


def day(moment: date | datetime) -> str:
    """`23 November 2026`, which is not broken over two lines."""
    return f"{moment.day}\N{NO-BREAK SPACE}{_MONTHS[moment.month - 1]}\N{NO-BREAK SPACE}{moment.year}"


def short_day(moment: date | datetime) -> str:
    """`23 Nov 2026`, which is not broken over two lines."""
    return f"{moment.day}\N{NO-BREAK SPACE}{_MONTHS[moment.month - 1][:3]}\N{NO-BREAK SPACE}{moment.year}"


def instant(moment: datetime) -> str:
    """`23 November 2026, 02:00 UTC`."""
    return f"{day(moment)}, {moment:%H:%M} UTC"


def age(frame: Frame) -> str:
    """How a subject begins whose figures are not current; empty for others."""
    return f"Old figures, as of {day(frame.as_of.date())}: " if frame.released else ""


def name(text: str) -> str:
    """A name on one line that no program makes a link of, without control characters and marks that turn the
    direction of writing around.
    """
    kept = "".join(" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    kept = "".join(char for char in kept if char not in _DIRECTION_MARKS)
    line = unlinked(" ".join(kept.split()))
    return line if len(line) <= NAME_LIMIT else line[: NAME_LIMIT - 1] + "…"


_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def category(key: str | None) -> str:
    """A certification category as people call it."""
    if key is None:
        return "no category"
    return CATEGORY_NAMES.get(key) or name(key.replace("_", " ").capitalize())


def categories(by_category: dict[str, int]) -> str:
    """`CE 8 · K2 2`, empty for none."""
    return " · ".join(
        f"{category(key)}\N{NO-BREAK SPACE}{number(value)}" for key, value in by_category.items() if value
    )


def standing(found: Standing) -> tuple[str, Tone]:
    """How a partner stands, in a few words."""
    if found.status == "no requirement":
        return "", "muted"
    if found.status == "below":
        since = f" since {short_day(found.since)}" if found.since else ""
        return f"{number(found.missing)} missing{since}", "bad"
    if found.falls_at is not None:
        return f"falls {short_day(found.falls_at)}", "warn"
    return "meets", "good"


def worked_out(frame: Frame, earliest: date) -> list[str]:
    """A sentence when the report compares with days from `earliest` on, before counts were kept; else nothing."""
    if frame.known_since is None or earliest >= frame.known_since.date():
        return []
    return [
        f"Counts are kept since {day(frame.known_since)}. Earlier figures are worked out from dates of completion and "
        "expiry, with the people of today."
    ]


def subtitle(frame: Frame) -> str:
    """Of which week and as of when."""
    return f"Week of {day(frame.week)} · figures as of {instant(frame.as_of)}"


NPCU_NOTE = "NPCU are the points that a certification is worth; a partner's tier asks for a number of them."
NOT_CONFIRMED_NOTE = (
    "Not confirmed: the count is stored here and is not sent to the CRM, which keeps the last confirmed one."
)


def not_confirmed(reason: str | None) -> str:
    """What follows a partner's name when its counts are not confirmed; `""` without a reason."""
    return f" · not confirmed: {reason}" if reason else ""
