"""The charts of the reports as small PNGs, each for light and for dark ground. Drawn without a screen.

Labels are plain text: what a name holds is never read as a formula, and what the font lacks is transliterated.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyascii import anyascii

from lms_assets.reports.figures.executive import ExecutiveReport
from lms_assets.reports.figures.model import WeekPoint
from lms_assets.reports.figures.pam import PamReport
from lms_assets.reports.rendering import formatting as words
from lms_assets.reports.rendering.document import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCALE = 2
"""Pixels of the picture for each pixel of the page, for sharp screens."""
_FONT = "DejaVu Sans"
_SIZE = 9.0
_LABEL_LIMIT = 22


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours `#rrggbb` of one ground."""

    ground: str
    text: str
    line: str
    accent: str


def palettes(accent: str, accent_dark: str) -> dict[str, Palette]:
    """The two grounds, by name."""
    return {
        "light": Palette("#ffffff", "#4a5462", "#dfe4ea", accent),
        "dark": Palette("#1e2329", "#b4bdc9", "#39424d", accent_dark),
    }


def draw(chart: Chart, report: PamReport | ExecutiveReport, palette: Palette) -> bytes:
    """One chart of a report as PNG.

    Raises:
        ValueError: no chart of that name belongs to this kind of report.
    """
    figure, axes = _canvas(chart, palette)
    if chart.name == words.NPCU_CHART:
        _line(axes, report.npcu_by_week, palette)
    elif chart.name == words.EXPIRY_CHART:
        _columns(axes, report.expiries_by_week, palette)
    elif chart.name == words.REGION_CHART and isinstance(report, ExecutiveReport):
        _bars(axes, words.region_bars(report.regions), palette)
    else:
        raise ValueError(f"no chart {chart.name} in a {type(report).__name__}")
    return _png(figure)


def _canvas(chart: Chart, palette: Palette) -> tuple[Figure, Axes]:
    # Loading matplotlib takes as long as loading Dagster; only the two steps that draw wait for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(chart.width / 100, chart.height / 100), dpi=100 * SCALE, facecolor=palette.ground)
    FigureCanvasAgg(figure)
    left = 0.26 if chart.name == words.REGION_CHART else 0.075
    bottom = 26 / chart.height if chart.name != words.REGION_CHART else 6 / chart.height
    axes = figure.add_axes((left, bottom, 0.985 - left, 1 - bottom - 18 / chart.height), facecolor=palette.ground)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=_SIZE, labelcolor=palette.text, labelfontfamily=_FONT, pad=5)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", pil_kwargs={"compress_level": 6}, metadata={"Software": None})
    return out.getvalue()


def _line(axes: Axes, points: Sequence[WeekPoint], palette: Palette) -> None:
    values = [point.value for point in points]
    places = list(range(len(points)))
    # From 0, always: a chart that begins elsewhere makes a small fall look like a collapse.
    floor, top = 0.0, max(1.0, max(values) * 1.15)
    axes.plot(places, values, color=palette.accent, linewidth=1.8, solid_capstyle="round")
    axes.fill_between(places, values, floor, color=palette.accent, alpha=0.12, linewidth=0)
    axes.plot(places[-1:], values[-1:], "o", color=palette.accent, markersize=4.5)
    axes.set_xlim(-0.4, len(points) + 1.2)
    axes.set_ylim(floor, top)
    axes.grid(axis="y", color=palette.line, linewidth=0.7)
    axes.set_yticks(_round_ticks(floor, top))
    axes.yaxis.set_major_formatter(lambda value, _: words.number(int(value)))
    _week_labels(axes, points, step=5)
    axes.annotate(
        words.number(values[-1]),
        (places[-1], values[-1]),
        xytext=(6, -3),
        textcoords="offset points",
        ha="left",
        color=palette.text,
        fontsize=_SIZE + 1,
        fontweight="bold",
        family=_FONT,
    )


def _columns(axes: Axes, points: Sequence[WeekPoint], palette: Palette) -> None:
    values = [point.value for point in points]
    axes.bar(range(len(points)), values, width=0.66, color=palette.accent, linewidth=0)
    axes.set_ylim(0, max([*values, 1]) * 1.18)
    axes.set_xlim(-0.6, len(points) - 0.4)
    axes.set_yticks([])
    axes.axhline(0, color=palette.line, linewidth=1.2)
    for place, value in enumerate(values):
        if value:
            label = words.number(value)
            axes.text(place, value, label, ha="center", va="bottom", fontsize=_SIZE, color=palette.text, family=_FONT)
    _week_labels(axes, points, step=2)


def _bars(axes: Axes, bars: Sequence[tuple[str, int]], palette: Palette) -> None:
    values = [value for _, value in bars]
    places = list(range(len(bars)))
    axes.barh(places, values, height=0.62, color=palette.accent, linewidth=0)
    axes.set_xlim(0, max([*values, 1]) * 1.14)
    axes.set_ylim(len(bars) - 0.45, -0.55)
    axes.set_xticks([])
    axes.set_yticks(places, [_label(name) for name, _ in bars], parse_math=False)
    for place, value in zip(places, values, strict=True):
        shown = f" {words.number(value)}"
        axes.text(value, place, shown, va="center", fontsize=_SIZE, color=palette.text, family=_FONT)


def _week_labels(axes: Axes, points: Sequence[WeekPoint], step: int) -> None:
    last = len(points) - 1
    places = list(range(last % step, len(points), step))
    axes.set_xticks(places, [words.short_day(points[place].key)[:-5] for place in places])


def _round_ticks(low: float, high: float) -> list[float]:
    """The fewest round numbers between low and high that are at least three; whole ones."""
    steps = [factor * 10**power for power in range(9) for factor in (1, 2, 5)]
    for step in reversed(steps):
        first = -(-low // step) * step
        if first + 2 * step <= high:
            return [first + step * each for each in range(1 + int((high - first) // step))]
    return [low, high]


def _label(text: str) -> str:
    """A name that the font can draw, not too long."""
    drawn = text if all(ord(char) < 0x530 for char in text) else anyascii(text)
    return drawn if len(drawn) <= _LABEL_LIMIT else drawn[: _LABEL_LIMIT - 1] + "…"
