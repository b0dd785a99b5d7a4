"""What the charts show, said in words: the picture's place in a document and its alternative text."""

from __future__ import annotations

from collections.abc import Sequence

from lms_assets.reports import words
from lms_assets.reports.document import Chart
from lms_assets.reports.figures import ShareLine, WeekPoint

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
